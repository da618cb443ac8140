import asyncio
import re
import threading
import time
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient

from penstock.models import Model, Signature
from penstock.serving import RolloutRules, create_app, deploy
from penstock.serving._served_version import ModelError, ServedVersion

MODEL = "big-tips"
PREDICT = f"/models/{MODEL}/predict"


def wait_for(condition: Any, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_rows_are_answered_with_id_score_version_and_warnings(client: Any, row: dict) -> None:
    reply = client.post(PREDICT, json={"rows": [row, {**row, "miles": 99.0}]})
    assert reply.status_code == 200
    body = reply.json()
    assert (body["model"], body["version"]) == (MODEL, 1)
    one, two = body["predictions"]
    assert one["prediction"] in {"yes", "no"}
    assert 0 <= one["score"] <= 1
    assert len({one["prediction_id"], two["prediction_id"]}) == 2
    assert one["warnings"] == []
    assert "outside the training range" in two["warnings"][0]
    assert reply.headers["x-penstock-model-version"] == "1"
    assert int(reply.headers["x-penstock-generation"]) >= 1


def test_one_row_may_be_sent_alone(client: Any, row: dict) -> None:
    assert len(client.post(PREDICT, json={"row": row}).json()["predictions"]) == 1


def test_answers_are_the_models_own(client: Any, served: Any) -> None:
    rows = [{"miles": 1.0 + place / 10, "hour": place % 24} for place in range(40)]
    found = client.post(PREDICT, json={"rows": rows}).json()["predictions"]
    estimator = served.store.get(served.registry.get(MODEL, 1).artifact)
    values = [[row["miles"], row["hour"]] for row in rows]
    assert [each["prediction"] for each in found] == estimator.predict(values).tolist()
    scores = [each["score"] for each in found]
    # Row-major and column-major sums differ in the last digit.
    assert scores == pytest.approx(estimator.predict_proba(values)[:, 1].tolist(), rel=1e-12)


def test_predictions_are_logged_with_their_inputs(client: Any, served: Any, row: dict) -> None:
    reply = client.post(PREDICT, json={"row": row, "unit": 17}).json()
    prediction_id = reply["predictions"][0]["prediction_id"]
    assert wait_for(lambda: served.store.metadata.predictions.list(MODEL))
    record = served.store.metadata.predictions.get(prediction_id)
    assert (record.inputs, record.unit, record.version) == (row, "17", 1)
    assert record.prediction == reply["predictions"][0]["prediction"]
    assert 0 < record.latency_s < 5


def test_logging_can_be_off(served: Any, row: dict) -> None:
    with TestClient(create_app(names=[MODEL], log=False, store=served.store)) as quiet:
        assert quiet.post(PREDICT, json={"row": row}).status_code == 200
        assert "penstock_log" not in quiet.get("/metrics").text
    assert served.store.metadata.predictions.list(MODEL) == []


def test_a_full_disk_costs_no_prediction(served: Any, row: dict, monkeypatch: Any) -> None:
    def full(_records: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(served.store.metadata.predictions, "add", full)
    with TestClient(create_app(names=[MODEL], store=served.store)) as client:
        codes = {client.post(PREDICT, json={"row": row}).status_code for _ in range(50)}
        assert wait_for(
            lambda: "penstock_log_failures_total 0.0" not in client.get("/metrics").text
        )
    assert codes == {200}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"row": {"miles": "far", "hour": 7}}, "'miles' is 'far', not a number"),
        ({"row": {"hour": 7}}, "'miles' is missing"),
        ({"row": {"miles": 1, "hour": 7, "hours": 8}}, "'hours' is not an input"),
        ({"row": {"miles": 1, "hour": 7.5}}, "'hour' is 7.5"),
        ({"row": {"miles": None, "hour": 7}}, "'miles' is null"),
        ({"rows": []}, "There is no row."),
        ({"rows": [3]}, "Expected `object`"),
        ({"rows": [{}], "row": {}}, "both 'rows' and 'row'"),
        ({}, "The body has no rows"),
        ({"row": {"miles": 1, "hour": 2}, "units": "x"}, "unknown field `units`"),
        ({"row": {"miles": 1, "hour": 2}, "unit": "x" * 600}, "no short text"),
        ([], "Expected `object`"),
    ],
)
def test_a_body_that_cannot_be_used_is_a_400_that_names_the_fault(
    client: Any, body: Any, told: str
) -> None:
    reply = client.post(PREDICT, json=body)
    assert reply.status_code == 400
    assert told in reply.json()["error"]["what"]
    assert set(reply.json()["error"]) >= {"what", "why", "fix"}
    assert "100,000" not in reply.text  # of another limit than the server's


