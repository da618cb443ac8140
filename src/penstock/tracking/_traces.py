"""RequestTrace: one request to an application with its spans, as a tracing client recorded it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.core import (
    DocumentRecord,
    NotFoundError,
    Permission,
    current_identity,
    project_of,
)
from penstock.stores import open_store
from penstock.tracking._span_conventions import read_span_facts

if TYPE_CHECKING:
    from penstock.stores import Store

TRACE, SPAN, ASSESSMENT = "mlflow.trace", "mlflow.span", "mlflow.assessment"
"""Kinds of the documents; a trace's owner is its experiment's number, the others' their trace."""
EXPERIMENT_NUMBER = "mlflow.experiment"
_SOURCE_RUN = "mlflow.sourceRun"


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """A piece of work within a trace.

    Args:
        span_id: Its id, unique in the trace.
        parent_id: Id of the span that it is a part of; None for the outermost.
        name: What was called.
        kind: Kind of the work, such as ``LLM``, ``TOOL``, ``UNKNOWN``.
        state: ``ok``, ``error`` or ``unset``.
        message: What went wrong.
        start_ns: Start in nanoseconds since 1970.
        seconds: Duration; None while it lasts.
        inputs: What was given to it, JSON-like.
        outputs: What it returned, JSON-like.
        attributes: Further facts by key.
        events: What happened within it: name, time and attributes.
        depth: Number of spans around it.
        model: Name of the model that was asked; empty for none.
        tokens: Number of tokens that the model read and wrote: ``input``, ``output``, ``total``.
    """

    span_id: str
    parent_id: str | None
    name: str
    kind: str
    state: str
    message: str
    start_ns: int
    seconds: float | None
    inputs: Any
    outputs: Any
    attributes: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    depth: int = 0
    model: str = ""
    tokens: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a person, a judge or a program says of a trace.

    Args:
        assessment_id: Its id, unique in the trace.
        name: What is assessed, such as ``correct``.
        kind: ``feedback`` on what happened, ``expectation`` of what should have, or ``issue``.
        value: The value, JSON-like; of an issue its name.
        source: Kind of who says so: ``HUMAN``, ``LLM_JUDGE``, ``CODE``, ``SOURCE_TYPE_UNSPECIFIED``.
        author: Who says so; empty if unknown.
        rationale: Why.
        error: What went wrong with the assessment itself; empty for nothing.
        said_at: When it was made.
        span_id: The span that it is about; empty for the whole trace.
        is_valid: False once another overrides it.
        metadata: Further facts.
    """

    assessment_id: str
    name: str
    kind: str
    value: Any
    source: str
    author: str
    rationale: str
    error: str
    said_at: datetime
    span_id: str
    is_valid: bool
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """A request to an application, with the spans of its work.

    Args:
        trace_id: Its id.
        experiment: Name of its experiment.
        name: Name of the outermost span.
        state: ``OK``, ``ERROR`` or ``IN_PROGRESS``.
        began: When it began.
        seconds: Duration; None while it lasts.
        request: The beginning of what was asked.
        response: The beginning of what was answered.
        run_id: The run in which it was made; None if there was none.
        tags: What people say of it.
        metadata: What its client says of it; unchangeable.
        spans: Its spans, each after the one around it; empty in lists.
        assessments: What is said of it, oldest first; empty in lists.
    """

    trace_id: str
    experiment: str
    name: str
    state: str
    began: datetime
    seconds: float | None
    request: str
    response: str
    run_id: str | None
    tags: Mapping[str, str]
    metadata: Mapping[str, str]
    spans: Sequence[TraceSpan] = field(default=())
    assessments: Sequence[Assessment] = field(default=())


def list_traces(
    experiment: str | None = None,
    *,
    run_id: str | None = None,
    limit: int = 100,
    store: "Store | str | None" = None,
) -> list[RequestTrace]:
    """List the newest traces, without their spans.

    >>> import tempfile
    >>> list_traces(store=f"sqlite:///{tempfile.mkdtemp()}/penstock.db")
    []

    Args:
        experiment: Name of an experiment; None for all.
        run_id: A run; None for all.
        limit: The most to return.
        store: The store; by default the project's.
    """
    opened = open_store(store)
    documents = opened.metadata.documents
    names = {each.key: each.owner for each in documents.list(EXPERIMENT_NUMBER)}
    shown = readable_experiments(names.values(), opened)
    wanted = [key for key, name in names.items() if experiment in {None, name} and name in shown]
    found = [_trace(each, names) for each in documents.list(TRACE, owners=wanted)] if wanted else []
    found = [each for each in found if run_id in {None, each.run_id}]
    found.sort(key=lambda each: (each.began, each.trace_id), reverse=True)
    return found[:limit]


def get_trace(trace_id: str, *, store: "Store | str | None" = None) -> RequestTrace:
    """Return a trace with its spans.

    Args:
        trace_id: Its id.
        store: The store; by default the project's.

    Raises:
        NotFoundError: If there is no such trace.
    """
    opened = open_store(store)
    documents = opened.metadata.documents
    found = documents.list(TRACE, keys=[trace_id])
    numbers = [each.owner for each in found]
    names = {each.key: each.owner for each in documents.list(EXPERIMENT_NUMBER, keys=numbers)}
    if not found or not readable_experiments([names.get(numbers[0], numbers[0])], opened):
        raise NotFoundError(
            what=f"There is no trace {trace_id!r}.", fix="List them with: penstock traces list"
        )
    trace = _trace(found[0], names, documents.list(SPAN, owners=[trace_id]))
    told = [_assessment(each) for each in documents.list(ASSESSMENT, owners=[trace_id])]
    told.sort(key=lambda each: (each.said_at, each.assessment_id))
    return replace(trace, assessments=tuple(told))


def readable_experiments(experiments: Iterable[str], store: "Store") -> set[str]:
    """Return the experiments whose project may be read: documents have no project of their own."""
    identity = current_identity()
    if identity is None:
        return set(experiments)
    projects = store.metadata.projects.list()
    return {
        each for each in experiments if identity.may(Permission.READ, project_of(each, projects))
    }


def _trace(
    document: DocumentRecord, names: Mapping[str, str], spans: Sequence[DocumentRecord] = ()
) -> RequestTrace:
    body = document.body
    duration = body.get("duration_ms")
    return RequestTrace(
        trace_id=document.key,
        experiment=names.get(document.owner, document.owner),
        name=body["tags"].get("mlflow.traceName", ""),
        state=body["state"],
        began=datetime.fromtimestamp(body["request_time_ms"] / 1000, UTC),
        seconds=None if duration is None else duration / 1000,
        request=body.get("request_preview", ""),
        response=body.get("response_preview", ""),
        run_id=body["metadata"].get(_SOURCE_RUN),
        tags=body["tags"],
        metadata=body["metadata"],
        spans=tuple(_in_order([_span(each.body) for each in spans])),
    )


def _assessment(document: DocumentRecord) -> Assessment:
    body = document.body
    value = body["value"]
    serialized = value.get("serialized_value")
    error = value.get("error") or {}
    return Assessment(
        assessment_id=document.key.removeprefix(f"{document.owner}/"),
        name=body["name"],
        kind=body["kind"],
        value=_plain(serialized["value"])
        if serialized
        else value.get("value", value.get("issue_name")),
        source=body["source"]["source_type"],
        author=body["source"].get("source_id", ""),
        rationale=body["rationale"],
        error=error.get("error_message") or error.get("error_code") or "",
        said_at=datetime.fromtimestamp(body["created_ms"] / 1000, UTC),
        span_id=body["span_id"],
        is_valid=body["valid"],
        metadata=body["metadata"],
    )


def _plain(text: str) -> Any:
    """Return a value that a client wrote as JSON; another text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


