"""Comparison of two runs: parameters, results and provenance."""

from collections.abc import Sequence
from typing import Any

from penstock.core import ParameterError, RunRecord
from penstock.server.ui._charts import line_chart, metric_line
from penstock.server.ui._page import Page, Query
from penstock.server.ui._runs import run_seconds
from penstock.server.ui._site import Site
from penstock.server.ui._steps import step_seconds
from penstock.tracking import RunComparison, compare_runs

_CHARTS = 12
_SENTENCES = 200


def compare_page(site: Site, query: Query) -> Page:
    """Show two runs side by side, named by ``a`` and ``b`` or by two ``run`` parameters.

    Raises:
        ParameterError: If not exactly two runs are named.
        NotFoundError: If a named run does not exist.
    """
    named = [query.text("a"), query.text("b")] if query.text("a") else query.texts("run")
    if len(named) != 2 or not all(named):  # noqa: PLR2004 - a comparison has two sides
        raise ParameterError(
            what=f"{len([name for name in named if name])} runs were chosen to compare.",
            why="A comparison has two sides.",
            fix="Select two runs in the list of runs, or open /compare?a=RUN&b=RUN.",
        )
    comparison = compare_runs(named[0], named[1], store=site.store)
    a, b = comparison.a, comparison.b
    keys = _lines(a, b)
    charts = _charts(site, a, b, keys if query.text("charts") == "all" else keys[:_CHARTS])
    view = {
        "a": a,
        "b": b,
        "found": comparison,
        "seconds": (run_seconds(a), run_seconds(b)),
        "step_rows": _step_rows(site, comparison),
        "sentences": comparison.provenance[:_SENTENCES],
        "more": max(0, len(comparison.provenance) - _SENTENCES),
        "charts": charts,
        "lines": len(keys),
        "every": f"/compare?a={a.run_id}&b={b.run_id}&charts=all#charts",
        "swapped": f"/compare?a={b.run_id}&b={a.run_id}",
    }
    data = {"comparison": comparison.to_json()}
    title = f"{a.name} and {b.name}"
    return Page("compare.html", title, data, view, section="runs", charts=bool(charts))


def _step_rows(site: Site, comparison: RunComparison) -> list[dict[str, Any]]:
    """Add state and time on each side to the comparison of each step."""
    sides = [
        {step.step: step for step in site.metadata.steps.list(run.run_id)}
        for run in (comparison.a, comparison.b)
    ]
    rows = []
    for name, how in comparison.steps.items():
        pair = [side.get(name) for side in sides]
        states = [step and step.state for step in pair]
        rows.append(
            {
                "name": name,
                "how": how,
                "states": states,
                "seconds": [step and step_seconds(step) for step in pair],
            }
        )
    return rows


def _lines(a: RunRecord, b: RunRecord) -> list[str]:
    """List the metrics that have a line on either side."""
    names = sorted(a.metrics.keys() | b.metrics.keys())
    return [
        name
        for name in names
        if any(name in run.metrics and run.metrics[name].count > 1 for run in (a, b))
    ]


def _charts(site: Site, a: RunRecord, b: RunRecord, keys: Sequence[str]) -> dict[str, Any]:
    """Draw metrics, with both sides in the same chart."""
    charts: dict[str, Any] = {}
    for key in keys:
        lines = {}
        for side, run in (("a · " + a.name, a), ("b · " + b.name, b)):
            if key in run.metrics and run.metrics[key].count > 1:
                lines[side] = metric_line(site, run.run_id, key)
        charts[key] = line_chart(lines)
    return charts