def test_the_faulty_field_is_there_for_programs(client: Any) -> None:
    error = client.post(PREDICT, json={"row": {"miles": "far", "hour": 7}}).json()["error"]
    assert (error["field"], error["row"]) == ("miles", 0)
    assert error["problems"][0]["field"] == "miles"


def test_unknown_names_paths_and_methods_are_told(client: Any) -> None:
    unknown = client.post("/models/big-tip/predict", json={"row": {}})
    assert unknown.status_code == 404
    assert "Did you mean 'big-tips'" in unknown.json()["error"]["fix"]
    for path in ("/nothing", "/models/a/b/c", "/v2/nothing", "/models"):
        reply = client.post(path)
        assert reply.status_code == 404
        assert "Routes:" in str(reply.json()["error"])
    assert client.get(PREDICT).status_code == 405


def test_bodies_and_batches_have_limits(client: Any, row: dict, monkeypatch: Any) -> None:
    many = client.post(PREDICT, json={"rows": [{}] * 10_001})
    assert many.status_code == 413
    assert "10,001 rows" in many.json()["error"]["what"]
    monkeypatch.setattr("penstock.serving._app.MAX_BODY_BYTES", 100)
    assert client.post(PREDICT, json={"rows": [row] * 50}).status_code == 413


def test_a_description_shows_a_row_that_works(client: Any) -> None:
    described = client.get(f"/models/{MODEL}").json()
    assert described["classes"] == ["no", "yes"]
    assert described["schema"]["required"] == ["miles", "hour"]
    assert client.post(PREDICT, json=described["example"]).status_code == 200


# Truth


def test_truth_joins_its_prediction_even_before_it_was_written(
    client: Any, served: Any, row: dict
) -> None:
    ids = [
        each["prediction_id"]
        for each in client.post(PREDICT, json={"rows": [row, row]}).json()["predictions"]
    ]
    reply = client.post(f"/models/{MODEL}/truth", json={"truth": {ids[0]: "yes", "zzz": "no"}})
    assert reply.json() == {"recorded": 1, "unknown": ["zzz"]}
    assert served.store.metadata.predictions.get(ids[0]).truth == "yes"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"truth": {"x": "yes"}}, 404, "No prediction has the id 'x'"),
        ({"truth": {"x": "y", "z": "yes"}}, 400, "The true value of 'x' is 'y'"),
        ({"truth": {}}, 400, "0 true values"),
        ({"truths": {}}, 400, "unknown field"),
    ],
)
def test_truth_that_cannot_be_joined_is_told(
    client: Any, body: Any, status: int, told: str
) -> None:
    reply = client.post(f"/models/{MODEL}/truth", json=body)
    assert reply.status_code == status
    assert told in reply.json()["error"]["what"]


# Failures of the model


@pytest.fixture
def failing(monkeypatch: Any) -> dict[int, Exception]:
    """Versions fail with these; patched, as the registry takes no model that breaks."""
    errors: dict[int, Exception] = {}
    predict = ServedVersion.predict

    def predict_or_fail(self: ServedVersion, rows: Any, outputs: Any) -> Any:
        if self.version in errors:
            raise errors[self.version]
        return predict(self, rows, outputs)

    monkeypatch.setattr(ServedVersion, "predict", predict_or_fail)
    return errors


def model_error(*, hard: bool = False) -> ModelError:
    from penstock.serving._served_version import Failure

    return ModelError(what="It failed on row 0.", failure=Failure(0, "ValueError: no", hard))


def test_a_model_that_raises_is_a_500_and_is_recorded(
    client: Any, served: Any, row: dict, failing: Any
) -> None:
    failing[1] = model_error()
    reply = client.post(PREDICT, json={"row": row})
    assert reply.status_code == 500
    assert wait_for(lambda: served.store.metadata.predictions.list(MODEL))
    (record,) = served.store.metadata.predictions.list(MODEL)
    assert (record.error, record.prediction, record.inputs) == ("ValueError: no", None, row)


