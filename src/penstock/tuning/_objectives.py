"""Objectives and constraints: the metrics that a study optimizes, and the limits it keeps."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from penstock.core import ParameterError, did_you_mean
from penstock.evaluation import METRICS

Direction = Literal["maximize", "minimize"]
_DIRECTIONS: Mapping[str, Direction] = {
    "max": "maximize", "maximize": "maximize", "higher": "maximize",
    "min": "minimize", "minimize": "minimize", "lower": "minimize",
}  # fmt: skip
_LIMIT = re.compile(r"\s*([\w./-]+)\s*(<=|>=|<|>)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*")
_VALIDATION = "validation_"  # how ps.steps.evaluate names the metrics of validation rows
_STATISTICS = ("last", "min", "max", "first")


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric to optimize.

    >>> Objective("roc_auc", "maximize").is_better(0.9, 0.8)
    True

    Args:
        metric: Name of a metric of the run, or ``NAME.min``, ``NAME.max`` for its best point.
        direction: ``maximize`` or ``minimize``.
    """

    metric: str
    direction: Direction

    def is_better(self, value: float, other: float) -> bool:
        """Return whether a value is better than another; NaN is never better."""
        return value > other if self.direction == "maximize" else value < other


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit that a metric of the run keeps.

    >>> Constraint.parse("latency_ms <= 5").violation(7.0)
    2.0

    Args:
        metric: Name of a metric of the run.
        operator: ``<=`` or ``>=``.
        limit: The limit.
    """

    metric: str
    operator: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """Parse ``NAME <= NUMBER`` or ``NAME >= NUMBER``.

        Raises:
            ParameterError: If the text has another form.
        """
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise ParameterError(
                what=f"{text!r} is no constraint.",
                why="A constraint compares a metric with a number.",
                fix='Write for example "latency_ms <= 5".',
            )
        metric, sign, number = match.groups()
        return cls(metric, sign[0] + "=", float(number))

    def violation(self, value: float) -> float:
        """Return by how much a value breaks the limit; 0 or less if it is kept."""
        if math.isnan(value):
            return math.inf
        return value - self.limit if self.operator == "<=" else self.limit - value

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.limit:g}"


def read_objectives(
    metric: str | Sequence[str], direction: str | Sequence[str] | None
) -> tuple[Objective, ...]:
    """Read metrics with their directions; known metrics have a direction of their own.

    >>> read_objectives("rmse", None)
    (Objective(metric='rmse', direction='minimize'),)

    Args:
        metric: A name, or several for a Pareto front; ``name:minimize`` states the direction.
        direction: ``maximize`` or ``minimize``, for all or for each; None for the known direction.

    Raises:
        ParameterError: If a direction is unknown, or their number differs from the metrics'.
    """
    names = [metric] if isinstance(metric, str) else list(metric)
    if not names:
        raise ParameterError(
            what="No metric is named.",
            why="A search looks for the best value of a metric that the pipeline logs or returns.",
            fix='Write metric="roc_auc" (--metric roc_auc), or several for a Pareto front.',
        )
    if isinstance(direction, str) or direction is None:
        directions: list[str | None] = [direction] * len(names)
    else:
        directions = list(direction)
    if len(directions) != len(names) or len(set(names)) != len(names):
        raise ParameterError(
            what=f"There are {len(names)} metrics and {len(directions)} directions.",
            why="Each metric is named once and has one direction.",
            fix='Write metric=["roc_auc", "latency_ms"], direction=["maximize", "minimize"].',
        )
    return tuple(_objective(name, way) for name, way in zip(names, directions, strict=True))


def values_of(figures: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Return metrics by name from a run's figures.

    A metric that only validation rows have is that of these rows.

    >>> (
    ...     values_of({"validation_auc": 0.7}, ["auc"]),
    ...     values_of({"auc": 1, "validation_auc": 0}, ["auc"]),
    ... )
    ({'auc': 0.7}, {'auc': 1.0})

    Args:
        figures: Number, or MetricSummary, by name.
        names: Names asked for: ``loss`` or ``loss.min``.

    Raises:
        ParameterError: If the run has no such metric.
    """
    return {name: _value(figures, name) for name in names}


def _value(figures: Mapping[str, Any], name: str) -> float:
    if name not in figures and _VALIDATION + name in figures:
        name = _VALIDATION + name
    base, dot, statistic = name.rpartition(".")
    if name not in figures and dot and statistic in _STATISTICS and base in figures:
        summary = figures[base]
        return float(getattr(summary, statistic, summary))
    if name not in figures:
        listed = ", ".join(sorted(figures)[:8]) or "none"
        raise ParameterError(
            what=f"The trial has no metric {name!r}; it has {listed}.",
            why="The search optimizes a metric that the pipeline logs or returns.",
            fix=did_you_mean(name, figures)
            or f'Log it in a step: ps.log_metric("{name}", value); or return it.',
            name=name,
        )
    value = figures[name]
    return float(getattr(value, "last", value))


def _objective(name: str, way: str | None) -> Objective:
    metric, colon, own = name.partition(":")
    way = own if colon else way
    if way is None:
        known = METRICS.get(metric.partition(".")[0].removeprefix(_VALIDATION))
        way = known.better if known else None
    if way is None or way not in _DIRECTIONS:
        raise ParameterError(
            what=f"The direction of {metric!r} is {'not known' if way is None else repr(way)}.",
            why="A search that goes the wrong way finds the worst model.",
            fix=_suggestion(metric)
            + f"Write direction='maximize' or 'minimize' (--direction), or {metric}:minimize.",
            name=metric,
        )
    return Objective(metric, _DIRECTIONS[way])


def _suggestion(metric: str) -> str:
    """Return the known metrics that may be meant, written with or without their underscores."""
    name, dot, statistic = metric.rpartition(".")
    name = name if dot and statistic in _STATISTICS else metric
    bare = {each.replace("_", ""): each for each in METRICS}
    hint = did_you_mean(bare.get(name.lower().replace("_", "").replace("-", ""), name), METRICS)
    return f"{hint} " if hint.startswith("Did") else ""
