"""MLflow's calls on assessments: what people, judges and programs say of a trace.

An assessment is a document of its trace. One that overrides another makes that one invalid, as long
as it is there itself.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from penstock.core import DocumentRecord, digest_json, new_id, now
from penstock.server.mlflow import _grammar as grammar
from penstock.server.mlflow._desk import Desk, to_ms
from penstock.server.mlflow._errors import invalid, missing
from penstock.server.mlflow._fields import Fields, compact
from penstock.server.mlflow._rules import TAG_LENGTH, check_length
from penstock.server.mlflow._times import read_time, write_time
from penstock.tracking import ASSESSMENT, TRACE

_KINDS = ("feedback", "expectation", "issue")
_SOURCES = dict(enumerate(("SOURCE_TYPE_UNSPECIFIED", "HUMAN", "LLM_JUDGE", "CODE")))
_NAME_LENGTH, _TEXT_LENGTH, _STACK_LENGTH = 250, 65_535, 1000
_JSON_FORM = "JSON_FORMAT"
_ID = re.compile(r"[\w.\-]{1,250}")
_CAPITAL = re.compile(r"(?<=[a-z])([A-Z])")


def create(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Record an assessment of a trace."""
    trace_id = _trace(desk, fields)
    body = _read(fields.part("assessment"))
    assessment_id = f"a-{new_id()}"
    if overridden := body["overrides"]:
        if _find(desk, trace_id, overridden) is None:
            raise missing(f"Assessment with ID '{overridden[:250]}' not found for overriding.")
        _set_valid(desk, trace_id, overridden, valid=False)
    desk.metadata.documents.add([_document(trace_id, assessment_id, body)])
    return {"assessment": _written(_get(desk, trace_id, assessment_id))}