def test_an_unforeseen_fault_is_a_500_without_details(
    client: Any, row: dict, failing: Any, caplog: Any
) -> None:
    failing[1] = RuntimeError("secret path /etc")
    reply = client.post(PREDICT, json={"row": row})
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert "secret path" in caplog.text


def test_slow_answers_are_given_in_threads_and_too_many_are_told_to_come_back(
    served: Any, row: dict, monkeypatch: Any
) -> None:
    release = threading.Event()
    predict = ServedVersion.predict

    def slow(self: ServedVersion, rows: Any, outputs: Any) -> Any:
        release.wait(10)
        return predict(self, rows, outputs)

    monkeypatch.setattr(ServedVersion, "predict", slow)
    monkeypatch.setattr(ServedVersion, "is_quick", lambda _self, _rows: False)
    monkeypatch.setattr("penstock.serving._predictor._MAX_WAITING", 3)
    app = create_app(names=[MODEL], store=served.store)

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            asked = [asyncio.create_task(client.post(PREDICT, json={"row": row})) for _ in range(5)]
            await asyncio.sleep(0.3)
            live = await client.get("/v2/health/live")
            release.set()
            return [live, *await asyncio.gather(*asked)]

    live, *replies = asyncio.run(ask())
    assert live.json() == {"live": True}
    assert sorted(reply.status_code for reply in replies) == [200, 200, 200, 503, 503]
    refused = next(reply for reply in replies if reply.status_code == 503)
    assert refused.headers["retry-after"] == "1"


# Traffic, rollouts and reloading


def test_a_unit_meets_one_version_and_shares_hold(served: Any, row: dict) -> None:
    served.register(0.5)
    rules = RolloutRules(step_requests=10**6)
    deploy(MODEL, canary=(30, 100), rules=rules, store=served.store)
    with TestClient(create_app(names=[MODEL], store=served.store)) as client:
        first = {
            unit: client.post(PREDICT, json={"row": row, "unit": unit}).json()["version"]
            for unit in map(str, range(200))
        }
        again = {
            unit: client.post(PREDICT, json={"row": row, "unit": unit}).json()["version"]
            for unit in first
        }
    assert first == again
    # 200 units at 30 %: 99.9 % lie within 39 to 82.
    assert 39 <= sum(version == 2 for version in first.values()) <= 82


def test_a_canary_that_breaks_is_rolled_back_within_seconds(
    served: Any, row: dict, failing: Any
) -> None:
    served.register(0.5)
    rules = RolloutRules(step_requests=10**6)
    deploy(MODEL, canary=(50, 100), rules=rules, store=served.store)
    failing[2] = model_error()
    with TestClient(create_app(names=[MODEL], poll_s=0.02, store=served.store)) as client:

        def is_back() -> bool:
            client.post(PREDICT, json={"row": row})
            return served.store.metadata.deployments.get(MODEL).weights == {1: 1.0}

        assert wait_for(is_back, 10)
        assert wait_for(lambda: client.get(f"/models/{MODEL}").json()["weights"] == {"1": 1.0})
        assert {client.post(PREDICT, json={"row": row}).status_code for _ in range(30)} == {200}


def test_requests_that_only_the_canary_refuses_count_against_it(served: Any, row: dict) -> None:
    first = served.registry.get(MODEL, 1)
    fields = [{**field, "name": field["name"].upper()} for field in first.signature["inputs"]]
    form, estimator = {**first.signature, "inputs": fields}, served.store.get(first.artifact)
    model = Model(estimator, Signature.from_json(form))
    served.registry.register(MODEL, model, actor="ann")
    deploy(MODEL, version=2, canary=(50, 100), accept_changes="They will move.", store=served.store)
    infer, data = f"/v2/models/{MODEL}/infer", {"shape": [1], "datatype": "FP64", "data": [3.0]}
    with TestClient(create_app(names=[MODEL], poll_s=60, store=served.store)) as client:
        codes = [client.post(PREDICT, json={"row": row}).status_code for _ in range(40)]
        old = [{"name": name, **data} for name in ("miles", "hour")]
        codes += [client.post(infer, json={"inputs": old}).status_code for _ in range(40)]
        assert set(codes) == {200, 400}
        # What both refuse is the caller's doing.
        assert client.post(PREDICT, json={"row": {"town": 1}}).status_code == 400
    counts = served.store.metadata.predictions.count(MODEL)
    refused = codes.count(400)
    assert counts[2] == {"requests": refused, "rows": refused, "errors": refused, "truth": 0}
    assert counts[1]["errors"] == 0
    assert counts[1]["requests"] == codes.count(200)
    record = next(one for one in served.store.metadata.predictions.list(MODEL, version=2))
    assert "refused: " in record.error
    assert "is not an input of this model" in record.error


