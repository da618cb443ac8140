"""Charts of a study as plotly data: history, importance, slices, contour, coordinates, front."""

import math
from collections.abc import Sequence
from typing import Any

from penstock.core import MissingPackageError
from penstock.tuning import Choice, Study, Trial

Figure = dict[str, Any]
_FEWEST = 2
_CONTOUR = 6  # trials
_LINES = 200  # trials drawn as lines, the best ones


def study_charts(study: Study) -> dict[str, Figure]:
    """Draw the charts that the trials of a study allow, by title.

    Args:
        study: The study.
    """
    complete = study.complete
    if len(complete) < _FEWEST:
        return {}
    charts = {f"History of {each.metric}": _history(study, place)
              for place, each in enumerate(study.spec.objectives)}  # fmt: skip
    if study.spec.is_multi:
        charts["Pareto front"] = _front(study)
    if (bars := _importance(study)) is not None:
        charts["Parameter importance"] = bars
    if len(study.spec.space) > 1:
        charts["Parallel coordinates"] = _coordinates(study)
    numbers = _numeric(study)
    if len(numbers) > 1 and len(complete) >= _CONTOUR:
        first, second = numbers[:2]
        charts[f"{first} and {second}"] = _contour(study, first, second)
    for name in study.spec.space:
        charts[f"Slice: {name}"] = _slice(study, name)
    return charts


def _history(study: Study, place: int) -> Figure:
    trials = study.complete
    objective = study.spec.objectives[place]
    best: list[float] = []
    for trial in trials:
        value = trial.values[place]
        if best and (not trial.is_feasible or not objective.is_better(value, best[-1])):
            value = best[-1]
        best.append(value)
    numbers = [trial.number for trial in trials]
    values = [trial.values[place] for trial in trials]
    points = _points(numbers, values, [_told(trial) for trial in trials], "trials")
    line = {"type": "scatter", "mode": "lines", "name": "best so far", "x": numbers, "y": best,
            "line": {"shape": "hv", "width": 1.8}}  # fmt: skip
    return {"data": [points, line], "layout": _axes("trial", objective.metric)}


def _front(study: Study) -> Figure:
    first, second = study.spec.objectives[:2]
    on_front = {trial.number for trial in study.pareto_front}
    data = []
    for name, trials in (
        ("trials", [t for t in study.complete if t.number not in on_front]),
        ("Pareto front", [t for t in study.complete if t.number in on_front]),
    ):
        xs, ys = [t.values[0] for t in trials], [t.values[1] for t in trials]
        data.append(_points(xs, ys, [_told(t) for t in trials], name))
    return {"data": data, "layout": _axes(first.metric, second.metric)}


def _importance(study: Study) -> Figure | None:
    try:
        shares = study.importance()
    except MissingPackageError:  # the page is shown where no search package is installed
        return None
    if not shares:
        return None
    shown = list(reversed(shares))
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [each.share for each in shown],
        "y": [each.parameter for each in shown],
    }
    layout = {**_axes("share", ""), "showlegend": False}
    layout["yaxis"] = {"type": "category", "automargin": True}
    return {"data": [bars], "layout": layout}


def _slice(study: Study, name: str) -> Figure:
    trials, objective = study.complete, study.spec.objectives[0]
    dimension = study.spec.space[name]
    values = [_shown(trial, name) for trial in trials]
    points = _points(values, [t.values[0] for t in trials], [_told(t) for t in trials], name)
    layout = {**_axes(name, objective.metric), "showlegend": False}
    if isinstance(dimension, Choice):
        layout["xaxis"] = {"title": {"text": name}, "type": "category"}
    elif dimension.log:
        layout["xaxis"] = {"title": {"text": name}, "type": "log"}
    return {"data": [points], "layout": layout}


