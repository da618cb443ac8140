"""Plots of a report; apart because plotly is heavy and all plots share a style."""

from typing import TYPE_CHECKING, Any, Protocol

from penstock.evaluation._metrics import METRICS, format_figure
from penstock.evaluation._outcomes import Outcomes, order_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from penstock.evaluation._calibration import Calibration
    from penstock.evaluation._metrics import Estimate
    from penstock.evaluation._slices import SliceResult

# Okabe and Ito (2008): distinguishable for colour-blind readers.
_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7F6A00",
    "#000000",
)
_INK, _GREY, _GRID = "#1f2933", "#8a94a0", "#e5e9ee"
_BLUES = ((0.0, "#f4f8fb"), (0.5, "#7fb5d8"), (1.0, "#0b4f80"))
_MOST_POINTS = 400  # of a curve: finer than a screen
_MOST_DOTS = 2_000  # of a scatter plot
_MOST_CURVES = 8
_MOST_CLASSES = 20
_MOST_SLICES = 12  # shown per column


class Drawable(Protocol):
    """The attributes of a report that plots need; here to avoid an import circle."""

    @property
    def task(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def part(self) -> str: ...
    @property
    def classes(self) -> tuple[Any, ...]: ...
    @property
    def metrics(self) -> "Mapping[str, Estimate]": ...
    @property
    def headline(self) -> str | None: ...
    @property
    def slices(self) -> "Mapping[str, tuple[SliceResult, ...]]": ...
    @property
    def calibration(self) -> "Calibration | None": ...
    def outcomes(self) -> Outcomes: ...


def draw_figures(report: Drawable) -> "dict[str, go.Figure]":
    """Draw every plot for which the report has data; equal reports give equal plots.

    Args:
        report: The report; the holdout rows are read.
    """
    outcomes = report.outcomes()
    outcomes = outcomes.take(outcomes.canonical_order())
    drawings: dict[str, Callable[[Drawable, Outcomes], go.Figure | None]] = {
        "roc": _draw_roc,
        "precision_recall": _draw_precision_recall,
        "calibration": _draw_calibration,
        "confusion": _draw_confusion,
        "predicted_vs_actual": _draw_predicted,
        "residuals": _draw_residuals,
        "slices": _draw_slices,
    }
    figures = {name: draw(report, outcomes) for name, draw in drawings.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


# Curves


def _draw_roc(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    if "roc_auc" not in report.metrics:
        return None
    figure = _new_figure(
        "ROC curve",
        f"area under it {report.metrics['roc_auc']}",
        x="False positive rate (share)",
        y="True positive rate (share)",
    )
    _add_line(figure, [0, 1], [0, 1], name="chance", colour=_GREY, dash="dot")
    for name, colour, found, wrong, _ in _curves(outcomes):
        _add_line(figure, wrong, found, name=name, colour=colour)
    return _square(figure)


def _draw_precision_recall(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    scored = outcomes.scores is not None and not outcomes.bad_scores
    if report.task == "regression" or not scored or not outcomes.truth.any():
        return None
    figure = _new_figure(
        "Precision and recall",
        f"average precision {report.metrics['average_precision']}"
        if "average_precision" in report.metrics
        else "each class against the rest",
        x="Recall (share of positive rows)",
        y="Precision (share of chosen rows)",
    )
    if report.task == "binary":
        share = float(outcomes.truth.mean())
        _add_line(figure, [0, 1], [share, share], name="chance", colour=_GREY, dash="dot")
    for name, colour, found, _, precision in _curves(outcomes):
        _add_line(figure, found[1:], precision[1:], name=name, colour=colour)
    return _square(figure)


def _curves(outcomes: Outcomes) -> "list[tuple[str, str, Any, Any, Any]]":
    """Return curves by falling threshold: name, colour, recall, false positive rate, precision."""
    assert outcomes.scores is not None
    if outcomes.task == "binary":
        parts = [(1, outcomes.scores)]
    else:
        common = sorted(
            range(len(outcomes.classes)), key=lambda code: -(outcomes.truth == code).sum()
        )
        parts = [(code, outcomes.scores[:, code]) for code in sorted(common[:_MOST_CURVES])]
    curves = []
    for at, (code, scores) in enumerate(parts):
        positive = outcomes.truth == code
        if positive.any() and not positive.all():
            name = "model" if outcomes.task == "binary" else _text(outcomes.classes[code])
            colour = _COLOURS[at % len(_COLOURS)]
            curves.append((name, colour, *_thresholds(positive, scores)))
    return curves


def _thresholds(
    positive: "NDArray[np.bool_]", scores: "NDArray[np.float64]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]":
    import numpy as np

    order, starts, _ = order_scores(scores)
    positive = positive if order is None else positive[order]
    # From the highest score down; a point per distinct score.
    firsts = np.unique(starts)[::-1]
    tail = np.cumsum(positive[::-1])[::-1]
    found, chosen = tail[firsts], len(positive) - firsts
    keep = _spaced(len(firsts), _MOST_POINTS)
    found, chosen = found[keep], chosen[keep]
    recall = np.concatenate([[0.0], found / positive.sum()])
    wrong = np.concatenate([[0.0], (chosen - found) / (~positive).sum()])
    precision = np.concatenate([[1.0], found / chosen])
    return recall, wrong, precision


def _draw_calibration(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    import plotly.graph_objects as go

    del outcomes
    calibration = report.calibration
    if calibration is None:
        return None
    figure = _new_figure(
        "Calibration",
        f"expected calibration error {format_figure(calibration.expected_calibration_error)}",
        x=f"Mean predicted probability of {_text(calibration.subject)}",
        y="Share that came true",
    )
    _add_line(figure, [0, 1], [0, 1], name="perfect", colour=_GREY, dash="dot")
    bins = calibration.bins
    figure.add_trace(
        go.Scatter(
            x=[each.score for each in bins],
            y=[each.share for each in bins],
            error_y=_whiskers(
                [each.high - each.share for each in bins], [each.share - each.low for each in bins]
            ),
            customdata=[[each.rows] for each in bins],
            hovertemplate="score %{x:.3f}<br>came true %{y:.3f}<br>%{customdata[0]:,} rows"
            "<extra></extra>",
            mode="lines+markers",
            name="model, 95 % interval",
            line={"color": _COLOURS[0], "width": 2},
            marker={"size": 7},
        )
    )
    top = max(max(max(each.high, each.score) for each in bins) * 1.05, 0.05)
    return _square(figure, top=min(top, 1.0))


# Classes


def _draw_confusion(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    import numpy as np
    import plotly.graph_objects as go

    if report.task == "regression" or len(report.classes) > _MOST_CLASSES:
        return None
    size = len(outcomes.classes)
    counts = np.bincount(outcomes.truth * size + outcomes.prediction, minlength=size * size)
    counts = counts.reshape(size, size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [_text(label) for label in outcomes.classes]
    texts = [
        [f"{count:,}<br>{share:.1%}" for count, share in zip(*row, strict=True)]
        for row in zip(counts.tolist(), shares.tolist(), strict=True)
    ]
    figure = _new_figure(
        "Confusion", "rows, and their share of the true class", x="Predicted class", y="True class"
    )
    figure.add_trace(
        go.Heatmap(
            z=shares.tolist(),
            x=names,
            y=names,
            text=texts if size <= _MOST_CURVES else None,
            texttemplate="%{text}" if size <= _MOST_CURVES else None,
            colorscale=[list(stop) for stop in _BLUES],
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            colorbar={
                "title": {"text": "share of<br>true class"},
                "tickformat": ".0%",
                "thickness": 12,
                "outlinewidth": 0,
            },
            hovertemplate="true %{y}, predicted %{x}<br>%{z:.1%} of the true class<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    figure.update_xaxes(type="category", showgrid=False)
    return figure


# Numbers


def _draw_predicted(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    import numpy as np

    if report.task != "regression" or not np.isfinite(outcomes.prediction).all():
        return None
    figure = _new_figure(
        "Predicted and actual",
        f"R² {report.metrics['r2']}" if "r2" in report.metrics else "one dot per test row",
        x=f"Actual {_text(report.target)}",
        y=f"Predicted {_text(report.target)}",
    )
    keep = _spaced(len(outcomes), _MOST_DOTS)
    both = np.concatenate([outcomes.truth, outcomes.prediction])
    ends = [float(both.min()), float(both.max())]
    _add_dots(figure, outcomes.truth[keep], outcomes.prediction[keep], "actual", "predicted")
    _add_line(figure, ends, ends, name="perfect", colour=_INK, dash="dot")
    return figure


def _draw_residuals(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    import numpy as np

    if report.task != "regression" or not np.isfinite(outcomes.prediction).all():
        return None
    figure = _new_figure(
        "Residuals",
        f"root mean squared error {report.metrics['rmse']}",
        x=f"Predicted {_text(report.target)}",
        y=f"Predicted - actual {_text(report.target)}",
    )
    keep = _spaced(len(outcomes), _MOST_DOTS)
    predicted = outcomes.prediction[keep]
    residuals = predicted - outcomes.truth[keep]
    _add_dots(figure, predicted, residuals, "predicted", "predicted - actual")
    ends = [float(predicted.min()), float(predicted.max())]
    _add_line(figure, ends, [0, 0], name="no error", colour=_INK, dash="dot")
    return figure


# Slices


def _draw_slices(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    import plotly.graph_objects as go

    del outcomes
    name = report.headline
    if name is None or not report.slices:
        return None
    title = METRICS[name].title.replace("target unit", f"unit of {_text(report.target)}")
    figure = _new_figure(
        f"{title[0].upper()}{title[1:]} by slice",
        f"with 95 % intervals; the line is all {report.part} rows",
        x=title,
        y="",
    )
    rows: list[str] = []
    for at, (column, results) in enumerate(report.slices.items()):
        shown = [each for each in results if name in each.metrics and not each.small]
        shown = sorted(shown, key=lambda each: -each.rows)[:_MOST_SLICES]
        shown = [each for each in results if each in shown]
        figures = [each.metrics[name] for each in shown]
        name_of_column = _text(column)
        labels = [
            f"{_text(each.value)} <span style='color:{_GREY}'>{name_of_column}</span>"
            for each in shown
        ]
        places = list(range(len(rows), len(rows) + len(labels)))
        rows.extend(labels)
        figure.add_trace(
            go.Scatter(
                x=[each.value for each in figures],
                y=places,
                error_x=_whiskers(
                    [0 if each.needs else each.high - each.value for each in figures],
                    [0 if each.needs else each.value - each.low for each in figures],
                ),
                customdata=[[each.rows, _text(each.value)] for each in shown],
                hovertemplate=f"{name_of_column} = %{{customdata[1]}}<br>{name} %{{x:.3f}}"
                "<br>%{customdata[0]:,} rows<extra></extra>",
                mode="markers",
                name=name_of_column,
                marker={"size": 8, "color": _COLOURS[at % len(_COLOURS)]},
            )
        )
    if not rows:
        return None
    whole = report.metrics[name].value
    figure.add_vline(x=whole, line={"color": _INK, "dash": "dot", "width": 1})
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5], tickvals=list(range(len(rows))), ticktext=rows
    )
    figure.update_layout(height=150 + 24 * len(rows))
    return figure


# Style


def _new_figure(title: str, subtitle: str, *, x: str, y: str) -> "go.Figure":
    import plotly.graph_objects as go

    axis = {
        "gridcolor": _GRID,
        "zeroline": False,
        "linecolor": _GREY,
        "ticks": "outside",
        "tickcolor": _GREY,
        "automargin": True,
    }
    figure = go.Figure()
    figure.update_layout(
        template="none",
        title={
            "text": title,
            "subtitle": {"text": subtitle, "font": {"size": 13, "color": "#52606d"}},
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "font": {"size": 18, "color": _INK},
        },
        font={
            "family": "system-ui, -apple-system, Segoe UI, sans-serif",
            "size": 13,
            "color": _INK,
        },
        width=None,
        height=440,
        margin={"l": 70, "r": 24, "t": 84, "b": 60},
        paper_bgcolor="white",
        plot_bgcolor="white",
        xaxis={**axis, "title": {"text": x}},
        yaxis={**axis, "title": {"text": y}},
        legend={"bgcolor": "rgba(255,255,255,0.8)"},
        hoverlabel={"font": {"size": 13}},
    )
    return figure


def _square(figure: "go.Figure", top: float = 1.0) -> "go.Figure":
    figure.update_xaxes(range=[-0.02 * top, 1.02 * top])
    figure.update_yaxes(range=[-0.02 * top, 1.02 * top])
    return figure


def _add_line(
    figure: "go.Figure", x: Any, y: Any, *, name: str, colour: str, dash: str = "solid"
) -> None:
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            x=_plain(x),
            y=_plain(y),
            name=name,
            mode="lines",
            line={"color": colour, "dash": dash, "width": 2 if dash == "solid" else 1.5},
            hovertemplate="%{x:.3f}, %{y:.3f}<extra>" + name + "</extra>",
        )
    )


def _add_dots(figure: "go.Figure", x: Any, y: Any, x_name: str, y_name: str) -> None:
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            x=_plain(x),
            y=_plain(y),
            name="test rows",
            mode="markers",
            marker={"color": _COLOURS[0], "size": 5, "opacity": 0.35},
            hovertemplate=f"{x_name} %{{x:,.4g}}<br>{y_name} %{{y:,.4g}}<extra></extra>",
        )
    )


def _whiskers(above: list[float], below: list[float]) -> dict[str, Any]:
    return {
        "type": "data",
        "array": above,
        "arrayminus": below,
        "thickness": 1.2,
        "width": 3,
        "color": _GREY,
    }


def _spaced(rows: int, most: int) -> "NDArray[np.intp]":
    import numpy as np

    if rows <= most:
        return np.arange(rows)
    return np.unique(np.round(np.linspace(0, rows - 1, most)).astype(np.intp))


def _plain(values: Any) -> list[float]:
    # Six digits are finer than any screen and make the stored plot small.
    return [float(f"{value:.6g}") for value in values]


def _text(value: Any) -> str:
    text = str(value)
    short = text if len(text) <= 28 else text[:27] + "…"  # noqa: PLR2004 - fits beside the axis
    # Plotly interprets some HTML, but a label is plain text.
    return short.replace("&", "&amp;").replace("<", "&lt;")
