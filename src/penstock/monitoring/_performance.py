"""Performance on rows with ground truth: the metrics now beside the metrics at registration."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from penstock import evaluation
from penstock.core import ModelVersionRecord, PredictionRecord
from penstock.evaluation import METRICS, TASK_METRICS, Estimate
from penstock.models import Signature
from penstock.monitoring._limits import Limits
from penstock.stores import Store

if TYPE_CHECKING:
    from penstock.evaluation import EvaluationReport, Outcomes

_RESAMPLES = 300
_WHY_NOT = {
    "multi_output": "A model of several targets is not measured here: its predictions and truths"
    " are logged by target, for a comparison of your own.",
    "clustering": "The numbers of clusters have no truth to compare them with.",
    "outliers": "The predictions -1 and 1 are no labels of a target: compare decision values with"
    " the cases that were confirmed.",
}
_Z_99_OVER_95 = 2.5758293035489004 / 1.959963984540054


@dataclass(frozen=True, slots=True)
class Performance:
    """A model's metrics on the rows with known ground truth.

    Args:
        rows: Number of predicted rows.
        truths: Number of rows with posted ground truth that can be compared.
        metrics: Metrics now, by name.
        registered: Metrics on the test rows at registration, by name.
        watched: The metric that raises an alarm; empty if the metric could not be computed.
        loss: How much worse the watched metric is than at registration, in the metric's unit; below
            0 if better.
        low: Lower 99 % bound of the loss.
        high: Upper 99 % bound.
        minimum: The minimum loss that matters.
        dropped: True if the lower bound of the loss is above 0 and the loss is at least the
            minimum.
        reason: The verdict as a sentence.
        unusable: True values that are no value of the target: a text for a number, an unknown
            class.
        judged: True if there was enough ground truth for a verdict.
    """

    rows: int
    truths: int
    metrics: Mapping[str, Estimate]
    registered: Mapping[str, Estimate]
    watched: str = ""
    loss: float | None = None
    low: float | None = None
    high: float | None = None
    minimum: float = 0.0
    dropped: bool = False
    reason: str = ""
    unusable: int = 0
    judged: bool = False

    @property
    def matured(self) -> float:
        """Share (0 to 1) of predicted rows with known ground truth."""
        return self.truths / self.rows if self.rows else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain JSON."""
        facts = {name: _rounded(value) for name, value in asdict(self).items()}
        return {**facts, "matured": round(self.matured, 6)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Performance":
        """Read the JSON of ``to_json``."""
        facts = {key: each for key, each in value.items() if key != "matured"}
        for name in ("metrics", "registered"):
            facts[name] = {key: Estimate(**each) for key, each in facts[name].items()}
        return cls(**facts)


def measure_performance(
    store: Store, version: ModelVersionRecord, records: Sequence[PredictionRecord], limits: Limits
) -> Performance:
    """Compute metrics from posted ground truth and compare them with the metrics at registration.

    Args:
        store: The store of the version's report.
        version: The version that predicted.
        records: Logged predictions without errors.
        limits: The watched metric and the minimum loss.
    """
    known = [record for record in records if record.truth is not None]
    registered = _registered(store, version)
    signature = Signature.from_json(version.signature)
    if not known:
        return Performance(
            len(records), 0, {}, registered, reason="No truth has been posted for these rows."
        )
    if signature.task not in TASK_METRICS:
        return Performance(
            len(records), len(known), {}, registered, reason=_WHY_NOT[signature.task]
        )
    usable = [record for record in known if _is_of_target(record, signature)]
    unusable = len(known) - len(usable)
    performance = Performance(len(records), len(usable), {}, registered, unusable=unusable)
    if usable:
        measured = evaluation.measure(outcomes_of(usable, signature), resamples=_RESAMPLES)
        performance = replace(performance, metrics=measured.metrics)
        scored = any(record.score is not None for record in usable) and (
            signature.task != "binary" or signature.positive is not None
        )
        # Without scores there is no area under a curve now, even if there was one at registration.
        names = TASK_METRICS[signature.task] if scored else tuple(measured.metrics)
        performance = _judged(performance, measured.absent, names, limits)
    if unusable:
        one = next(record.truth for record in known if not _is_of_target(record, signature))
        note = f"{unusable:,} truths such as {one!r} are no values of the target and do not count."
        performance = replace(performance, reason=f"{performance.reason} {note}".strip())
    return performance


def outcomes_of(known: Sequence[PredictionRecord], signature: Signature) -> "Outcomes":
    """Return ground truth, predictions and scores of logged rows as arrays.

    Args:
        known: Rows with ground truth; rows with a label unknown to the model are left out.
        signature: The model's signature.
    """
    import numpy as np

    if signature.task == "regression":
        return evaluation.Outcomes(
            "regression",
            (),
            np.array([float(record.truth) for record in known]),
            np.array([float(record.prediction) for record in known]),
        )
    classes = _ordered_classes(signature)
    code = {label: place for place, label in enumerate(classes)}
    rows = [record for record in known if record.truth in code and record.prediction in code]
    scores = [record.score for record in rows if record.score is not None]
    known_positive = signature.task == "binary" and signature.positive is not None
    # Where no class is known as positive, scores are those of the likelier class: whether this is
    # the predicted one, the log does not tell.
    scored = known_positive and len(scores) == len(rows)
    return evaluation.Outcomes(
        signature.task,
        classes,
        np.array([code[record.truth] for record in rows], dtype=np.int64),
        np.array([code[record.prediction] for record in rows], dtype=np.int64),
        np.array(scores, dtype=np.float64) if scored else None,
        probability=scored,
        oriented=known_positive or signature.task != "binary",
    )


def _is_of_target(record: PredictionRecord, signature: Signature) -> bool:
    """Check that the true value and the prediction are legal values of the model's target."""
    values = (record.truth, record.prediction)
    if signature.task != "regression":
        return all(value in signature.classes for value in values)
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        for value in values
    )