def get(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return an assessment."""
    return {"assessment": _written(_named(desk, fields))}


def update(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Change what an assessment says; who said it stays."""
    found = _named(desk, fields)
    sent, changes = fields.part("assessment"), dict[str, Any]()
    for name in _mask(fields):
        changes |= _change(name, sent, found.body)
    changed = desk.change(
        ASSESSMENT,
        found.key,
        lambda body: {
            **body,
            **changes,
            "metadata": {**body["metadata"], **changes.get("metadata", {})},
            "updated_ms": to_ms(now()),
        },
    )
    return {"assessment": _written(changed)}


def delete(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Delete an assessment; what it had overridden is valid again. One that is gone is no error."""
    trace_id = _trace(desk, fields)
    found = _find(desk, trace_id, fields.require("assessment_id"))
    if found is None:
        return {}
    desk.metadata.documents.delete(ASSESSMENT, [found.key])
    overridden = found.body["overrides"]
    if overridden and _find(desk, trace_id, overridden) is not None:
        _set_valid(desk, trace_id, overridden, valid=True)
    return {}


def add_told(desk: Desk, trace_id: str, parts: Sequence[Fields]) -> None:
    """Record the assessments that a client sends with a trace; twice sent, they are there once."""
    documents = []
    for part in parts:
        body = _read(part)
        sent = part.text("assessment_id") or "a-" + digest_json([trace_id, body])[-32:]
        if not _ID.fullmatch(sent):
            raise invalid(f"Invalid assessment ID: {sent[:100]!r}.")
        documents.append(_document(trace_id, sent, body))
    if documents:
        desk.metadata.documents.add(documents)


def delete_of(desk: Desk, trace_ids: Collection[str]) -> None:
    """Delete the assessments of traces."""
    if trace_ids:
        found = desk.metadata.documents.list(ASSESSMENT, owners=trace_ids)
        desk.metadata.documents.delete(ASSESSMENT, [each.key for each in found])


def of_traces(desk: Desk, trace_ids: Collection[str]) -> dict[str, list[DocumentRecord]]:
    """Return the assessments of traces by their trace, in the order in which they were made."""
    told: dict[str, list[DocumentRecord]] = {}
    if trace_ids:
        found = desk.metadata.documents.list(ASSESSMENT, owners=trace_ids)
        for each in sorted(found, key=lambda each: (each.body["created_ms"], each.key)):
            told.setdefault(each.owner, []).append(each)
    return told


def write_all(documents: Sequence[DocumentRecord]) -> list[dict[str, Any]]:
    """Return assessments as clients read them."""
    return [_written(each) for each in documents]


def meets(documents: Sequence[DocumentRecord], test: grammar.FilterTest) -> bool:
    """Return whether a trace with these assessments meets a comparison of one by its name."""
    wanted = (test.group, test.name, True)
    bodies = [each.body for each in documents]
    told = [
        _plain(body) for body in bodies if (body["kind"], body["name"], body["valid"]) == wanted
    ]
    if test.sign in grammar.ORDERS:
        values: list[Any] = [each for each in told if _is_number(each)]
    else:
        values = [each if isinstance(each, str) else json.dumps(each) for each in told]
    return grammar.matches(test, lambda _group, _name: values or None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(body: Mapping[str, Any]) -> Any:
    """Return the value of an assessment; one that the client wrote as JSON is read."""
    value = body["value"]
    serialized = value.get("serialized_value") if isinstance(value, Mapping) else None
    if isinstance(serialized, Mapping):
        try:
            return json.loads(serialized.get("value", ""))
        except (ValueError, RecursionError):
            return serialized.get("value")
    return value.get("value") if isinstance(value, Mapping) else value


def _read(part: Fields) -> dict[str, Any]:
    """Return what is kept of an assessment as it was sent."""
    kinds = [each for each in _KINDS if part.has(each)]
    if len(kinds) != 1:
        raise invalid("An assessment is exactly one of 'feedback', 'expectation' and 'issue'.")
    created = part.text("create_time")
    moment = read_time(created, "create_time") if created else to_ms(now())
    changed = part.text("last_update_time")
    return {
        "name": check_length(part.require("assessment_name"), _NAME_LENGTH, "assessment_name"),
        "kind": kinds[0],
        "value": _value(part, kinds[0]),
        "source": _source(part),
        "created_ms": moment,
        "updated_ms": read_time(changed, "last_update_time") if changed else moment,
        "rationale": check_length(part.text("rationale"), _TEXT_LENGTH, "rationale"),
        "metadata": _texts(part, "metadata"),
        "span_id": part.text("span_id")[:50],
        "overrides": part.text("overrides")[:250],
        "valid": part.flag("valid") if part.has("valid") else True,
    }


def _value(part: Fields, kind: str) -> dict[str, Any]:
    sent = part.part(kind)
    if kind == "issue":
        return {"issue_name": sent.require("issue_name")}
    value: dict[str, Any] = {}
    if kind == "expectation" and sent.has("serialized_value"):
        serialized = sent.part("serialized_value")
        form = serialized.text("serialization_format")
        value["serialized_value"] = {
            "serialization_format": form,
            "value": serialized.text("value"),
        }
        return value
    plain = sent.values.get("value")
    if kind == "expectation" and not _is_plain(plain):
        text = json.dumps(plain)
        value["serialized_value"] = {"serialization_format": _JSON_FORM, "value": text}
        return value
    value["value"] = plain
    if kind == "feedback" and sent.has("error"):
        error = sent.part("error")
        value["error"] = compact(
            error_code=error.text("error_code"),
            error_message=error.text("error_message"),
            stack_trace=error.text("stack_trace")[:_STACK_LENGTH],
        )
    return value


def _is_plain(value: Any) -> bool:
    """Return whether clients read a value of an expectation as it is, and not as JSON in a text."""
    return value is None or isinstance(value, str | int | float)


def _source(part: Fields) -> dict[str, str]:
    if not part.has("source"):
        return {"source_type": _SOURCES[0]}
    source = part.part("source")
    kind = source.choice("source_type", _SOURCES) or _SOURCES[0]
    if kind not in _SOURCES.values():
        raise invalid(f"Invalid value {kind[:100]!r} for parameter 'source_type' supplied.")
    return compact(source_type=kind, source_id=source.text("source_id"))


def _mask(fields: Fields) -> list[str]:
    """Return the fields to change; protobuf's JSON form has them in one text, with capitals."""
    mask = fields.values.get("update_mask")
    if isinstance(mask, Mapping):
        names = Fields(mask, "update_mask.").texts("paths")
    else:
        names = fields.require("update_mask").split(",")
    return [_CAPITAL.sub(r"_\1", name.strip()).lower() for name in names]


def _change(name: str, sent: Fields, old: Mapping[str, Any]) -> dict[str, Any]:
    match name:
        case "assessment_name":
            new = check_length(sent.require(name), _NAME_LENGTH, name)
            return {"name": new}
        case "rationale":
            return {"rationale": check_length(sent.text(name), _TEXT_LENGTH, name)}
        case "metadata":
            return {"metadata": _texts(sent, name)}
        case "valid":
            return {"valid": sent.flag(name)}
        case "feedback" | "expectation":
            if old["kind"] != name:
                is_now = str(old["kind"]).capitalize()
                raise invalid(f"Cannot update {name} value on a {is_now} assessment.")
            return {"value": _value(sent, name)}
    raise invalid(f"Invalid value {name[:100]!r} for parameter 'update_mask' supplied.")


def _texts(fields: Fields, name: str) -> dict[str, str]:
    found = fields.values.get(name) or {}
    if not isinstance(found, Mapping) or not all(isinstance(v, str) for v in found.values()):
        raise invalid(f"Invalid value for parameter '{name}' supplied: it must map names to texts.")
    return {str(key)[:250]: value[:TAG_LENGTH] for key, value in found.items()}


def _document(trace_id: str, assessment_id: str, body: Mapping[str, Any]) -> DocumentRecord:
    return DocumentRecord(ASSESSMENT, f"{trace_id}/{assessment_id}", trace_id, now(), body)


def _written(document: DocumentRecord) -> dict[str, Any]:
    """Return an assessment as clients read it."""
    body = document.body
    written = compact(
        assessment_id=document.key.removeprefix(f"{document.owner}/"),
        assessment_name=body["name"],
        trace_id=document.owner,
        span_id=body["span_id"],
        source=body["source"],
        create_time=write_time(body["created_ms"], "create_time"),
        last_update_time=write_time(body["updated_ms"], "last_update_time"),
        rationale=body["rationale"],
        metadata=body["metadata"],
        overrides=body["overrides"],
    )
    return written | {body["kind"]: body["value"], "valid": body["valid"]}


def _trace(desk: Desk, fields: Fields) -> str:
    trace_id = fields.require("trace_id")
    if desk.find(TRACE, trace_id) is None:
        raise missing(f"Trace with ID '{trace_id[:250]}' not found.")
    return trace_id


def _named(desk: Desk, fields: Fields) -> DocumentRecord:
    return _get(desk, _trace(desk, fields), fields.require("assessment_id"))


def _get(desk: Desk, trace_id: str, assessment_id: str) -> DocumentRecord:
    found = _find(desk, trace_id, assessment_id)
    if found is None:
        raise missing(
            f"Assessment with ID '{assessment_id[:250]}' not found for trace '{trace_id}'."
        )
    return found


def _find(desk: Desk, trace_id: str, assessment_id: str) -> DocumentRecord | None:
    return desk.find(ASSESSMENT, f"{trace_id}/{assessment_id}")


def _set_valid(desk: Desk, trace_id: str, assessment_id: str, *, valid: bool) -> None:
    desk.change(ASSESSMENT, f"{trace_id}/{assessment_id}", partial(_with_valid, valid))


def _with_valid(valid: bool, body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**body, "valid": valid}
