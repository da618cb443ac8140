"""Figures of scores: ROC curve, precision and recall, calibration."""

from typing import TYPE_CHECKING, Any

from penstock.evaluation._metrics import format_figure
from penstock.evaluation._outcomes import Outcomes, order_scores
from penstock.evaluation.figures._drawable import Drawable
from penstock.evaluation.figures._style import (
    COLOURS,
    GREY,
    add_line,
    new_figure,
    plain_text,
    spaced,
    square,
    whiskers,
)

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go
    from numpy.typing import NDArray

_MOST_POINTS = 400  # of a curve: finer than a screen
_MOST_CURVES = 8


def draw_roc(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    """Draw the ROC curve, a curve per class for several classes."""
    if "roc_auc" not in report.metrics:
        return None
    figure = new_figure(
        "ROC curve",
        f"area under it {report.metrics['roc_auc']}",
        x="False positive rate (share)",
        y="True positive rate (share)",
    )
    add_line(figure, [0, 1], [0, 1], name="chance", colour=GREY, dash="dot")
    for name, colour, hits, wrong, _ in _curves(outcomes):
        add_line(figure, wrong, hits, name=name, colour=colour)
    return square(figure)


def draw_precision_recall(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    """Draw precision by recall, a curve per class for several classes."""
    scored = outcomes.scores is not None and not outcomes.bad_scores
    if report.task == "regression" or not scored or not outcomes.truth.any():
        return None
    figure = new_figure(
        "Precision and recall",
        f"average precision {report.metrics['average_precision']}"
        if "average_precision" in report.metrics
        else "each class against the rest",
        x="Recall (share of positive rows)",
        y="Precision (share of chosen rows)",
    )
    if report.task == "binary":
        share = float(outcomes.truth.mean())
        add_line(figure, [0, 1], [share, share], name="chance", colour=GREY, dash="dot")
    for name, colour, recall, _, precision in _curves(outcomes):
        add_line(figure, recall[1:], precision[1:], name=name, colour=colour)
    return square(figure)


def draw_calibration(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    """Draw the share that came true by the predicted probability."""
    import plotly.graph_objects as go

    del outcomes
    calibration = report.calibration
    if calibration is None:
        return None
    figure = new_figure(
        "Calibration",
        f"expected calibration error {format_figure(calibration.expected_calibration_error)}",
        x=f"Mean predicted probability of {plain_text(calibration.subject)}",
        y="Share that came true",
    )
    add_line(figure, [0, 1], [0, 1], name="perfect", colour=GREY, dash="dot")
    bins = calibration.bins
    figure.add_trace(
        go.Scatter(
            x=[each.score for each in bins],
            y=[each.share for each in bins],
            error_y=whiskers(
                [each.high - each.share for each in bins], [each.share - each.low for each in bins]
            ),
            customdata=[[each.rows] for each in bins],
            hovertemplate="score %{x:.3f}<br>came true %{y:.3f}<br>%{customdata[0]:,} rows"
            "<extra></extra>",
            mode="lines+markers",
            name="model, 95 % interval",
            line={"color": COLOURS[0], "width": 2},
            marker={"size": 7},
        )
    )
    top = max(max(max(each.high, each.score) for each in bins) * 1.05, 0.05)
    return square(figure, top=min(top, 1.0))


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
            name = "model" if outcomes.task == "binary" else plain_text(outcomes.classes[code])
            colour = COLOURS[at % len(COLOURS)]
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
    hits, chosen = tail[firsts], len(positive) - firsts
    keep = spaced(len(firsts), _MOST_POINTS)
    hits, chosen = hits[keep], chosen[keep]
    recall = np.concatenate([[0.0], hits / positive.sum()])
    wrong = np.concatenate([[0.0], (chosen - hits) / (~positive).sum()])
    precision = np.concatenate([[1.0], hits / chosen])
    return recall, wrong, precision