def _ordered_classes(signature: Signature) -> tuple[Any, ...]:
    """Return the labels by code: (negative, positive) for a binary target."""
    if signature.task != "binary" or signature.positive is None:
        return signature.classes
    others = [label for label in signature.classes if label != signature.positive]
    return (*others, signature.positive)


def _registered(store: Store, version: ModelVersionRecord) -> dict[str, Estimate]:
    if version.report is None:
        return {name: Estimate(value, value, value) for name, value in version.metrics.items()}
    report: EvaluationReport = store.get(version.report)
    return dict(report.metrics)


def _judged(
    performance: Performance, absent: Mapping[str, str], names: Sequence[str], limits: Limits
) -> Performance:
    name = limits.metric or next((one for one in names if one in performance.registered), "")
    if name not in performance.registered:
        return replace(performance, reason="The version was registered without such a metric.")
    if name not in performance.metrics:
        return replace(
            performance, reason=f"{name} cannot be computed: {absent.get(name, 'unknown')}."
        )
    now, then = performance.metrics[name], performance.registered[name]
    loss, low, high = _loss(name, then, now)
    minimum = _minimum(name, then, limits)
    enough = performance.truths >= limits.min_truth
    dropped = enough and low > 0 and loss >= minimum
    reason = f"{name} is {now} on {performance.truths:,} truths; at registration {then}."
    if not enough:
        reason += f" Fewer than {limits.min_truth} truths are not judged."
    elif dropped:
        reason += f" It lost {loss:.4f}, at least {low:.4f} with 99 % confidence."
    elif low > 0:
        reason += f" The loss of {loss:.4f} is real but below {minimum:.4f}."
    else:
        reason += " The difference may be chance."
    return replace(
        performance,
        watched=name,
        loss=loss,
        low=low,
        high=high,
        minimum=minimum,
        dropped=dropped,
        reason=reason,
        judged=enough,
    )


def _loss(name: str, then: Estimate, now: Estimate) -> tuple[float, float, float]:
    """Compute the loss of a metric with the 99 % interval, from the two 95 % intervals.

    Source: Zou and Donner (2008), "Construction of confidence limits about effect measures: a
    general approach", Statistics in Medicine 27 (the method of variance estimates recovery).
    """
    # For a metric that is best at 0, only the magnitude can get worse.
    if METRICS[name].better == "zero":
        then, now = (_magnitude(one) for one in (then, now))
    if METRICS[name].better == "higher":
        one, two = then, now
    else:
        one, two = now, then
    difference = one.value - two.value
    low = math.hypot(one.value - one.low, two.high - two.value) * _Z_99_OVER_95
    high = math.hypot(one.high - one.value, two.value - two.low) * _Z_99_OVER_95
    return difference, difference - low, difference + high


def _magnitude(estimate: Estimate) -> Estimate:
    ends = sorted((abs(estimate.low), abs(estimate.high)))
    low = 0.0 if estimate.low < 0 < estimate.high else ends[0]
    return Estimate(abs(estimate.value), low, ends[1])


def _minimum(name: str, then: Estimate, limits: Limits) -> float:
    if METRICS[name].maximum == 1.0:
        return limits.performance
    return limits.performance_share * abs(then.value)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return value