_STATES = {1: "ok", 2: "error"}


def _span(body: Mapping[str, Any]) -> TraceSpan:
    raw, plain = body["span"], dict(body["attributes"])
    start, end = raw.get("start_time_unix_nano", 0), raw.get("end_time_unix_nano", 0)
    status = raw.get("status", {})
    facts = read_span_facts(plain, body["events"])
    for name in ("mlflow.spanType", "mlflow.spanInputs", "mlflow.spanOutputs"):
        plain.pop(name, None)
    return TraceSpan(
        span_id=raw.get("span_id", ""),
        parent_id=raw.get("parent_span_id") or None,
        name=raw.get("name", ""),
        kind=facts.kind,
        state=_STATES.get(status.get("code", 0), "unset"),
        message=status.get("message", ""),
        start_ns=start,
        seconds=(end - start) / 1e9 if end else None,
        inputs=facts.inputs,
        outputs=facts.outputs,
        attributes=plain,
        events=body["events"],
        model=facts.model,
        tokens=facts.tokens,
    )


def _in_order(spans: list[TraceSpan]) -> Iterator[TraceSpan]:
    """Return spans by time, each with its depth and directly after the ones around it."""
    spans.sort(key=lambda each: (each.start_ns, each.span_id))
    known = {each.span_id for each in spans}
    inner: dict[str | None, list[TraceSpan]] = {}
    for each in spans:
        inner.setdefault(each.parent_id if each.parent_id in known else None, []).append(each)
    waiting = [(each, 0) for each in reversed(inner.pop(None, []))]
    while waiting:
        span, depth = waiting.pop()
        yield replace(span, depth=depth)
        waiting += [(each, depth + 1) for each in reversed(inner.pop(span.span_id, []))]
    for rest in inner.values():  # spans that are around each other: shown, not lost
        yield from rest
