"""Figure of labels: the confusion matrix."""

from typing import TYPE_CHECKING

from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.figures._drawable import Drawable
from penstock.evaluation.figures._style import new_figure, plain_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

_BLUES = ((0.0, "#f4f8fb"), (0.5, "#7fb5d8"), (1.0, "#0b4f80"))
_MOST_CLASSES = 20
_MOST_TEXTS = 8  # classes whose cells have room for a text


def draw_confusion(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    """Draw the rows by true and predicted class."""
    import numpy as np
    import plotly.graph_objects as go

    if report.task == "regression" or len(report.classes) > _MOST_CLASSES:
        return None
    size = len(outcomes.classes)
    counts = np.bincount(outcomes.truth * size + outcomes.prediction, minlength=size * size)
    counts = counts.reshape(size, size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [plain_text(label) for label in outcomes.classes]
    texts = [
        [f"{count:,}<br>{share:.1%}" for count, share in zip(*row, strict=True)]
        for row in zip(counts.tolist(), shares.tolist(), strict=True)
    ]
    figure = new_figure(
        "Confusion", "rows, and their share of the true class", x="Predicted class", y="True class"
    )
    figure.add_trace(
        go.Heatmap(
            z=shares.tolist(),
            x=names,
            y=names,
            text=texts if size <= _MOST_TEXTS else None,
            texttemplate="%{text}" if size <= _MOST_TEXTS else None,
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
