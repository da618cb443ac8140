"""Whatever is sent to any API: never 5xx, no wait without end, no traceback, no 200 for nonsense.

`make test` sends some hundreds to each, always the same; PENSTOCK_FUZZED=25000 sends that many to each.
"""

import asyncio
import gzip
import logging
import random
import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from tests.hunting import SEED, length
from tests.server.fuzzing import (
    HOST,
    JSON,
    TEXTS,
    Answered,
    Sent,
    answer_to,
    bent,
    fitting,
    is_json,
    numbered,
    odd,
    write,
)
from tests.serving.conftest import MODEL, World

from penstock.core import ANY_PROJECT, DocumentRecord, Identity, Permission, RunState, now
from penstock.people import create_first_admin
from penstock.registry import Registry
from penstock.server import create_server, describe_api
from penstock.server.api import create_api
from penstock.server.mlflow._fields import Fields
from penstock.server.mlflow._routes import ROUTES
from penstock.server.ui._actions import ACTIONS, Form
from penstock.server.ui._app import _DATA, _OTHER_PAGES, _PAGES
from penstock.server.ui._page import Query
from penstock.server.ui._people import PEOPLE_ACTIONS
from penstock.serving import create_app
from penstock.stores import check_store, open_store
from penstock.stores.rest import operations
from penstock.testing._records import a_run, a_version
from penstock.tracking import EVALUATION_SET

COUNT = length(200, 5_000, name="PENSTOCK_FUZZED")
FORM = (b"content-type", b"application/x-www-form-urlencoded")
ORIGIN = (b"origin", b"http://127.0.0.1")
_REFERENCES = {"reference", "bytes", "orphan"}
PARTS = describe_api()["components"]["schemas"]
CALLS = [operation for verbs in operations().values() for operation in verbs.values()]
SERVED = (
    f"/models/{MODEL}/predict", f"/models/{MODEL}/truth", f"/v2/models/{MODEL}/infer",
    f"/v2/models/{MODEL}/versions/1/infer",
    *([f"/models/{MODEL}/explain"] if find_spec("shap") else []),  # 501 without it
)  # fmt: skip


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        opened.metadata.runs.create(a_run(run_id="r1", experiment="m", state=RunState.RUNNING))
        opened.metadata.models.create_version(a_version(model="m"), actor="ada")
        yield opened


@pytest.fixture
def server(store):
    return create_server(store=store)


def owner(_call):
    """Whoever asks may do everything: users that requests add would lock all others out."""
    return Identity("owner", {ANY_PROJECT: frozenset(Permission)}, attested="token owner")


class Known:
    """Names of fields by what reads them, learnt from what it looks for."""

    def __init__(self) -> None:
        self.by_route: dict[str, set[str]] = {}
        self.route = ""

    def watch(self, monkeypatch: pytest.MonkeyPatch, kind: type, *methods: str) -> None:
        for method in methods:
            read = getattr(kind, method)

            def noted(of: Any, name: str, *rest: Any, _read: Any = read, **named: Any) -> Any:
                self.by_route.setdefault(self.route, set()).add(name)
                return _read(of, name, *rest, **named)

            monkeypatch.setattr(kind, method, noted)

    def draw(self, route: str, dice: random.Random, value: Any) -> dict[str, Any]:
        self.route = route
        names = sorted(self.by_route.get(route, ()))
        chosen = {name: value(name) for name in names if dice.random() < 0.7}
        return chosen | ({"x": value("x")} if dice.random() < 0.1 else {})


async def bombard(app: Any, draw: Any, *, least_accepted: float) -> None:
    """Send what is drawn; some must get as far as the work itself, or nothing is shown."""
    accepted = 0
    for number, dice in numbered(SEED, COUNT):
        sent = draw(dice)
        if dice.random() < 0.2:
            sent = bent(sent, dice)
        try:
            answer = await answer_to(app, sent)
        except Exception as error:
            raise AssertionError(f"{number}: {sent}") from error
        accepted += answer.status < 300
        judge(number, sent, answer)
    assert accepted >= least_accepted * COUNT, accepted


