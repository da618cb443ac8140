"""draw_figures: every figure for which a report has data."""

from typing import TYPE_CHECKING

from penstock.evaluation.figures._curves import draw_calibration, draw_precision_recall, draw_roc
from penstock.evaluation.figures._drawable import Drawable
from penstock.evaluation.figures._importance import draw_importance
from penstock.evaluation.figures._labels import draw_confusion
from penstock.evaluation.figures._numbers import draw_predicted, draw_residuals
from penstock.evaluation.figures._slices import draw_slices

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from penstock.evaluation._outcomes import Outcomes


def draw_figures(report: Drawable) -> "dict[str, go.Figure]":
    """Draw every plot for which the report has data; equal reports give equal plots.

    Args:
        report: The report; the holdout rows are read.
    """
    outcomes = report.outcomes()
    outcomes = outcomes.take(outcomes.canonical_order())
    if report.task == "multilabel":
        # Curves and tables of one class at a time; each label has its own figures in the report.
        whole = {"slices": draw_slices, "importance": draw_importance}
        drawn = {name: draw(report, outcomes) for name, draw in whole.items()}
        return {name: figure for name, figure in drawn.items() if figure is not None}
    drawings: dict[str, Callable[[Drawable, Outcomes], go.Figure | None]] = {
        "roc": draw_roc,
        "precision_recall": draw_precision_recall,
        "calibration": draw_calibration,
        "confusion": draw_confusion,
        "predicted_vs_actual": draw_predicted,
        "residuals": draw_residuals,
        "slices": draw_slices,
        "importance": draw_importance,
    }
    figures = {name: draw(report, outcomes) for name, draw in drawings.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}
