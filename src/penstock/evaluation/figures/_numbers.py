"""Figures of a regression: predicted and actual values, residuals."""

from typing import TYPE_CHECKING

from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.figures._drawable import Drawable
from penstock.evaluation.figures._style import (
    INK,
    add_dots,
    add_line,
    new_figure,
    plain_text,
    spaced,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MOST_DOTS = 2_000  # of a scatter plot


def draw_predicted(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    """Draw predicted by actual values."""
    import numpy as np

    if report.task != "regression" or not np.isfinite(outcomes.prediction).all():
        return None
    figure = new_figure(
        "Predicted and actual",
        f"R² {report.metrics['r2']}" if "r2" in report.metrics else "one dot per test row",
        x=f"Actual {plain_text(report.target)}",
        y=f"Predicted {plain_text(report.target)}",
    )
    keep = spaced(len(outcomes), _MOST_DOTS)
    both = np.concatenate([outcomes.truth, outcomes.prediction])
    ends = [float(both.min()), float(both.max())]
    add_dots(figure, outcomes.truth[keep], outcomes.prediction[keep], "actual", "predicted")
    add_line(figure, ends, ends, name="perfect", colour=INK, dash="dot")
    return figure


def draw_residuals(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    """Draw residuals by predicted values."""
    import numpy as np

    if report.task != "regression" or not np.isfinite(outcomes.prediction).all():
        return None
    figure = new_figure(
        "Residuals",
        f"root mean squared error {report.metrics['rmse']}",
        x=f"Predicted {plain_text(report.target)}",
        y=f"Predicted - actual {plain_text(report.target)}",
    )
    keep = spaced(len(outcomes), _MOST_DOTS)
    predicted = outcomes.prediction[keep]
    residuals = predicted - outcomes.truth[keep]
    add_dots(figure, predicted, residuals, "predicted", "predicted - actual")
    ends = [float(predicted.min()), float(predicted.max())]
    add_line(figure, ends, [0, 0], name="no error", colour=INK, dash="dot")
    return figure
