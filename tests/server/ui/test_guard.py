import pytest


@pytest.mark.parametrize(
    "path", ["/", "/models", "/nothing", "/static/x/app.css", "/health", "/runs/none?format=json"]
)
def test_every_answer_carries_the_security_headers(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "script-src 'self';" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]


def test_inline_styles_are_allowed_only_where_charts_are_drawn(site, filled):
    assert "unsafe-inline" not in site.get("/").headers["content-security-policy"]
    chart_page = site.get(f"/runs/{filled.last}").headers
    assert chart_page["content-security-policy"].endswith("style-src 'self' 'unsafe-inline'")
    assert "x-penstock-charts" not in chart_page


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]:4270"])
def test_a_foreign_host_name_is_refused(client, host):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("host", ["localhost:4270", "127.0.0.1", "[::1]:4270", "LOCALHOST"])
def test_local_host_names_are_served(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_only_get_is_served(client, method):
    answer = client.request(method, "/runs")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"


def test_another_site_may_link_here_but_not_read(client):
    reading = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/", headers=reading).status_code == 403
    assert client.get("/", headers=reading | {"sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("name", ["../_app.py", "..%2f_app.py", "app.py", "%2e%2e/icons.svg", ""])
def test_only_listed_static_files_can_be_had(client, name):
    assert client.get(f"/static/x/{name}").status_code == 404


def test_static_files_are_cached_by_content(client):
    page = client.get("/").text
    sheet = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = client.get(sheet)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/").headers["cache-control"] == "no-store"


def test_plotly_comes_from_the_installed_package(client):
    answer = client.get("/static/x/plotly.min.js")
    assert answer.status_code == 200
    assert len(answer.content) > 1_000_000