def judge(number: int, sent: Sent, answer: Answered) -> None:
    told = f"{number}: {sent}\n{answer.status} {answer.body[:2000]!r}"
    assert 200 <= answer.status < 500, told
    assert b"Traceback" not in answer.body, told
    assert b"sqlalchemy" not in answer.body.lower(), told
    kind = answer.headers.get(b"content-type", b"")
    if kind.startswith(b"application/json") and answer.body:
        assert is_json(answer.body), told
    json_sent = dict(sent.headers).get(b"content-type") == b"application/json"
    is_artifact = "/mlflow-artifacts/" in sent.path
    if answer.status < 300 and sent.method in {"POST", "PUT", "PATCH"} and json_sent and sent.body:
        assert is_artifact or is_json(sent.body), told


@pytest.fixture(autouse=True)
def _no_traceback_in_a_log(caplog):
    with caplog.at_level(logging.WARNING):
        yield
    for record in caplog.records:
        assert record.exc_info is None, caplog.text[-5000:]
        assert record.levelno < logging.ERROR, caplog.text[-5000:]


@pytest.fixture(autouse=True)
def _no_half_written_record(store):
    yield
    # References to what is nowhere are what somebody with the permission to write may write.
    faults = [fault for fault in check_store(store=store) if fault.kind not in _REFERENCES]
    assert faults == []


def test_nothing_makes_the_api_fail(store):
    api = create_api(authenticate=owner, store=store)

    def draw(dice: random.Random) -> Sent:
        operation = dice.choice(CALLS)
        body = fitting(operation.body, PARTS, dice)
        if operation.rule.only_reads and dice.random() < 0.3 and isinstance(body, dict):
            query = {k: v if isinstance(v, str) else write(v) for k, v in body.items()}
            return Sent("GET", f"/api/v1/{operation.path}", in_query(query))
        data = write(body).encode("utf-8", "surrogatepass")
        return Sent("POST", f"/api/v1/{operation.path}", body=data)

    asyncio.run(bombard(api, draw, least_accepted=0.02))


TRACE_INFO = {"trace_id": "tr-1", "request_time": "2026-01-01T00:00:00Z", "state": "OK",
              "trace_location": {"mlflow_experiment": {"experiment_id": "0"}}}  # fmt: skip
SAID = {"assessment_name": "good", "feedback": {"value": True}, "source": {"source_type": "HUMAN"}}
PLACES = {
    "{model_id:str}": "m-1", "{trace_id:str}": "tr-1", "{assessment_id:str}": "a-1",
    "{dataset_id:str}": "d-1", "{tag_key:path}": "k",
}  # fmt: skip
STARTS = (
    ("/api/3.0/mlflow/traces", {"trace": {"trace_info": TRACE_INFO | {"assessments": [SAID | {"assessment_id": "a-1"}]}}}),
    ("/api/3.0/mlflow/scorers/register", {"experiment_id": "0", "name": "m", "serialized_scorer": "{}"}),
)  # fmt: skip


def plausible(dice: random.Random, name: str) -> Any:
    """Return a value that MLflow's client could send for a field; sometimes none that it could."""
    if dice.random() < 0.3:
        return odd(dice)
    known: dict[str, tuple[Any, ...]] = {
        "run_id": ("r1",), "run_uuid": ("r1",), "experiment_id": ("0", "1"), "experiment_ids": (["0"], ["0", "1"]),
        "name": ("m", "new", "m2"), "version": ("1", "2"), "stage": ("Staging", "Archived", "None"),
        "max_results": (1, 10, 1000), "timestamp": (1, 10**12), "start_time": (1,), "end_time": (1,), "step": (0, 1, -1),
        "status": ("RUNNING", "FINISHED", "FAILED"), "value": (1.5, "NaN", "a"), "key": ("k", "loss"), "alias": ("a",),
        "metrics": ([{"key": "a", "value": 1, "timestamp": 1, "step": 0}],), "params": ([{"key": "a", "value": "b"}],),
        "tags": ([{"key": "a", "value": "b"}],), "order_by": (["metrics.a desc"], ["start_time"]), "source": ("s3://a/b",),
        "filter": ("metrics.a > 1", "name = 'm'", "tags.a = 'b'"), "page_token": ("", "eyJvZmZzZXQiOiAxfQ=="),
        "path": ("a", "a/b"), "datasets": ([{"dataset": {"name": "d", "digest": "1", "source_type": "local",
                                                        "source": "s"}, "tags": []}],), "run_name": ("r",),
        "run_ids": (["r1"],), "metric_key": ("loss",), "new_name": ("m3",), "model_id": ("m-1",),
        "trace": ({"trace_info": TRACE_INFO},), "trace_id": ("tr-1",), "trace_ids": (["tr-1"],),
        "assessment": (SAID, {**SAID, "overrides": "a-1"}), "update_mask": ("feedback", "rationale,metadata"),
        "locations": ([TRACE_INFO["trace_location"]],), "prompt_versions": ([{"name": "p", "version": "1"}],),
        "filter_string": ("name = 'd'",), "filter_string1": ("status = 'OK'", "feedback.good > 1"),
        "filter_string2": ("feedback.good = 'true'", "span.name = 'a'"), "dataset_record_ids": (["dr-1"],),
        "records": ('[{"inputs": {"q": 1}}]', '[{"inputs": {}, "outputs": 1, "source": {"source_type": "TRACE"}}]', "["),
        "serialized_scorer": ("{}",), "scorer_ids": (["s"],),
    }  # fmt: skip
    return dice.choice(known.get(name) or TEXTS[:20])


