"""Evaluation and drift reports for pages: the reports' JSON, arranged into tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from penstock.core import ArtifactRecord
from penstock.server.ui._site import Site

_SLICE_METRICS = 5
_PARITY = ("demographic_parity", "equalized_odds")
_WHISKER = 146.0
_LOSSES = frozenset({"log_loss", "brier", "rmse", "mae", "medae", "mape", "bias"})


@dataclass(frozen=True, slots=True)
class EstimateView:
    """A figure with the interval and, for drawing, their positions on a common scale."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    baseline: float | None
    places: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SliceTable:
    """A column's values with a few metrics each."""

    column: str
    metrics: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    best: Mapping[str, float]
    worst: Mapping[str, float]
    parity: Mapping[str, float]
    spreads: tuple[tuple[str, float | None, float | None], ...]


@dataclass(frozen=True, slots=True)
class ImportanceTable:
    """How much a metric loses when columns are shuffled, with intervals."""

    metric: str
    rows: int
    repeats: int
    losses: tuple[EstimateView, ...]
    groups: tuple[EstimateView, ...]


@dataclass(frozen=True, slots=True)
class EvaluationView:
    """An evaluation report as tables; the figures are fetched by digest."""

    digest: str
    facts: Mapping[str, Any]
    estimates: tuple[EstimateView, ...]
    slices: tuple[SliceTable, ...]
    leakage: tuple[Mapping[str, Any], ...]
    labels: SliceTable | None
    importance: ImportanceTable | None


def evaluation_view(site: Site, record: ArtifactRecord) -> EvaluationView | None:
    """Arrange an evaluation report; None if the report cannot be read."""
    facts = site.facts(record.digest)
    if facts is None:
        return None
    return EvaluationView(
        digest=record.digest,
        facts=facts,
        estimates=_estimates(facts.get("metrics") or {}, facts.get("baseline") or {}),
        slices=_slices(facts),
        leakage=tuple(facts.get("leakage") or ()),
        labels=_labels(facts),
        importance=_importance(facts.get("importance")),
    )


def headline(metrics: Mapping[str, float], most: int = 4) -> dict[str, float]:
    """Choose the first few metrics of a version, in the recorded order."""
    return dict(list(metrics.items())[:most])


def is_loss(metric: str) -> bool:
    """Check whether smaller figures of this metric are better."""
    return metric in _LOSSES or metric.endswith(("loss", "error"))


def _estimates(
    metrics: Mapping[str, Any], baseline: Mapping[str, float]
) -> tuple[EstimateView, ...]:
    views = []
    for name, figure in metrics.items():
        value, low, high = _ends(figure)
        reference = _finite(baseline.get(name))
        places = _places({"value": value, "low": low, "high": high, "baseline": reference})
        views.append(EstimateView(name, value, low, high, reference, places))
    return tuple(views)


def _places(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Compute positions on a line of fixed length: 0 to 1 for shares, else around the figures."""
    known = [figure for figure in figures.values() if figure is not None]
    if not known:
        return {}
    low, high = min(known), max(known)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    room = (high - low) or abs(high) or 1.0
    # Room on both sides, so that no figure is drawn on the edge.
    if (low, high) != (0.0, 1.0):
        low, room = low - 0.08 * room, room * 1.16
    return {
        name: round(2 + _WHISKER * (figure - low) / room, 1)
        for name, figure in figures.items()
        if figure is not None
    }


def _slices(facts: Mapping[str, Any]) -> tuple[SliceTable, ...]:
    fairness = facts.get("fairness") or {}
    tables = []
    for column, groups in (facts.get("slices") or {}).items():
        named = [name for group in groups for name in group.get("metrics", {})]
        metrics = tuple(dict.fromkeys(named))[:_SLICE_METRICS]
        best, worst = _extremes(groups, metrics, _known_losses(facts))
        parity, spreads = _fairness(fairness.get(column) or {})
        tables.append(SliceTable(column, metrics, tuple(groups), best, worst, parity, spreads))
    return tuple(tables)


def _labels(facts: Mapping[str, Any]) -> SliceTable | None:
    """Arrange the figures of each label of several per row."""
    groups = facts.get("labels") or ()
    metrics = tuple(dict.fromkeys(name for group in groups for name in group.get("metrics", {})))
    if not metrics:
        return None
    best, worst = _extremes(groups, metrics, {})
    return SliceTable("label", metrics, tuple(groups), best, worst, {}, ())


def _importance(stored: Mapping[str, Any] | None) -> ImportanceTable | None:
    if not stored or not stored.get("columns"):
        return None

    def arrange(items: Sequence[Mapping[str, Any]]) -> tuple[EstimateView, ...]:
        return tuple(
            EstimateView(" + ".join(each["columns"]), *_ends(each["loss"]), None, {})
            for each in items
        )

    single, groups = arrange(stored["columns"]), arrange(stored.get("groups") or ())
    known = [each for view in (*single, *groups) for each in (view.value, view.low, view.high)]
    low, high = _range([each for each in known if each is not None])
    return ImportanceTable(
        stored["metric"],
        stored["rows"],
        stored["repeats"],
        tuple(_placed(view, low, high) for view in single),
        tuple(_placed(view, low, high) for view in groups),
    )


def _range(known: Sequence[float]) -> tuple[float, float]:
    """Return the common scale of losses: all of them and 0, with room on both sides."""
    low, high = min([0.0, *known]), max([0.0, *known])
    room = 0.05 * (high - low or 1.0)
    return low - room, high + room


def _placed(view: EstimateView, low: float, high: float) -> EstimateView:
    """Return a loss with positions on the common scale, and a line at 0."""
    figures = {"value": view.value, "low": view.low, "high": view.high, "baseline": 0.0}
    places = {
        name: round(2 + _WHISKER * (figure - low) / (high - low), 1)
        for name, figure in figures.items()
        if figure is not None
    }
    return replace(view, places=places)


def _ends(figure: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    """Return value, low and high; no ends where too few rows give an interval that holds."""
    value, low, high = (_finite(figure.get(part)) for part in ("value", "low", "high"))
    return (value, None, None) if figure.get("needs") else (value, low, high)


def _fairness(
    figures: Mapping[str, Any],
) -> tuple[dict[str, float], tuple[tuple[str, float | None, float | None], ...]]:
    """Separate the parity figures from the gap and ratio of each metric."""
    known = {name: value for name, item in figures.items() if (value := _finite(item)) is not None}
    parity = {name: value for name, value in known.items() if name.startswith(_PARITY)}
    metrics = [name.removesuffix("_gap") for name in known if name.endswith("_gap")]
    spreads = tuple((m, known.get(f"{m}_gap"), known.get(f"{m}_ratio")) for m in metrics)
    return parity, spreads


def _known_losses(facts: Mapping[str, Any]) -> dict[str, bool]:
    """Return by the user's own metric whether smaller is better, as declared by the report."""
    return {each["name"]: each["better"] != "higher" for each in facts.get("user_metrics") or ()}


def _extremes(
    groups: Sequence[Mapping[str, Any]], metrics: Sequence[str], losses: Mapping[str, bool]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the best and the worst figure of each metric among groups with enough rows."""
    best, worst = {}, {}
    for metric in metrics:
        large = [group["metrics"].get(metric) for group in groups if not group.get("small")]
        values = [v for figure in large if figure and (v := _finite(figure["value"])) is not None]
        if len(values) > 1 and min(values) != max(values):
            smaller = losses[metric] if metric in losses else is_loss(metric)
            ends = (min(values), max(values)) if smaller else (max(values), min(values))
            best[metric], worst[metric] = ends
    return best, worst


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
