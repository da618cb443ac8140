"""Two runs side by side: what was given, what came out, and what they were made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.core import MetricSummary, ParameterError, RunRecord, StepRunRecord
from penstock.provenance import manifest_difference
from penstock.server.ui._charts import line_chart
from penstock.server.ui._page import Page, Query
from penstock.server.ui._runs import run_seconds
from penstock.server.ui._site import Site
from penstock.server.ui._steps import step_seconds

_CHARTS = 12
_SENTENCES = 200


@dataclass(frozen=True, slots=True)
class Pair:
    """One name with its value on each side."""

    name: str
    a: Any
    b: Any
    differs: bool


def compare_page(site: Site, query: Query) -> Page:
    """Show two runs side by side, named by ``a`` and ``b`` or by two ``run`` parameters.

    Raises:
        ParameterError: If not exactly two runs are named.
        NotFoundError: If one of them does not exist.
    """
    named = [query.text("a"), query.text("b")] if query.text("a") else query.texts("run")
    if len(named) != 2 or not all(named):  # noqa: PLR2004 - a comparison has two sides
        raise ParameterError(
            what=f"{len([n for n in named if n])} runs were named to compare.",
            why="A comparison has two sides.",
            fix="Tick two runs in the list of runs, or open /compare?a=RUN&b=RUN.",
        )
    a, b = (site.metadata.get_run(run_id) for run_id in named)
    steps = (site.metadata.list_steps(a.run_id), site.metadata.list_steps(b.run_id))
    params = _pairs(a.params, b.params)
    metrics = _pairs(_last(a.metrics), _last(b.metrics))
    made_from = _made_from(site, a, b)
    data = {
        "a": a,
        "b": b,
        "params": params,
        "metrics": metrics,
        "steps": _step_pairs(*steps),
        "made_from": made_from[:_SENTENCES],
    }
    charts = _charts(site, a, b)
    view = {
        "seconds": (run_seconds(a), run_seconds(b)),
        "charts": charts,
        "more": max(0, len(made_from) - _SENTENCES),
        "swapped": f"/compare?a={b.run_id}&b={a.run_id}",
        "comparable": bool(a.provenance and b.provenance),
    }
    title = f"{a.name} and {b.name}"
    return Page("compare.html", title, data, view, section="runs", charts=bool(charts))


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Pair]:
    names = sorted(a.keys() | b.keys())
    return [Pair(name, a.get(name), b.get(name), a.get(name) != b.get(name)) for name in names]


def _last(metrics: Mapping[str, MetricSummary]) -> dict[str, float]:
    return {name: summary.last for name, summary in metrics.items()}


def _step_pairs(a: list[StepRunRecord], b: list[StepRunRecord]) -> list[dict[str, Any]]:
    """Pair steps by name and say whether they had the same key and gave the same values."""
    by_name = ({step.step: step for step in a}, {step.step: step for step in b})
    names = dict.fromkeys(step.step for step in (*a, *b))
    rows = []
    for name in names:
        one, two = by_name[0].get(name), by_name[1].get(name)
        rows.append(
            {
                "name": name,
                "states": (one and one.state, two and two.state),
                "seconds": (one and step_seconds(one), two and step_seconds(two)),
                "same_key": bool(one and two and one.key and one.key == two.key),
                "same_outputs": bool(one and two and one.outputs and one.outputs == two.outputs),
            }
        )
    return rows


def _made_from(site: Site, a: RunRecord, b: RunRecord) -> list[str]:
    one, two = site.facts(a.provenance), site.facts(b.provenance)
    return manifest_difference(_short(one), _short(two)) if one and two else []


def _short(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the diff's text out: the files' digests say which ones differ."""
    code = {key: value for key, value in (manifest.get("code") or {}).items() if key != "diff"}
    return {**manifest, "code": code}


def _charts(site: Site, a: RunRecord, b: RunRecord) -> dict[str, Any]:
    """Draw the metrics that have a line on either side, both in one chart."""
    charts = {}
    for key in sorted(a.metrics.keys() | b.metrics.keys()):
        lines = {}
        for side, run in (("a · " + a.name, a), ("b · " + b.name, b)):
            if key in run.metrics and run.metrics[key].count > 1:
                points = site.metadata.metric_history(run.run_id, key)
                lines[side] = [(point.step, point.value) for point in points]
        if lines and len(charts) < _CHARTS:
            charts[key] = line_chart(lines)
    return charts