def _contour(study: Study, first: str, second: str) -> Figure:
    trials = study.complete
    xs, ys = [t.params[first] for t in trials], [t.params[second] for t in trials]
    fields = {
        "type": "contour",
        "x": xs,
        "y": ys,
        "z": [t.values[0] for t in trials],
        "connectgaps": True,
        "contours": {"coloring": "heatmap"},
        "line": {"smoothing": 0.9, "width": 0.5},
        "colorbar": {"thickness": 10},
    }
    points = _points(xs, ys, [_told(t) for t in trials], "trials")
    layout = {**_axes(first, second), "showlegend": False}
    for axis, name in (("xaxis", first), ("yaxis", second)):
        if getattr(study.spec.space[name], "log", False):
            layout[axis] = {"title": {"text": name}, "type": "log"}
    return {"data": [fields, points], "layout": layout}


def _coordinates(study: Study) -> Figure:
    """Draw each trial as a line over the parameters; as plain lines, which need no WebGL."""
    trials, objective = study.complete, study.spec.objectives[0]
    names = [*study.spec.space, objective.metric]
    places = [_places(study, name) for name in study.spec.space]
    values = _spread([trial.values[0] for trial in trials])
    places.append(values)
    data: list[Figure] = []
    for number, trial in enumerate(trials):
        good = values[number] if objective.direction == "maximize" else 1 - values[number]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"trial {trial.number}",
                "x": names,
                "y": [column[number] for column in places],
                "text": [
                    *(f"{name}={trial.params[name]}" for name in study.spec.space),
                    f"{objective.metric}={trial.values[0]:.6g}",
                ],
                "hoverinfo": "text+name",
                "line": {"width": 0.6 + 1.8 * good**3, "color": _shade(good)},
                "marker": {"size": 4, "color": _shade(good)},
            }
        )
    order = sorted(range(len(trials)), key=lambda n: data[n]["line"]["width"])
    layout = {
        "showlegend": False,
        "yaxis": {"showticklabels": False, "range": [-0.05, 1.05]},
        "xaxis": {"type": "category"},
    }
    return {"data": [data[n] for n in order[-_LINES:]], "layout": layout}


def _places(study: Study, name: str) -> list[float]:
    """Return where each trial stands on a parameter's axis, 0 to 1."""
    dimension = study.spec.space[name]
    values = [trial.params[name] for trial in study.complete]
    if isinstance(dimension, Choice):
        last = len(dimension.options) - 1
        return [dimension.options.index(value) / last for value in values]
    scale = math.log if dimension.log else float
    low, high = scale(dimension.low), scale(dimension.high)
    return [(scale(value) - low) / (high - low) for value in values]


def _spread(values: Sequence[float]) -> list[float]:
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    return [min(max((v - low) / (high - low or 1.0), 0.0), 1.0) for v in values]


def _shade(good: float) -> str:
    """Return a colour between grey (worst) and teal (best)."""
    pairs = ((170, 13), (176, 110), (184, 136))
    red, green, blue = (round(a + (b - a) * good) for a, b in pairs)
    return f"rgba({red},{green},{blue},{0.35 + 0.6 * good:.2f})"


def _numeric(study: Study) -> list[str]:
    """Return the parameters that are numbers with several values, the most important first."""
    try:
        order = [each.parameter for each in study.importance()]
    except MissingPackageError:
        order = []
    names = [n for n, each in study.spec.space.items() if not isinstance(each, Choice)]
    names = [n for n in names if len({t.params[n] for t in study.complete}) > 1]
    return sorted(names, key=lambda n: order.index(n) if n in order else len(order))


def _points(xs: Sequence[Any], ys: Sequence[Any], texts: Sequence[str], name: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(xs),
        "y": list(ys),
        "text": list(texts),
        "marker": {"size": 7, "opacity": 0.75},
    }


def _axes(x: str, y: str) -> Figure:
    return {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}}


def _told(trial: Trial) -> str:
    params = ", ".join(f"{name}={value}" for name, value in trial.params.items())
    return f"trial {trial.number}: {params}"


def _shown(trial: Trial, name: str) -> Any:
    value = trial.params[name]
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
