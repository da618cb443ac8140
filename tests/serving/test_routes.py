from typing import Any

import pytest

MODEL = "big-tips"
PREDICT = f"/models/{MODEL}/predict"
ROUTES = [PREDICT, f"/models/{MODEL}/truth", f"/v2/models/{MODEL}/infer"]
BODY = b'{"row": {"miles": 3.2, "hour": 7}}'
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client(module_client: Any) -> Any:
    return module_client


def send(client: Any, headers: dict[str, str], path: str = PREDICT) -> Any:
    return client.post(path, content=BODY, headers=headers)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "foreign",
    [
        {"origin": "http://evil.com"},
        {"origin": "null"},
        {"origin": "http://testserver.local.evil.com"},
        {"origin": "http://testserver.local:81"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_no_page_of_another_site_can_write(client: Any, path: str, foreign: dict) -> None:
    for kind in ("text/plain", "application/json"):
        reply = send(client, {"content-type": kind, **foreign}, path)
        assert reply.status_code == 403, reply.text


@pytest.mark.parametrize(
    "own", [{}, {"origin": "http://testserver.local"}, {"sec-fetch-site": "same-origin"}]
)
def test_programs_and_pages_of_the_server_can_write(client: Any, own: dict) -> None:
    assert send(client, {**JSON, **own}).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain; charset=utf-8", "multipart/form-data", "text/html"]
)
@pytest.mark.parametrize("path", ROUTES)
def test_a_body_has_to_say_that_it_is_json(client: Any, path: str, kind: str) -> None:
    reply = send(client, {"content-type": kind}, path)
    assert reply.status_code == 415
    assert "Content-Type: application/json" in reply.text


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.rows+json"]
)
def test_json_has_many_names(client: Any, kind: str) -> None:
    assert send(client, {"content-type": kind}).status_code == 200


def test_what_curl_says_by_itself_passes_only_where_no_browser_is(client: Any) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert send(client, form).status_code == 200
    assert send(client, {**form, "origin": "http://testserver.local"}).status_code == 415


def test_a_compressed_body_is_named(client: Any) -> None:
    reply = send(client, {**JSON, "content-encoding": "gzip"})
    assert reply.status_code == 415
    assert "compressed (gzip)" in reply.text


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "Infinity"])
def test_numbers_that_json_does_not_have_are_named(client: Any, number: str) -> None:
    body = b'{"row": {"miles": %s, "hour": 7}}' % number.encode()
    error = client.post(PREDICT, content=body, headers=JSON).json()["error"]
    assert error["what"] == f"The body has {number}, which is not JSON."
    assert "null" in error["fix"]


def test_a_text_that_says_nan_is_a_text(client: Any) -> None:
    body = b'{"row": {"miles": "NaN \\" NaN", "hour": 7},}'
    error = client.post(PREDICT, content=body, headers=JSON).json()["error"]
    assert "cannot be read" in error["what"]