def test_batches_are_requests_and_one_bad_row_fails_its_batch(served: Any, row: dict) -> None:
    with TestClient(create_app(names=[MODEL], store=served.store)) as client:
        for _ in range(3):
            assert client.post(PREDICT, json={"rows": [row] * 50}).status_code == 200
        bad = client.post(PREDICT, json={"rows": [row] * 49 + [{"miles": "far", "hour": 1}]})
        assert bad.status_code == 400
    counts = served.store.metadata.predictions.count(MODEL)
    # Nobody stands beside the version, so what it refuses is the caller's doing.
    assert counts == {1: {"requests": 3, "rows": 150, "errors": 0, "truth": 0}}


def test_a_canary_that_answers_with_no_number_is_rolled_back_at_once(
    served: Any, row: dict, failing: Any
) -> None:
    served.register(0.5)
    deploy(MODEL, canary=(99, 100), rules=RolloutRules(step_requests=10**6), store=served.store)
    failing[2] = model_error(hard=True)
    with TestClient(create_app(names=[MODEL], poll_s=0.02, store=served.store)) as client:
        # One request in a hundred goes to the control.
        codes = {client.post(PREDICT, json={"row": row}).status_code for _ in range(8)}
        assert 500 in codes
        back = {1: 1.0}
        assert wait_for(lambda: served.store.metadata.deployments.get(MODEL).weights == back)


def test_no_request_fails_during_20_promotions(served: Any, row: dict) -> None:
    served.register(0.5)
    stop, codes, versions = threading.Event(), [], set()
    with TestClient(create_app(names=[MODEL], poll_s=0.01, store=served.store)) as client:

        def ask() -> None:
            while not stop.is_set():
                reply = client.post(PREDICT, json={"row": row})
                codes.append(reply.status_code)
                versions.add(reply.headers.get("x-penstock-model-version"))

        thread = threading.Thread(target=ask)
        thread.start()
        generation = 0
        for place in range(20):
            if place == 0:
                served.promote(2)
            else:
                going = served.registry.champion(MODEL).version
                served.registry.rollback(MODEL, actor="ann", reason="It is meant.", expected=going)
            assert wait_for(
                lambda seen=generation: (
                    client.get(f"/models/{MODEL}").json()["generation"] > seen
                    and client.get(f"/models/{MODEL}").json()["weights"]
                    == {str(served.registry.champion(MODEL).version): 1.0}
                )
            )
            generation = client.get(f"/models/{MODEL}").json()["generation"]
        stop.set()
        thread.join()
    assert set(codes) == {200}
    assert len(codes) > 20
    assert versions == {"1", "2"}


# Metrics


def test_metrics_count_requests_by_version_route_and_code(client: Any, row: dict) -> None:
    for _ in range(3):
        client.post(PREDICT, json={"row": row})
    client.post(PREDICT, json={"row": {}})
    client.post("/models/stranger/predict", json={"row": row})
    text = client.get("/metrics").text
    labels = f'deployment="{MODEL}",route="predict",version="1"'
    assert f'penstock_requests_total{{code="200",{labels}}} 3.0' in text
    assert f'penstock_requests_total{{code="400",{labels}}} 1.0' in text
    assert (
        'penstock_requests_total{code="404",deployment="",route="predict",version=""} 1.0' in text
    )
    assert f'penstock_request_seconds_count{{deployment="{MODEL}",route="predict"}} 4.0' in text
    assert f'penstock_rollout{{deployment="{MODEL}",state="none"}} 1.0' in text
    assert "stranger" not in text
    assert "penstock_log_queue_depth" in text


