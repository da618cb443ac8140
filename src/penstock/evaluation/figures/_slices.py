"""Figure of slices: the headline metric by the values of each column."""

from typing import TYPE_CHECKING

from penstock.evaluation._metrics import METRICS
from penstock.evaluation._outcomes import Outcomes
from penstock.evaluation.figures._drawable import Drawable
from penstock.evaluation.figures._style import COLOURS, GREY, INK, new_figure, plain_text, whiskers

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MOST_SLICES = 12  # shown per column


def draw_slices(report: Drawable, outcomes: Outcomes) -> "go.Figure | None":
    """Draw the headline metric of each value of the slice columns."""
    import plotly.graph_objects as go

    del outcomes
    name = report.headline
    if name is None or not report.slices:
        return None
    title = METRICS[name].title.replace("target unit", f"unit of {plain_text(report.target)}")
    figure = new_figure(
        f"{title[0].upper()}{title[1:]} by slice",
        f"with 95 % intervals; the line is all {report.subset} rows",
        x=title,
        y="",
    )
    rows: list[str] = []
    for at, (column, results) in enumerate(report.slices.items()):
        shown = [each for each in results if name in each.metrics and not each.small]
        shown = sorted(shown, key=lambda each: -each.rows)[:_MOST_SLICES]
        shown = [each for each in results if each in shown]
        figures = [each.metrics[name] for each in shown]
        name_of_column = plain_text(column)
        labels = [
            f"{plain_text(each.value)} <span style='color:{GREY}'>{name_of_column}</span>"
            for each in shown
        ]
        places = list(range(len(rows), len(rows) + len(labels)))
        rows.extend(labels)
        figure.add_trace(
            go.Scatter(
                x=[each.value for each in figures],
                y=places,
                error_x=whiskers(
                    [0 if each.needs else each.high - each.value for each in figures],
                    [0 if each.needs else each.value - each.low for each in figures],
                ),
                customdata=[[each.rows, plain_text(each.value)] for each in shown],
                hovertemplate=f"{name_of_column} = %{{customdata[1]}}<br>{name} %{{x:.3f}}"
                "<br>%{customdata[0]:,} rows<extra></extra>",
                mode="markers",
                name=name_of_column,
                marker={"size": 8, "color": COLOURS[at % len(COLOURS)]},
            )
        )
    if not rows:
        return None
    whole = report.metrics[name].value
    figure.add_vline(x=whole, line={"color": INK, "dash": "dot", "width": 1})
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5], tickvals=list(range(len(rows))), ticktext=rows
    )
    figure.update_layout(height=150 + 24 * len(rows))
    return figure
