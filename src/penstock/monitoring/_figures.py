"""Pictures of a DriftReport as plotly figures; apart because plotly is heavy and loaded on use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.evaluation import METRICS
from penstock.monitoring._column_drift import ColumnDrift, drifted_columns
from penstock.monitoring._performance import Performance

if TYPE_CHECKING:
    import plotly.graph_objects as go

_THEN, _NOW, _ALARM, _CALM = "#7a8ba6", "#2563eb", "#dc2626", "#7a8ba6"
_MOST_COLUMNS = 12
_MOST_BINS = 20
_MOST_BARS = 40


def draw_figures(
    columns: Sequence[ColumnDrift], predictions: Sequence[ColumnDrift], performance: Performance
) -> "dict[str, go.Figure]":
    """Draw the figures of a report.

    Args:
        columns: Features in the training profile's order.
        predictions: Predictions and scores.
        performance: Metrics on the rows with ground truth.

    Returns:
        Figures by name: ``overview``; ``column:NAME`` for each drifted column and each prediction;
        ``performance`` if there is ground truth.
    """
    every = (*columns, *predictions)
    compared = [each for each in every if each.main is not None]
    figures: dict[str, go.Figure] = {}
    if compared:
        figures["overview"] = _overview(compared)
    shown = drifted_columns(every)[:_MOST_COLUMNS]
    shown += [each for each in predictions if each not in shown]
    for drift in shown:
        if drift.bins:
            figures[f"column:{drift.column}"] = _column(drift)
    if performance.metrics:
        figures["performance"] = _performance(performance)
    return figures


def _overview(compared: list[ColumnDrift]) -> "go.Figure":
    import plotly.graph_objects as go

    rows = []
    for drift in compared:
        check = drift.main
        assert check is not None
        # Effects have different units; as multiples of their limits they share an axis.
        unit = check.minimum or 1.0
        rows.append((check.effect.value / unit, drift.column, check, unit, drift.drifted))
    rows.sort(key=lambda row: (row[0], row[1]))
    rows = rows[-_MOST_BARS:]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=[column for _, column, *_ in rows],
            x=[size for size, *_ in rows],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [(check.effect.high - check.effect.value) / u for *_, check, u, _ in rows],
                "arrayminus": [
                    (check.effect.value - check.effect.low) / u for *_, check, u, _ in rows
                ],
                "thickness": 1,
            },
            marker_color=[_ALARM if drifted else _CALM for *_, drifted in rows],
            hovertemplate="%{y}: %{x:.2f} times the limit<extra></extra>",
        )
    )
    figure.add_vline(x=1.0, line_dash="dash", line_color="#111827")
    return _styled(
        figure,
        "Change since training, with 95 % intervals (1 = least that matters)",
        x="effect / limit",
        height=120 + 22 * len(rows),
    )


def _column(drift: ColumnDrift) -> "go.Figure":
    import plotly.graph_objects as go

    bins = drift.bins[:_MOST_BINS]
    then = sum(count for _, count, _ in drift.bins) or 1
    now = sum(count for *_, count in drift.bins) or 1
    labels = [label for label, *_ in bins]
    figure = go.Figure()
    for name, colour, shares in (
        ("training", _THEN, [a / then for _, a, _ in bins]),
        ("now", _NOW, [b / now for *_, b in bins]),
    ):
        figure.add_bar(name=name, x=labels, y=shares, marker_color=colour)
    figure.update_yaxes(tickformat=".0%")
    title = f"{drift.column}: {'drifted' if drift.drifted else 'as in training'}"
    return _styled(figure, title, y="share of rows")


def _performance(performance: Performance) -> "go.Figure":
    import plotly.graph_objects as go

    # Metrics between 0 and 1 share an axis, which errors in other units would flatten.
    names = [
        name
        for name in performance.metrics
        if name in performance.registered and METRICS[name].maximum == 1.0
    ] or list(performance.metrics)
    figure = go.Figure()
    for title, colour, estimates in (
        ("registration", _THEN, performance.registered),
        ("now", _NOW, performance.metrics),
    ):
        present = [name for name in names if name in estimates]
        figure.add_scatter(
            name=title,
            mode="markers",
            x=present,
            y=[estimates[name].value for name in present],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [estimates[name].high - estimates[name].value for name in present],
                "arrayminus": [estimates[name].value - estimates[name].low for name in present],
            },
            marker={"color": colour, "size": 9},
        )
    title = f"Performance on {performance.truths:,} truths ({performance.matured:.0%} of rows)"
    return _styled(figure, title, y="metric")


def _styled(
    figure: "go.Figure", title: str, *, x: str = "", y: str = "", height: int = 340
) -> "go.Figure":
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        template="plotly_white",
        height=height,
        barmode="group",
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        legend={"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"},
    )
    figure.update_xaxes(title=x or None, automargin=True)
    figure.update_yaxes(title=y or None, automargin=True)
    return figure