def test_nothing_makes_mlflows_protocol_fail(server, store, monkeypatch):
    known = Known()
    known.watch(monkeypatch, Fields, "_one", "_list")
    files = "/api/2.0/mlflow-artifacts/artifacts"
    for path, fields in STARTS:
        answer = asyncio.run(answer_to(server, Sent("POST", path, body=write(fields).encode())))
        assert answer.status == 200, answer.body
    body = {"name": "d", "tags": {}, "experiment_ids": ["0"], "created_ms": 0, "updated_ms": 0,
            "created_by": "", "updated_by": "", "schema": "", "digest": "0"}  # fmt: skip
    store.metadata.documents.add([DocumentRecord(EVALUATION_SET, "d-1", "", now(), body)])

    def draw(dice: random.Random) -> Sent:
        if dice.random() < 0.1:
            place = dice.choice(
                ("/0/r1/artifacts/a", "/a", "/0/models/m-1/artifacts/b", "/0/r1/artifacts", "")
            )
            name = files + place + dice.choice(("", "/" + dice.choice(TEXTS)))
            return Sent(
                dice.choice(("GET", "PUT", "DELETE")),
                name,
                in_query({"path": dice.choice(TEXTS)}),
                body=b"x",
            )
        route = dice.choice(ROUTES)
        fields = known.draw(
            f"{route.method} {route.path}", dice, lambda name: plausible(dice, name)
        )
        path = re.sub(
            r"\{\w+(:\w+)?\}",
            lambda part: dice.choice((PLACES[part[0]], "0", quote_any(dice.choice(TEXTS)[:200]))),
            route.path,
        )
        if route.method == "GET":
            return Sent("GET", f"/api/{route.version}/mlflow{path}", in_query(fields))
        body = write(fields).encode("utf-8", "surrogatepass")
        return Sent(route.method, f"/ajax-api/{route.version}/mlflow{path}", body=body)

    asyncio.run(bombard(server, draw, least_accepted=0.02))


def span(dice: random.Random) -> dict[str, Any]:
    """Return a span of OpenTelemetry's JSON, mostly."""
    good = {"traceId": "0a" * 16, "spanId": "0b" * 8, "parentSpanId": "", "name": "ask", "kind": 1,
            "startTimeUnixNano": "5", "endTimeUnixNano": "9", "status": {"code": 1}, "events": [], "links": [],
            "attributes": [{"key": "mlflow.spanType", "value": {"stringValue": "LLM"}}]}  # fmt: skip
    return {name: value if dice.random() < 0.9 else odd(dice) for name, value in good.items()}


def test_nothing_makes_the_route_of_spans_fail(server):
    def draw(dice: random.Random) -> Sent:
        spans = {"resourceSpans": [{"scopeSpans": [{"spans": [span(dice) for _ in range(2)]}]}]}
        data = write(spans if dice.random() < 0.9 else odd(dice)).encode("utf-8", "surrogatepass")
        headers = [
            HOST,
            (b"x-mlflow-experiment-id", dice.choice((b"0", b"0", b"0", b"-1", b"\xff"))),
        ]
        if dice.random() < 0.5:
            return Sent("POST", "/v1/traces", headers=(*headers, JSON), body=data)
        binary = (b"content-type", b"application/x-protobuf")
        packed = dice.choice((gzip.compress(dice.randbytes(40)), gzip.compress(data)[:-9], data))
        body = dice.choice((b"", b"\x0a\x00", dice.randbytes(30), b"\x0a" * 3000, packed))
        encoding = [(b"content-encoding", b"gzip")] if body is packed else []
        return Sent("POST", "/v1/traces", headers=(*headers, binary, *encoding), body=body)

    asyncio.run(bombard(server, draw, least_accepted=0.02))


