"""The style that all figures of a report share: colours, axes, lines and dots."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go
    from numpy.typing import NDArray

# Okabe and Ito (2008): distinguishable for colour-blind readers.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7F6A00",
    "#000000",
)
INK, GREY, _GRID = "#1f2933", "#8a94a0", "#e5e9ee"


def new_figure(title: str, subtitle: str, *, x: str, y: str) -> "go.Figure":
    """Make an empty figure with title and axes."""
    import plotly.graph_objects as go

    axis = {
        "gridcolor": _GRID,
        "zeroline": False,
        "linecolor": GREY,
        "ticks": "outside",
        "tickcolor": GREY,
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
            "font": {"size": 18, "color": INK},
        },
        font={
            "family": "system-ui, -apple-system, Segoe UI, sans-serif",
            "size": 13,
            "color": INK,
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


def square(figure: "go.Figure", top: float = 1.0) -> "go.Figure":
    """Give both axes the range from 0 to the top."""
    figure.update_xaxes(range=[-0.02 * top, 1.02 * top])
    figure.update_yaxes(range=[-0.02 * top, 1.02 * top])
    return figure


def add_line(
    figure: "go.Figure", x: Any, y: Any, *, name: str, colour: str, dash: str = "solid"
) -> None:
    """Add a line to a figure."""
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


def add_dots(figure: "go.Figure", x: Any, y: Any, x_name: str, y_name: str) -> None:
    """Add a dot per row to a figure."""
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            x=_plain(x),
            y=_plain(y),
            name="test rows",
            mode="markers",
            marker={"color": COLOURS[0], "size": 5, "opacity": 0.35},
            hovertemplate=f"{x_name} %{{x:,.4g}}<br>{y_name} %{{y:,.4g}}<extra></extra>",
        )
    )


def whiskers(above: list[float], below: list[float]) -> dict[str, Any]:
    """Return the bars of intervals above and below."""
    return {
        "type": "data",
        "array": above,
        "arrayminus": below,
        "thickness": 1.2,
        "width": 3,
        "color": GREY,
    }


def spaced(rows: int, most: int) -> "NDArray[np.intp]":
    """Return at most so many positions, evenly spaced."""
    import numpy as np

    if rows <= most:
        return np.arange(rows)
    return np.unique(np.round(np.linspace(0, rows - 1, most)).astype(np.intp))


def plain_text(value: Any) -> str:
    """Shorten a value to a label, without HTML."""
    text = str(value)
    short = text if len(text) <= 28 else text[:27] + "…"  # noqa: PLR2004 - fits beside the axis
    # Plotly interprets some HTML, but a label is plain text.
    return short.replace("&", "&amp;").replace("<", "&lt;")


def _plain(values: Any) -> list[float]:
    # Six digits are finer than any screen and make the stored plot small.
    return [float(f"{value:.6g}") for value in values]
