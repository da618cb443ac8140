"""MLflow's searches of traces: by what is known of one, by what was said of it, and by its spans."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.core import DocumentRecord
from penstock.server.mlflow import _assessments as assessments
from penstock.server.mlflow import _grammar as grammar
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._errors import invalid, lacking
from penstock.server.mlflow._fields import Fields, compact, page
from penstock.server.mlflow._rules import check_experiment_id
from penstock.server.mlflow._traces import NAME_TAG, RUN_KEY, prompts_of, write_infos
from penstock.tracking import SPAN, TRACE

_MOST, _DEFAULT = 500, 100
_SPAN_STATES = dict(enumerate(("UNSET", "OK", "ERROR")))
_SPAN_TYPE = "mlflow.spanType"
_JEFFREYS = 0.5


def search(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Search the traces of experiments."""
    places = [part.part("mlflow_experiment") for part in fields.parts("locations")]
    ids = [check_experiment_id(place.require("experiment_id")) for place in places]
    most = fields.most(_DEFAULT, _MOST)
    wanted = grammar.TRACES.read(fields.text("filter"))
    terms = grammar.TRACES.order(fields.texts("order_by"))
    if any(_is_of_spans(term) or _is_told(term) for term in terms):
        raise invalid("Traces cannot be ordered by their spans and assessments.")
    found = _matching(desk, desk.metadata.documents.list(TRACE, owners=ids) if ids else [], wanted)
    found.sort(key=lambda each: (-each.body["request_time_ms"], each.key))
    grammar.sort(found, terms, _reader)
    rows, token = page(found, fields, most)
    return compact(traces=write_infos(desk, rows), next_page_token=token)


def correlate(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return how often traces meet each of two filters, and both; see `npmi`."""
    ids = [check_experiment_id(each) for each in fields.texts("experiment_ids")]
    if not ids:
        raise lacking("experiment_ids")
    texts = [fields.require(name) for name in ("filter_string1", "filter_string2")]
    first, second = (grammar.TRACES.read(text) for text in texts)
    traces = desk.metadata.documents.list(TRACE, owners=ids)
    traces = _matching(desk, traces, grammar.TRACES.read(fields.text("base_filter")))
    one = {each.key for each in _matching(desk, traces, first)}
    two = {each.key for each in _matching(desk, traces, second)}
    counts = len(one & two), len(one), len(two), len(traces)
    plain, smoothed = npmi(*counts), npmi(*counts, prior=_JEFFREYS)
    told = dict(zip(("joint_count", "filter1_count", "filter2_count", "total_count"), counts, strict=True))  # fmt: skip
    scores = {"npmi": plain, "npmi_smoothed": smoothed}
    return told | {name: value for name, value in scores.items() if value is not None}


def npmi(both: int, first: int, second: int, total: int, *, prior: float = 0.0) -> float | None:
    """Return the normalized pointwise mutual information of two events.

    >>> npmi(5, 5, 5, 10), npmi(0, 5, 5, 10), npmi(0, 0, 5, 10)
    (1.0, -1.0, None)

    Args:
        both: Number of times that both happened.
        first: Number of times that the first happened.
        second: Number of times that the second happened.
        total: Number of times that either could have happened.
        prior: What is added to each of the four cells.

    Returns:
        From -1 (never together) over 0 (independent) to 1 (always together); None where one of
        them never happened.
    """
    if not first or not second:
        return None
    if both == first == second == total:
        return 1.0
    if not both and not prior:
        return -1.0
    shared, size = both + prior, total + 4 * prior
    lift = math.log(shared * size / ((first + 2 * prior) * (second + 2 * prior)))
    return min(1.0, max(-1.0, lift / -math.log(shared / size)))


def _matching(
    desk: Desk, traces: Sequence[DocumentRecord], wanted: Sequence[grammar.FilterTest]
) -> list[DocumentRecord]:
    """Return the traces that meet a filter; what costs most is looked at last."""
    of_spans = [each for each in wanted if _is_of_spans(each)]
    told = [each for each in wanted if _is_told(each)]
    own = [each for each in wanted if not _is_of_spans(each) and not _is_told(each)]
    found = [each for each in traces if all(grammar.matches(c, _reader(each)) for c in own)]
    if told:
        said = assessments.of_traces(desk, [each.key for each in found])
        found = [
            each
            for each in found
            if all(assessments.meets(said.get(each.key, ()), test) for test in told)
        ]
    return _with_spans(desk, found, of_spans) if of_spans else found


def _reader(document: DocumentRecord) -> Callable[[str, str], Any]:
    body = document.body
    attributes = {
        "trace_id": document.key,
        "status": body["state"],
        "name": body["tags"].get(NAME_TAG),
        "run_id": body["metadata"].get(RUN_KEY),
        "client_request_id": body.get("client_request_id") or None,
        "timestamp_ms": body["request_time_ms"],
        "execution_time_ms": body.get("duration_ms"),
        "prompt": [f"{each['name']}/{each['version']}" for each in prompts_of(body["tags"])]
        or None,
    }
    groups = {"tags": body["tags"], "metadata": body["metadata"], "attributes": attributes}
    return lambda group, name: groups[group].get(name)


def _is_of_spans(part: grammar.FilterTest | grammar.SortTerm) -> bool:
    return part.group == grammar.SPANS or (part.group, part.name) == ("attributes", grammar.TEXT)


def _is_told(part: grammar.FilterTest | grammar.SortTerm) -> bool:
    return part.group in grammar.ASSESSMENTS


def _with_spans(
    desk: Desk, traces: Sequence[DocumentRecord], wanted: Sequence[grammar.FilterTest]
) -> list[DocumentRecord]:
    """Return the traces with a span that meets all comparisons of spans, and with the texts."""
    texts = [each for each in wanted if each.group != grammar.SPANS]
    fields = [each for each in wanted if each.group == grammar.SPANS]
    spans: dict[str, list[Mapping[str, Any]]] = {}
    ids = [each.key for each in traces]
    for each in desk.metadata.documents.list(SPAN, owners=ids) if ids else ():
        spans.setdefault(each.owner, []).append(each.body)

    def meets(bodies: Sequence[Mapping[str, Any]]) -> bool:
        readers = [_span_reader(body) for body in bodies]
        has_fields = not fields or any(
            all(grammar.matches(test, read) for test in fields) for read in readers
        )
        return has_fields and all(any(_says(read, test) for read in readers) for test in texts)

    return [each for each in traces if meets(spans.get(each.key, []))]


def _says(read: Callable[[str, str], Any], test: grammar.FilterTest) -> bool:
    """Return whether what a span says as a whole meets a comparison of texts."""
    return grammar.matches(test, lambda _group, _name: read("", "content"))


def _span_reader(body: Mapping[str, Any]) -> Callable[[str, str], Any]:
    """Return how to read a field of a span; an attribute that is no text is read as JSON."""
    span, attributes = body["span"], body["attributes"]

    def read(_group: str, name: str) -> Any:
        if name.startswith(grammar.SPAN_ATTRIBUTES):
            value = attributes.get(name.removeprefix(grammar.SPAN_ATTRIBUTES).strip("`"))
            return value if value is None or isinstance(value, str) else _plain_json(value)
        match name:
            case "name":
                return span.get("name", "")
            case "type":
                return str(attributes.get(_SPAN_TYPE) or "UNKNOWN")
            case "status":
                return _SPAN_STATES.get(span.get("status", {}).get("code", 0), "UNSET")
        said = {"name": span.get("name", ""), "attributes": attributes, "events": body["events"]}
        return _plain_json(said)

    return read


def _plain_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
