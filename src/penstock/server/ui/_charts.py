"""Charts of metrics: plotly data for the script, and small SVG lines that need no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import MetricSummary
from penstock.server.ui._site import Site

_DRAWN_POINTS = 1000
_SPARK_POINTS = 60
CHARTS = 30  # drawn at first; a page shows all on request


@dataclass(frozen=True, slots=True)
class MetricView:
    """A metric with the summary and, if logged more than once, the line."""

    key: str
    summary: MetricSummary
    spark: str
    chart: Mapping[str, Any] | None


def metric_views(
    site: Site, run_id: str, metrics: Mapping[str, MetricSummary], *, most: int | None = CHARTS
) -> list[MetricView]:
    """Read the histories that are drawn: those with at least two points.

    Args:
        site: The site of the store.
        run_id: The run.
        metrics: The run's metrics.
        most: How many charts to draw; the rest keep their small line. None for all.
    """
    views: list[MetricView] = []
    drawn = 0
    for key in sorted(metrics):
        summary, line, chart = metrics[key], list[tuple[float, float]](), None
        if summary.count > 1:
            is_drawn = most is None or drawn < most
            line = metric_line(site, run_id, key, _DRAWN_POINTS if is_drawn else _SPARK_POINTS)
            if is_drawn and len(line) > 1:
                chart, drawn = line_chart({"": line}), drawn + 1
        views.append(MetricView(key, summary, spark([value for _, value in line]), chart))
    return views


def metric_line(
    site: Site, run_id: str, key: str, most: int = _DRAWN_POINTS
) -> list[tuple[float, float]]:
    """Read a metric's history at the resolution of a chart, as (step, value) pairs."""
    history = site.metadata.metrics.history(run_id, key, most=most)
    return list(zip(history.steps.tolist(), history.values.tolist(), strict=True))


def line_chart(lines: Mapping[str, Sequence[tuple[float, float]]]) -> dict[str, Any]:
    """Build a figure from named lines.

    >>> line_chart({"": [(0, 1.0), (1, 2.0)]})["data"][0]["y"]
    [1.0, 2.0]

    Args:
        lines: (step, value) pairs by name.
    """
    data = []
    for name, line in lines.items():
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(line) <= 30 else "lines",  # noqa: PLR2004 - still apart
                "name": name,
                "x": [x for x, _ in line],
                "y": [y for _, y in line],
            }
        )
    return {"data": data, "layout": {"showlegend": len(lines) > 1, "hovermode": "x unified"}}


def thinned(line: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Reduce the points of a line to the lowest and highest of each stretch, so that spikes remain.

    >>> thinned([(0, 1.0), (1, 9.0), (2, 1.0), (3, 1.0), (4, 0.0), (5, 1.0)], 4)
    [(0, 1.0), (1, 9.0), (3, 1.0), (4, 0.0)]
    """
    if len(line) <= most:
        return list(line)
    stretches = max(1, most // 2)
    kept: list[tuple[float, float]] = []
    for index in range(stretches):
        part = line[index * len(line) // stretches : (index + 1) * len(line) // stretches]
        low, high = min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])
        kept.extend(sorted({low, high}))
    return kept


def spark(values: Sequence[float], width: float = 96, height: float = 22) -> str:
    """Draw values as an SVG path; empty if there is nothing to draw.

    >>> spark([1.0, 2.0], width=10, height=10)
    'M2.0 8.0L8.0 2.0'
    """
    finite = [(float(i), v) for i, v in enumerate(values) if v == v and abs(v) != float("inf")]  # noqa: PLR0124 - NaN
    if len(finite) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    thin = thinned(finite, _SPARK_POINTS)
    first, last = thin[0][0], thin[-1][0]
    low, high = min(v for _, v in thin), max(v for _, v in thin)
    across, up = (width - 4) / ((last - first) or 1), (height - 4) / ((high - low) or 1)
    points = [f"{2 + (x - first) * across:.1f} {height - 2 - (y - low) * up:.1f}" for x, y in thin]
    return "M" + "L".join(points)
