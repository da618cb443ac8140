"""MLflow's calls on traces, and spans as OpenTelemetry's exporters send them.

A client sends spans as they end, and what it says of the whole trace at the end; both come in any
order, and may come twice. Spans of other OpenTelemetry exporters come alone: then the trace is what
they say.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from penstock.core import DocumentRecord, now
from penstock.server.mlflow import _assessments as assessments
from penstock.server.mlflow._desk import Desk, to_ms
from penstock.server.mlflow._errors import invalid, missing
from penstock.server.mlflow._fields import Fields, compact
from penstock.server.mlflow._kinds import LINK
from penstock.server.mlflow._otlp import plain_attributes
from penstock.server.mlflow._rules import TAG_LENGTH, check_experiment_id, check_key
from penstock.server.mlflow._times import read_time, write_time
from penstock.tracking import SPAN, TRACE, read_span_facts

_MOST_IDS = 500
_TRACE_ID = re.compile(r"[\w.\-]{1,250}")
_STATES = dict(enumerate(("STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS")))
NAME_TAG = "mlflow.traceName"
_PLACE_TAG, _FOLDER_TAG = "mlflow.trace.spansLocation", "mlflow.artifactLocation"
_REQUEST_ID = "mlflow.traceRequestId"
RUN_KEY = "mlflow.sourceRun"
_PROMPTS = "mlflow.linkedPrompts"
_PREVIEW = 1000
_SECONDS = re.compile(r"(-?\d+)(?:\.(\d{1,9}))?s")


def start_trace(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Record what a client says of a trace; called at its end."""
    sent = fields.part("trace").part("trace_info")
    trace_id = _trace_id(sent.require("trace_id"))
    place = sent.part("trace_location").part("mlflow_experiment")
    experiment_id = _open_experiment(desk, place.require("experiment_id"))
    tags = _texts(sent, "tags")
    body = {
        "client_request_id": sent.text("client_request_id"),
        "request_preview": sent.text("request_preview"),
        "response_preview": sent.text("response_preview"),
        "request_time_ms": read_time(sent.require("request_time"), "request_time"),
        "duration_ms": _read_duration(sent.text("execution_duration")),
        "state": _read_state(sent.choice("state", _STATES)),
        "metadata": _texts(sent, "trace_metadata"),
        "told": True,
    }
    saved = _upsert(
        desk, trace_id, experiment_id, lambda old: body | {"tags": {**old["tags"], **tags}}
    )
    assessments.add_told(desk, trace_id, sent.parts("assessments"))
    return {"trace": {"trace_info": write_infos(desk, [saved])[0]}}


def log_spans(
    desk: Desk, experiment_id: str, spans: Sequence[Mapping[str, Any]], *, run_id: str = ""
) -> None:
    """Record spans; one that is there already is replaced.

    Args:
        desk: The desk.
        experiment_id: Number of the experiment of traces that are new.
        spans: Spans as `_otlp` reads them.
        run_id: The run that they belong to; or empty.
    """
    experiment_id = _open_experiment(desk, experiment_id)
    documents: dict[str, list[DocumentRecord]] = {}
    for span in spans:
        attributes = {
            key: _unwrap(v) for key, v in plain_attributes(span.get("attributes")).items()
        }
        trace_id = _trace_of(span, attributes)
        events = [
            {**each, "attributes": plain_attributes(each.get("attributes"))}
            for each in span.get("events", ())
        ]
        body = {"span": dict(span), "attributes": attributes, "events": events}
        key = f"{trace_id}/{span.get('span_id', '')}"
        documents.setdefault(trace_id, []).append(DocumentRecord(SPAN, key, trace_id, now(), body))
    for trace_id, found in documents.items():
        _save_spans(desk, found)
        told = _told_by_spans([each.body for each in found], run_id)
        folder = f"{desk.scheme}:/{experiment_id}/traces/{trace_id}/artifacts"
        _upsert(desk, trace_id, experiment_id, partial(_joined, told=told, folder=folder))


