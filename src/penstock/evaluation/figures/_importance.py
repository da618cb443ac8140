"""Figure of importance: the loss of the headline metric when each column is shuffled."""

from typing import TYPE_CHECKING

from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.figures._drawable import Drawable
from penstock.evaluation.figures._style import COLOURS, INK, new_figure, plain_text, whiskers

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MOST_COLUMNS = 20


def draw_importance(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    """Draw the most important columns, and the groups of columns that tell the same."""
    import plotly.graph_objects as go

    del outcomes
    importances = report.importance
    if importances is None or not importances.columns:
        return None
    shown = [*importances.columns[:_MOST_COLUMNS], *importances.groups]
    left_out = len(importances.columns) - len(importances.columns[:_MOST_COLUMNS])
    figure = new_figure(
        "Importance of columns",
        f"{importances.repeats} shuffles of {importances.rows:,} rows, with 95 % intervals"
        + (f"; {left_out} less important columns are not shown" if left_out else ""),
        x=f"loss of {importances.metric} when shuffled",
        y="",
    )
    losses = [each.loss for each in shown]
    names = [plain_text(" + ".join(each.columns)) for each in shown]
    single = len(shown) - len(importances.groups)
    figure.add_trace(
        go.Scatter(
            x=[each.value for each in losses],
            y=list(range(len(shown))),
            error_x=whiskers(
                [0 if each.needs else each.high - each.value for each in losses],
                [0 if each.needs else each.value - each.low for each in losses],
            ),
            customdata=names,
            hovertemplate="%{customdata}<br>%{x:.4f}<extra></extra>",
            mode="markers",
            marker={
                "size": 8,
                "color": [COLOURS[0 if at < single else 1] for at in range(len(shown))],
            },
            showlegend=False,
        )
    )
    figure.add_vline(x=0, line={"color": INK, "dash": "dot", "width": 1})
    figure.update_yaxes(
        range=[len(shown) - 0.5, -0.5], tickvals=list(range(len(shown))), ticktext=names
    )
    figure.update_layout(height=150 + 24 * len(shown))
    return figure