def in_query(fields: dict[str, Any]) -> bytes:
    pairs = []
    for name, value in fields.items():
        many = value if isinstance(value, list) else [value]
        pairs += [(quote_any(name), quote_any(v if isinstance(v, str) else write(v))) for v in many]
    return "&".join(f"{name}={value}" for name, value in pairs).encode()


def quote_any(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"))


async def form_token(server: Any, headers: Sequence[tuple[bytes, bytes]]) -> str:
    page = await answer_to(server, Sent("GET", "/models/m", headers=headers))
    found = re.search(rb'name="form_token" value="([^"]+)"', page.body)
    assert found, page.body[:3000]
    return found[1].decode()


def test_nothing_makes_a_page_or_form_fail(store, server, monkeypatch):
    admin = create_first_admin(store=store)
    assert admin is not None
    bearer = f"Bearer {admin.secret.reveal()}".encode()
    headers = (HOST, (b"authorization", bearer))
    known = Known()
    known.watch(monkeypatch, Form, "text")
    known.watch(monkeypatch, Query, "text", "texts")
    token = asyncio.run(form_token(server, headers))
    pages, forms = (
        [*_PAGES, *_OTHER_PAGES, *_DATA, "/runs/{run_id:str}/artifact"],
        [*ACTIONS, *PEOPLE_ACTIONS, "/do/sign-in"],
    )
    names = (
        "r1",
        "m",
        "ada",
        "default",
        "1",
        "run:r1",
        "version:m@1",
        "staging",
        "none",
        "admin",
        "reason",
    )

    def value(dice: random.Random) -> str:
        return dice.choice(names if dice.random() < 0.6 else TEXTS)

    def draw(dice: random.Random) -> Sent:
        if dice.random() < 0.5:
            page = dice.choice(pages)
            path = re.sub(r"\{\w+:\w+\}", lambda _: value(dice).replace("/", "-"), page)
            fields = known.draw(page, dice, lambda _: value(dice))
            return Sent("GET", path, in_query(fields), headers=headers)
        form = dice.choice(forms)
        fields = known.draw(form, dice, lambda _: value(dice)) | {"form_token": token}
        body = urlencode(
            {k: v.encode("utf-8", "surrogatepass") for k, v in fields.items()}
        ).encode()
        return Sent("POST", form, headers=(*headers, FORM, ORIGIN), body=body)

    asyncio.run(bombard(server, draw, least_accepted=0.02))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of shap, with its plots
def test_nothing_makes_the_model_server_fail(store):
    world = World(store, Registry(store=store))
    world.register()
    world.promote(1)
    model_server = create_app(names=[MODEL], store=store)
    row = {"miles": 3.2, "hour": 7}

    def draw(dice: random.Random) -> Sent:
        def cell(good: Any) -> Any:
            return good if dice.random() < 0.8 else odd(dice)

        path = dice.choice(SERVED)
        rows = [
            {name: cell(good) for name, good in row.items()} for _ in range(dice.randrange(1, 3))
        ]
        tensor = {"name": cell("miles"), "datatype": cell(dice.choice(("FP64", "INT64", "BYTES", "BOOL", "FP16"))),
                  "shape": cell([len(rows), 1]), "data": cell([3.2] * len(rows))}  # fmt: skip
        second = {**tensor, "name": "hour", "datatype": "INT64", "data": cell([7] * len(rows))}
        body: dict[str, Any] = {
            "predict": {"rows": cell(rows)} if dice.random() < 0.7 else {"row": cell(rows[0]), "unit": cell("u")},
            "explain": {"row": cell(rows[0])},
            "truth": {"prediction_id": cell("p"), "truth": cell("yes")},
            "infer": {"inputs": cell([tensor, second]), "id": cell("1"), "parameters": cell({})},
        }[path.rpartition("/")[2]]  # fmt: skip
        body |= {dice.choice(TEXTS[:9]): odd(dice)} if dice.random() < 0.1 else {}
        return Sent("POST", path, body=write(body).encode("utf-8", "surrogatepass"))

    asyncio.run(bombard(model_server, draw, least_accepted=0.02))