def get_info(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return a trace without its spans."""
    return {"trace": {"trace_info": write_infos(desk, [_found(desk, fields)])[0]}}


def get_trace(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return a trace with its spans."""
    return {"trace": _whole(desk, [_found(desk, fields)])[0]}


def get_several(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return several traces with their spans; unknown ids are left out."""
    return compact(traces=_whole(desk, _several(desk, fields)))


def get_infos(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return several traces without their spans; unknown ids are left out."""
    return compact(trace_infos=write_infos(desk, _several(desk, fields)))


def set_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Set a tag of a trace."""
    key, value = check_key(fields.require("key"), "tag"), fields.text("value")[:TAG_LENGTH]
    trace_id = _found(desk, fields).key
    desk.change(TRACE, trace_id, lambda body: body | {"tags": {**body["tags"], key: value}})
    return {}


def delete_tag(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete a tag of a trace."""
    key = fields.require("key")
    found = _found(desk, fields)
    if key not in found.body["tags"]:
        raise missing(f"No trace tag with key '{key[:250]}' for trace with ID '{found.key}'.")
    desk.change(
        TRACE,
        found.key,
        lambda body: body | {"tags": {k: v for k, v in body["tags"].items() if k != key}},
    )
    return {}


def delete(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete traces of an experiment, by id or up to a time."""
    owner = check_experiment_id(fields.require("experiment_id"))
    ids, latest = fields.texts("request_ids"), fields.integer("max_timestamp_millis", -1)
    if bool(ids) == (latest >= 0):
        raise invalid("Exactly one of 'max_timestamp_millis' and 'request_ids' must be specified.")
    found = [
        each
        for each in desk.metadata.documents.list(TRACE, owners=[owner])
        if each.key in ids or (not ids and each.body["request_time_ms"] <= latest)
    ]
    found.sort(key=lambda each: each.body["request_time_ms"])
    gone = [each.key for each in found][: fields.integer("max_traces", len(found))]
    spans = [each.key for each in desk.metadata.documents.list(SPAN, owners=gone)] if gone else []
    desk.metadata.documents.delete(TRACE, gone)
    desk.metadata.documents.delete(SPAN, spans)
    assessments.delete_of(desk, gone)
    desk.metadata.documents.delete(LINK, gone)
    return {"traces_deleted": len(gone)}


def link_to_run(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Record the run in which traces were made."""
    run = desk.run(fields.require("run_id"))
    found = _several(desk, fields)
    # A trace may be linked before its client has sent it; and what is sent later keeps the link.
    ids = list(dict.fromkeys(fields.texts("trace_ids")))
    desk.metadata.documents.delete(LINK, ids)
    desk.metadata.documents.add(
        [DocumentRecord(LINK, _trace_id(each), run.run_id, now()) for each in ids]
    )
    for each in found:
        desk.change(
            TRACE,
            each.key,
            lambda body: body | {"metadata": {**body["metadata"], RUN_KEY: run.run_id}},
        )
    return {}


def link_prompts(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Record the versions of prompts that a trace has used."""
    found = _found(desk, fields)
    sent = [
        {"name": part.require("name"), "version": part.require("version")}
        for part in fields.parts("prompt_versions")
    ]

    def linked(body: dict[str, Any]) -> dict[str, Any]:
        known = prompts_of(body["tags"])
        told = json.dumps([*known, *[each for each in sent if each not in known]])
        return body | {"tags": {**body["tags"], _PROMPTS: told}}

    desk.change(TRACE, found.key, linked)
    return {}


def prompts_of(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the prompts of a trace; what else a client wrote in their tag is none."""
    try:
        found = json.loads(tags.get(_PROMPTS, "[]"))
    except (ValueError, RecursionError):
        return []
    listed = found if isinstance(found, list) else []
    return [
        each for each in listed if isinstance(each, dict) and {"name", "version"} <= each.keys()
    ]


def _upsert(
    desk: Desk,
    trace_id: str,
    experiment_id: str,
    edit: Callable[[dict[str, Any]], Mapping[str, Any]],
) -> DocumentRecord:
    blank: dict[str, Any] = {"request_time_ms": to_ms(now()), "duration_ms": None, "state": "IN_PROGRESS",
             "metadata": {}, "tags": {}, "told": False}  # fmt: skip
    desk.metadata.documents.add([DocumentRecord(TRACE, trace_id, experiment_id, now(), blank)])
    link = desk.find(LINK, trace_id)
    linked = {} if link is None else {RUN_KEY: link.owner}

    def joined(body: dict[str, Any]) -> dict[str, Any]:
        edited = {**body, **edit(body)}
        return edited | {"metadata": {**edited["metadata"], **linked}}

    return desk.change(TRACE, trace_id, joined)


def _save_spans(desk: Desk, documents: Sequence[DocumentRecord]) -> None:
    added = desk.metadata.documents.add(documents)
    for document, is_new in zip(documents, added, strict=True):
        if not is_new:
            desk.change(SPAN, document.key, partial(_replaced, document.body))


def _replaced(body: Mapping[str, Any], _old: Mapping[str, Any]) -> Mapping[str, Any]:
    return body


def _told_by_spans(bodies: Sequence[Mapping[str, Any]], run_id: str) -> dict[str, Any]:
    """Return what spans say of their trace."""
    spans = [body["span"] for body in bodies]
    starts = [s["start_time_unix_nano"] for s in spans if s.get("start_time_unix_nano")]
    ends = [s["end_time_unix_nano"] for s in spans if s.get("end_time_unix_nano")]
    root = next((body for body in bodies if not body["span"].get("parent_span_id")), None)
    told: dict[str, Any] = {"start": min(starts, default=None), "end": max(ends, default=None)}
    told["metadata"] = {RUN_KEY: run_id} if run_id else {}
    if root is not None:
        told["name"] = root["span"].get("name", "")
        facts = read_span_facts(root["attributes"], root.get("events", ()))
        told["request_preview"] = _preview(facts.inputs)
        told["response_preview"] = _preview(facts.outputs)
        failed = root["span"].get("status", {}).get("code") == 2  # noqa: PLR2004 - STATUS_CODE_ERROR
        told["state"] = "ERROR" if failed else "OK"
    return told


def _joined(old: Mapping[str, Any], told: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Return a trace's document with what its spans say; what its client said of it counts more."""
    tags = {_FOLDER_TAG: folder, **old["tags"], _PLACE_TAG: "TRACKING_STORE"}
    if told.get("name"):
        tags.setdefault(NAME_TAG, told["name"])
    joined: dict[str, Any] = {"tags": tags, "metadata": {**told["metadata"], **old["metadata"]}}
    if old["told"]:
        return joined
    for name in ("state", "request_preview", "response_preview"):
        if name in told:
            joined[name] = told[name]
    starts = [each for each in (old.get("start_ns"), told["start"]) if each]
    ends = [each for each in (old.get("end_ns"), told["end"]) if each]
    if starts:
        joined["start_ns"], joined["request_time_ms"] = min(starts), min(starts) // 1_000_000
    if starts and ends:
        joined["end_ns"] = max(ends)
        joined["duration_ms"] = max(0, (max(ends) - min(starts)) // 1_000_000)
    return joined


def write_infos(desk: Desk, documents: Sequence[DocumentRecord]) -> list[dict[str, Any]]:
    """Return traces as clients read them."""
    told = assessments.of_traces(desk, [each.key for each in documents])
    return [_info(each, told.get(each.key, ())) for each in documents]


def _info(document: DocumentRecord, told: Sequence[DocumentRecord]) -> dict[str, Any]:
    body = document.body
    duration = body.get("duration_ms")
    return compact(
        trace_id=document.key,
        client_request_id=body.get("client_request_id"),
        trace_location={
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": document.owner},
        },
        request_preview=body.get("request_preview"),
        response_preview=body.get("response_preview"),
        request_time=write_time(body["request_time_ms"], "request_time"),
        execution_duration=None if duration is None else f"{duration / 1000:.3f}s",
        state=body["state"],
        trace_metadata=dict(body["metadata"]),
        tags=dict(body["tags"]),
        assessments=assessments.write_all(told),
    )


def _whole(desk: Desk, documents: Sequence[DocumentRecord]) -> list[dict[str, Any]]:
    spans: dict[str, list[Any]] = {}
    ids = [each.key for each in documents]
    for each in desk.metadata.documents.list(SPAN, owners=ids) if ids else ():
        spans.setdefault(each.owner, []).append(each.body["span"])
    for found in spans.values():
        found.sort(key=lambda span: span.get("start_time_unix_nano", 0))
    infos = write_infos(desk, documents)
    return [compact(trace_info=info, spans=spans.get(info["trace_id"])) for info in infos]


def _found(desk: Desk, fields: Fields) -> DocumentRecord:
    trace_id = fields.require("trace_id")
    found = desk.find(TRACE, trace_id)
    if found is None:
        raise missing(f"Trace with ID '{trace_id[:250]}' not found.")
    return found


def _several(desk: Desk, fields: Fields) -> list[DocumentRecord]:
    ids = fields.texts("trace_ids")
    if len(ids) > _MOST_IDS:
        raise invalid(f"At most {_MOST_IDS} trace_ids can be given, got {len(ids)}.")
    found = (
        {each.key: each for each in desk.metadata.documents.list(TRACE, keys=ids)} if ids else {}
    )
    return [found[key] for key in dict.fromkeys(ids) if key in found]


def _open_experiment(desk: Desk, text: str) -> str:
    experiment_id = check_experiment_id(text)
    if desk.experiment(experiment_id)[0].deleted_at is not None:
        raise invalid(f"The experiment {experiment_id} must be in the 'active' state.")
    return experiment_id


def _trace_of(span: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """Return the trace that a span belongs to, as MLflow's clients name it."""
    named = attributes.get(_REQUEST_ID)
    if isinstance(named, str) and _TRACE_ID.fullmatch(named):
        return named
    raw = base64.b64decode(span.get("trace_id", ""))
    if len(raw) != 16 or not span.get("span_id"):  # noqa: PLR2004 - OpenTelemetry's size
        raise invalid("A span needs a trace_id of 16 bytes and a span_id.")
    return f"tr-{raw.hex()}"


def _trace_id(text: str) -> str:
    if not _TRACE_ID.fullmatch(text):
        raise invalid(f"Invalid trace ID: {text[:100]!r}.")
    return text


def _unwrap(value: Any) -> Any:
    """Return a value that MLflow's client wrote as JSON; any other text itself."""
    if not isinstance(value, str) or value[:1] not in '"[{-0123456789tfn':
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _preview(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:_PREVIEW]


def _texts(fields: Fields, name: str) -> dict[str, str]:
    found = fields.values.get(name) or {}
    if not isinstance(found, Mapping) or not all(isinstance(v, str) for v in found.values()):
        raise invalid(f"Invalid value for parameter '{name}' supplied: it must map names to texts.")
    return {str(key)[:250]: value[:TAG_LENGTH] for key, value in found.items()}


def _read_state(text: str) -> str:
    if text and text not in _STATES.values():
        raise invalid(f"Invalid value {text[:100]!r} for parameter 'state' supplied.")
    return text or "STATE_UNSPECIFIED"


def _read_duration(text: str) -> int | None:
    if not text:
        return None
    found = _SECONDS.fullmatch(text)
    if found is None:
        raise invalid(f"Invalid value {text[:100]!r} for parameter 'execution_duration' supplied.")
    parts = timedelta(seconds=int(found[1]), microseconds=int((found[2] or "0").ljust(6, "0")[:6]))
    return int(parts / timedelta(milliseconds=1))
