"""Traces of the real MLflow client, and spans as OpenTelemetry's exporters send them."""

import base64
import gzip
import json
import struct
from typing import Any

import pytest

from penstock.tracking import get_trace, list_traces, read_span_facts

TRACE_ID, SPAN_ID = bytes(range(16)), bytes(range(8))


def a_span(**changed):
    """A span in OTLP's JSON."""
    return {
        "traceId": TRACE_ID.hex(),
        "spanId": SPAN_ID.hex(),
        "name": "ask",
        "kind": 1,
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001500000000",
        "attributes": [
            {"key": "size", "value": {"intValue": "-7"}},
            {"key": "share", "value": {"doubleValue": 0.5}},
            {"key": "words", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
        ],
        "status": {"code": "STATUS_CODE_OK"},
        **changed,
    }


def a_request(*spans):
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": list(spans)}]}]}


def send(api, *spans, experiment="0", **headers):
    return api.post(
        "/v1/traces",
        content=json.dumps(a_request(*spans)),
        headers={
            "content-type": "application/json",
            "x-mlflow-experiment-id": experiment,
            **headers,
        },
    )


def field(number, data):
    size, rest = b"", len(data)
    while rest > 0x7F:
        size, rest = size + bytes([rest & 0x7F | 0x80]), rest >> 7
    return bytes([number << 3 | 2]) + size + bytes([rest]) + data


def fixed64(number, value):
    return bytes([number << 3 | 1]) + struct.pack("<Q", value)


def test_a_decorated_function_is_a_trace_that_the_client_finds_again(client, server):
    found = client(
        """
import time
mlflow.set_experiment("assistant")

@mlflow.trace(span_type="TOOL", attributes={"index": "docs"})
def look_up(word):
    return {"hits": [word, word]}

@mlflow.trace
def answer(question):
    with mlflow.start_span("think") as span:
        span.set_inputs({"question": question})
        span.set_outputs(["well"])
    return look_up(question)["hits"][0]

answer("why")
trace_id = mlflow.get_last_active_trace_id()
mlflow.flush_trace_async_logging()
trace = mlflow.get_trace(trace_id)
listed = mlflow.search_traces(return_type="list")
mlflow.set_trace_tag(trace_id, "seen", "yes")
result = {
    "id": trace_id,
    "spans": [(s.name, s.span_type, s.parent_id is None, s.inputs, s.outputs) for s in trace.data.spans],
    "state": str(trace.info.state), "request": trace.info.request_preview,
    "listed": [(t.info.trace_id, len(t.data.spans)) for t in listed],
    "tagged": [t.info.trace_id for t in mlflow.search_traces(
        filter_string="tags.seen = 'yes' AND trace.status = 'OK'", return_type="list")],
    "none": len(mlflow.search_traces(filter_string="tags.seen = 'no'", return_type="list")),
    "place": trace.info.tags["mlflow.trace.spansLocation"],
}
"""
    )
    assert found["spans"] == [
        ["answer", "UNKNOWN", True, {"question": "why"}, "why"],
        ["think", "UNKNOWN", False, {"question": "why"}, ["well"]],
        ["look_up", "TOOL", False, {"word": "why"}, {"hits": ["why", "why"]}],
    ]
    assert found["listed"] == [[found["id"], 3]]
    assert found["tagged"] == [found["id"]]
    assert found["none"] == 0
    assert found["place"] == "TRACKING_STORE"
    assert found["state"].endswith("OK")
    trace = get_trace(found["id"], store=server.store)
    assert (trace.experiment, trace.name, trace.state) == ("assistant", "answer", "OK")
    assert [(span.name, span.depth) for span in trace.spans] == [
        ("answer", 0),
        ("think", 1),
        ("look_up", 1),
    ]
    assert trace.spans[2].outputs == {"hits": ["why", "why"]}
    assert trace.spans[2].attributes["index"] == "docs"


def test_an_error_within_a_run_is_seen_and_deleted(client, server):
    found = client(
        """
experiment = mlflow.set_experiment("failing")

@mlflow.trace
def fail():
    raise ValueError("no such thing")

with mlflow.start_run() as run:
    try:
        fail()
    except ValueError:
        pass
mlflow.flush_trace_async_logging()
[trace] = mlflow.search_traces(return_type="list", run_id=run.info.run_id)
result = {
    "id": trace.info.trace_id, "state": str(trace.info.state), "run": run.info.run_id,
    "event": trace.data.spans[0].events[0].attributes["exception.message"],
}
"""
    )
    assert found["state"].endswith("ERROR")
    assert found["event"] == "no such thing"
    [trace] = list_traces("failing", run_id=found["run"], store=server.store)
    assert (trace.trace_id, trace.state) == (found["id"], "ERROR")
    client(
        "experiment = mlflow.get_experiment_by_name('failing').experiment_id\n"
        f"result = client.delete_traces(experiment, trace_ids=[{found['id']!r}])"
    )
    assert list_traces("failing", store=server.store) == []


def test_spans_of_any_exporter_make_a_trace(api, store):
    child = a_span(
        spanId="ff" * 8,
        parentSpanId=SPAN_ID.hex(),
        name="inner",
        status={"code": 2, "message": "x"},
    )
    assert send(api, child).status_code == 200
    [trace] = list_traces(store=store)
    assert trace.state == "IN_PROGRESS"
    assert send(api, a_span()).status_code == 200
    trace = get_trace(f"tr-{TRACE_ID.hex()}", store=store)
    assert (trace.name, trace.state, trace.seconds) == ("ask", "OK", 1.5)
    assert [(span.name, span.depth, span.state) for span in trace.spans] == [
        ("ask", 0, "ok"),
        ("inner", 1, "error"),
    ]
    assert trace.spans[0].attributes == {"size": -7, "share": 0.5, "words": ["a"]}


def test_protobuf_says_the_same_as_json(api, store):
    integer = field(1, b"size") + field(2, b"\x18" + b"\xf9" + b"\xff" * 8 + b"\x01")
    double = field(1, b"share") + field(2, b"\x21" + struct.pack("<d", 0.5))
    words = field(1, b"words") + field(2, field(5, field(1, field(1, b"a"))))
    span = (
        field(1, TRACE_ID)
        + field(2, SPAN_ID)
        + field(5, b"ask")
        + b"\x30\x01"
        + fixed64(7, 1_700_000_000_000_000_000)
        + fixed64(8, 1_700_000_001_500_000_000)
        + b"".join(field(9, each) for each in (integer, double, words))
        + field(15, b"\x18\x01")
    )
    body = field(1, field(2, field(2, span)))
    answer = api.post(
        "/v1/traces",
        content=gzip.compress(body),
        headers={
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
            "x-mlflow-experiment-id": "0",
        },
    )
    assert (answer.status_code, answer.content) == (200, b"")
    sent = get_trace(f"tr-{TRACE_ID.hex()}", store=store)
    assert send(api, a_span()).status_code == 200
    assert get_trace(f"tr-{TRACE_ID.hex()}", store=store) == sent


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"\x0a\x7f", b"\x0b", b"\x08\x01", b"\x0a\x02\x12\x7f", b"\x80" * 12, b"\x12" * 400],
)
def test_bytes_that_are_no_spans_are_refused_or_say_nothing(api, store, body):
    headers = {"content-type": "application/x-protobuf", "x-mlflow-experiment-id": "0"}
    assert api.post("/v1/traces", content=body, headers=headers).status_code in {200, 400}
    assert list_traces(store=store) == []