def test_two_apps_count_apart(served: Any, row: dict) -> None:
    with (
        TestClient(create_app(store=served.store)) as one,
        TestClient(create_app(store=served.store)) as two,
    ):
        one.post(PREDICT, json={"row": row})
        assert "penstock_requests_total{" not in two.get("/metrics").text


def test_only_known_host_names_are_answered(served: Any) -> None:
    app = create_app(allowed_hosts=["127.0.0.1", "localhost"], store=served.store)
    with TestClient(app) as client:
        stranger = client.get("/v2/health/live", headers={"host": "evil.example:8000"})
        assert stranger.status_code == 400
        assert "evil.example" in stranger.text
        for host in ("localhost:8000", "127.0.0.1"):
            assert client.get("/v2/health/live", headers={"host": host}).status_code == 200


def test_paths_are_answered_alike_straight_and_through_litestar(
    client: Any, row: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [PREDICT, f"{PREDICT}/", f"/models//{MODEL}/predict", f"/./{PREDICT}", "/metrics"]
    paths += [f"/models/{MODEL}/none", "/models/a/predict", "/models", "/v2/health/live", "/x/y"]
    paths += [f"/v2/models/{MODEL}", "/models/a%2Fb/predict", "/models/%2e%2e/predict"]

    def answers() -> list[tuple[Any, ...]]:
        found = [client.post(path, json={"row": row}) for path in paths]
        found += [client.get(path) for path in paths]
        strange = {"host": "a b<c>"}
        found += [client.post(path, json={"row": row}, headers=strange) for path in paths]
        kinds = [(each.status_code, each.headers["content-type"]) for each in found]
        return [*kinds, found[0].json()["predictions"][0]["score"]]

    straight = answers()
    assert straight[0] == (200, "application/json")
    monkeypatch.setattr("penstock.serving._app._PLAIN_PATH", re.compile("-"))
    assert answers() == straight


# Fuzz

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rows", "row", "unit", "miles", "hour", "truth", "inputs", "shape"])
            | st.text(max_size=3),
            children,
            max_size=4,
        )
    ),
    max_leaves=12,
)
TENSORS = st.fixed_dictionaries(
    {
        "inputs": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["miles", "hour", "x"]),
                    "shape": st.lists(st.integers(-2, 3), max_size=3),
                    "datatype": st.sampled_from(["FP64", "INT64", "BYTES", "BOOL", "FP8"]),
                    "data": st.lists(JSON_VALUES, max_size=3),
                }
            ),
            max_size=3,
        )
    }
)
PATHS = (PREDICT, f"/models/{MODEL}/truth", f"/v2/models/{MODEL}/infer")


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=JSON_VALUES | TENSORS, path=st.sampled_from(PATHS))
def test_no_json_body_is_a_5xx(client: Any, body: Any, path: str) -> None:
    try:
        reply = client.post(path, json=body)
    except (ValueError, UnicodeEncodeError):  # httpx cannot send it
        return
    assert reply.status_code < 500, reply.text
    assert reply.status_code == 200 or "error" in reply.json()


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=st.binary(max_size=60), path=st.sampled_from(PATHS))
def test_no_bytes_are_a_5xx(client: Any, body: bytes, path: str) -> None:
    assert 400 <= client.post(path, content=body).status_code < 500


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"row":' * 50_000,
        b'{"row": {"miles": 1e999, "hour": 1}}',
        b'{"row": {"miles": NaN, "hour": 1}}',
        b'{"row": {"miles": 1' + b"0" * 5_000 + b', "hour": 1}}',
        b'{"row": {"miles": "\\ud800", "hour": 1}}',
        b'{"truth": {"\xff": 1}}',
        b'{"inputs":[{"name":"m","shape":[1,2],"datatype":"FP64","data":'
        + b"[" * 5_000
        + b"]" * 5_000
        + b"}]}",
        b"",
        b"\x00",
    ],
    ids=range(10),
)
def test_hostile_bodies_are_a_4xx(client: Any, path: str, body: bytes) -> None:
    assert 400 <= client.post(path, content=body).status_code < 500
