"""The pages of traces: the newest, and one with the tree of its spans."""

import json
from typing import Any

from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site
from penstock.tracking import RequestTrace, TraceSpan, get_trace, list_traces

_TRACES = 200
_LONGEST = 20_000
_OUTCOMES = {"OK": "finished", "ERROR": "failed", "IN_PROGRESS": "running"}
_STATES = {"ok": "finished", "error": "failed"}


def traces_page(site: Site, query: Query) -> Page:
    """List the newest traces, of all experiments, of one, or of a run."""
    experiment, run_id = query.text("experiment"), query.text("run")
    found = list_traces(experiment or None, run_id=run_id or None, limit=_TRACES, store=site.store)
    rows = [(trace, _OUTCOMES.get(trace.state, "none")) for trace in found]
    view = {"shown": rows, "most": _TRACES, "experiment": experiment, "run_id": run_id}
    return Page("traces.html", "Traces", {"traces": found}, view, section="experiments")


def trace_page(site: Site, query: Query, trace_id: str) -> Page:  # noqa: ARG001 - a page's form
    """Show a trace: each span under the one around it, with its time, inputs and outputs.

    Raises:
        NotFoundError: If there is no such trace.
    """
    trace = get_trace(trace_id, store=site.store)
    view = {
        "outcome": _OUTCOMES.get(trace.state, "none"),
        "rows": [_row(trace, span) for span in trace.spans],
        "assessments": [(each, _shown(each.value)) for each in trace.assessments],
        "told": {k: v for k, v in trace.tags.items() if not k.startswith("mlflow.")},
    }
    name = trace.name or trace.trace_id
    return Page("trace.html", name, {"trace": trace}, view, section="experiments")


def _row(trace: RequestTrace, span: TraceSpan) -> dict[str, Any]:
    """Return a span with its bar, in hundredths of the trace."""
    first = min(each.start_ns for each in trace.spans)
    last = max(each.start_ns + (each.seconds or 0) * 1e9 for each in trace.spans)
    whole = max(last - first, 1)
    return {
        "span": span,
        "state": _STATES.get(span.state, "none"),
        "start": (span.start_ns - first) / whole * 99,
        "length": max((span.seconds or 0) * 1e9 / whole * 99, 1),
        "parts": [
            (title, _shown(value))
            for title, value in (
                ("Model", span.model or None),
                ("Tokens", dict(span.tokens) or None),
                ("Inputs", span.inputs),
                ("Outputs", span.outputs),
                ("Attributes", span.attributes or None),
                ("Events", span.events or None),
            )
            if value is not None
        ],
    }


def _shown(value: Any) -> str:
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, indent=1, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