@pytest.mark.parametrize(
    "span",
    [{}, {"name": 5}, {"traceId": "zz"}, {"traceId": "00", "spanId": "01"}, {"attributes": 3}],
)
def test_spans_without_their_ids_are_refused(api, store, span):
    assert send(api, span).status_code == 400
    assert list_traces(store=store) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"startTimeUnixNano": "-5000000"},
        {"startTimeUnixNano": str(10**30)},
        {"endTimeUnixNano": float("inf")},
        {"attributes": [{"key": "size", "value": {"intValue": str(2**63)}}]},
    ],
)
def test_numbers_that_no_span_holds_are_refused_and_break_no_list(api, store, changed):
    assert send(api, a_span(**changed)).status_code == 400
    assert send(api, a_span()).status_code == 200
    assert [each.seconds for each in list_traces(store=store)] == [1.5]


def test_values_nested_without_end_are_refused(api):
    value: dict = {"stringValue": "x"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    assert send(api, a_span(attributes=[{"key": "k", "value": value}])).status_code == 400


def test_spans_need_an_experiment_that_is_there(api):
    assert send(api, a_span(), experiment="").status_code == 400
    assert send(api, a_span(), experiment="77").status_code == 404


def test_a_span_that_comes_twice_is_there_once(api, store):
    for _ in range(3):
        assert send(api, a_span()).status_code == 200
    assert len(get_trace(f"tr-{TRACE_ID.hex()}", store=store).spans) == 1


def test_what_the_client_says_of_a_trace_counts_more_than_its_spans(api, store):
    trace_id = f"tr-{TRACE_ID.hex()}"
    info = {
        "trace_id": trace_id,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": "0"},
        },
        "request_time": "2026-01-31T10:00:00.250Z",
        "execution_duration": "2.5s",
        "state": "ERROR",
        "tags": {"mlflow.traceName": "named"},
    }
    said = api.post("/api/3.0/mlflow/traces", json={"trace": {"trace_info": info}})
    assert said.status_code == 200
    assert "mlflow.trace.spansLocation" not in said.json()["trace"]["trace_info"]["tags"]
    assert send(api, a_span()).status_code == 200
    found = api.get(f"/api/3.0/mlflow/traces/{trace_id}").json()["trace"]["trace_info"]
    assert found["request_time"] == "2026-01-31T10:00:00.250Z"
    assert (found["execution_duration"], found["state"]) == ("2.500s", "ERROR")
    assert found["tags"]["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    trace = get_trace(trace_id, store=store)
    assert (trace.name, trace.seconds, len(trace.spans)) == ("named", 2.5, 1)
    whole = api.get("/api/3.0/mlflow/traces/get", params={"trace_id": trace_id}).json()["trace"]
    assert base64.b64decode(whole["spans"][0]["trace_id"]) == TRACE_ID


def test_traces_are_searched_in_pages(api):
    for number in range(5):
        send(api, a_span(traceId=f"{number:032x}", startTimeUnixNano=f"17000000000{number}0000000"))
    location = {"mlflow_experiment": {"experiment_id": "0"}}
    asked = {"locations": [location], "max_results": 2, "order_by": ["timestamp_ms ASC"]}
    seen, token = [], None
    while True:
        sent = asked | ({"page_token": token} if token else {})
        answer = api.post("/api/3.0/mlflow/traces/search", json=sent)
        seen += [each["trace_id"] for each in answer.json()["traces"]]
        token = answer.json().get("next_page_token")
        if not token:
            break
    assert seen == [f"tr-{number:032x}" for number in range(5)]


def test_a_search_that_cannot_be_read_is_refused(api):
    asked = {"locations": [], "filter": "status = 'OK' OR status = 'ERROR'"}
    assert api.post("/api/3.0/mlflow/traces/search", json=asked).status_code == 400


def test_traces_are_found_by_what_their_spans_say(client, server):
    found = client(
        """
mlflow.set_experiment("spans to search")

@mlflow.trace(span_type="TOOL", attributes={"index": "docs", "depth": 3})
def look_up(word):
    if word == "nothing":
        raise ValueError("no hits")
    return [word]

@mlflow.trace
def answer(question):
    return look_up(question)

answer("Größe 100%")
try:
    answer("nothing")
except ValueError:
    pass
mlflow.flush_trace_async_logging()

def search(text):
    rows = mlflow.search_traces(filter_string=text, return_type="list")
    return [json.loads(row.data.request)["question"] for row in rows]

import json
result = [search(text) for text in (
    "span.name = 'look_up' AND span.status = 'ERROR'",
    "span.name = 'look_up' AND span.status = 'OK'",
    "span.type = 'TOOL' AND span.name = 'answer'",
    "span.type IN ('TOOL', 'LLM') AND span.attributes.index = 'docs' AND span.status != 'ERROR'",
    "span.attributes.depth LIKE '3' AND span.status = 'ERROR'",
    "span.content ILIKE '%grö\u00dfe%'",
    "trace.text LIKE '%no hits%'",
    "trace.text LIKE '%no hits%' AND trace.status = 'OK'",
)]
result.append([refusal(client.search_traces, ["0"], filter_string="span.size = 'x'"),
               refusal(client.search_traces, ["0"], order_by=["span.name ASC"])])
"""
    )
    good, bad = "Größe 100%", "nothing"
    assert found == [
        [bad],
        [good],
        [],
        [good],
        [bad],
        [good],
        [bad],
        [],
        ["INVALID_PARAMETER_VALUE", "INVALID_PARAMETER_VALUE"],
    ]


_CONVENTIONS = """
import json
from mlflow.tracing.otel.translation.genai_semconv import GenAiTranslator
from mlflow.tracing.otel.translation.open_inference import OpenInferenceTranslator
from mlflow.tracing.otel.translation.traceloop import TraceloopTranslator

def read(value):
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value

def told(attributes):
    kinds = [GenAiTranslator(), OpenInferenceTranslator(), TraceloopTranslator()]
    def first(name):
        values = (read(getattr(each, name)(attributes)) for each in kinds)
        return next((value for value in values if value is not None), None)
    return [first(name) for name in (
        "translate_span_type", "get_input_value", "get_output_value", "get_model_name",
        "get_input_tokens", "get_output_tokens")]

result = [told(each) for each in sent]
"""


def test_attributes_of_other_libraries_mean_what_they_mean_to_mlflow(client):
    sent: list[dict[str, Any]] = [
        {"gen_ai.operation.name": kind, "gen_ai.input.messages": '[{"role": "user"}]'}
        for kind in ("chat", "embeddings", "execute_tool", "invoke_agent", "text_completion")
    ]
    sent += [
        {"openinference.span.kind": kind, "input.value": "Hi", "output.value": '{"a": 1}',
         "llm.model_name": "m", "llm.token_count.prompt": 3, "llm.token_count.completion": 4}
        for kind in ("TOOL", "CHAIN", "LLM", "RETRIEVER", "RERANKER", "GUARDRAIL", "EVALUATOR")
    ]  # fmt: skip
    sent += [
        {"traceloop.span.kind": kind, "traceloop.entity.input": "[1]",
         "gen_ai.completion.0.content": "b", "gen_ai.usage.prompt_tokens": 2}
        for kind in ("workflow", "task", "agent", "tool")
    ]  # fmt: skip
    found = [read_span_facts(each) for each in sent]
    ours = [
        [
            None if each.kind == "UNKNOWN" else each.kind,
            *(each.inputs, each.outputs, each.model or None),
            *(each.tokens.get("input"), each.tokens.get("output")),
        ]
        for each in found
    ]
    assert ours == client(_CONVENTIONS, sent=sent)
