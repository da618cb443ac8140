from typing import Any

import pytest

from penstock.core import PredictionRecord, now
from penstock.evaluation import TASK_METRICS, Estimate
from penstock.models import Signature
from penstock.monitoring import Limits, Performance
from penstock.monitoring._performance import _judged, _loss, outcomes_of


def known(pairs: list[tuple[Any, Any]], score: float | None = 0.5) -> list[PredictionRecord]:
    at = now()
    return [
        PredictionRecord(str(i), "d", "m", 1, at, {}, prediction, score=score, truth=truth)
        for i, (prediction, truth) in enumerate(pairs)
    ]


def test_binary_labels_are_negative_then_positive() -> None:
    signature = Signature((), task="binary", classes=("bad", "good"), positive="bad")
    outcomes = outcomes_of(known([("bad", "good"), ("good", "good")]), signature)
    assert outcomes.classes == ("good", "bad")
    assert outcomes.prediction.tolist() == [1, 0]
    assert outcomes.probability


def test_scores_are_not_read_where_no_class_is_known_as_positive() -> None:
    signature = Signature((), task="binary", classes=("cat", "dog"))
    outcomes = outcomes_of(known([("cat", "dog"), ("dog", "dog")]), signature)
    assert outcomes.scores is None
    assert not outcomes.oriented


def test_several_classes_have_no_scores_as_only_one_was_logged() -> None:
    signature = Signature((), task="multiclass", classes=("a", "b", "c"))
    assert outcomes_of(known([("a", "b"), ("c", "c")]), signature).scores is None


def test_labels_that_the_model_does_not_know_are_left_out() -> None:
    signature = Signature((), task="multiclass", classes=("a", "b", "c"))
    assert len(outcomes_of(known([("a", "b"), ("a", "zz")]), signature)) == 1


def test_numbers_are_compared_as_numbers() -> None:
    outcomes = outcomes_of(known([(1, 2.5)], None), Signature((), task="regression"))
    assert (outcomes.truth.tolist(), outcomes.prediction.tolist()) == ([2.5], [1.0])


def test_a_loss_is_counted_in_the_bad_direction() -> None:
    better, worse = Estimate(0.9, 0.88, 0.92), Estimate(0.8, 0.78, 0.82)
    assert _loss("roc_auc", better, worse)[0] == pytest.approx(0.1)
    assert _loss("rmse", worse, better)[0] == pytest.approx(0.1)
    assert _loss("bias", Estimate(0.1, 0.0, 0.2), Estimate(-0.4, -0.5, -0.3))[0] == pytest.approx(
        0.3
    )


def test_the_interval_of_a_loss_is_wider_than_each_of_its_parts() -> None:
    difference, low, high = _loss("roc_auc", Estimate(0.9, 0.88, 0.92), Estimate(0.8, 0.78, 0.82))
    # Half widths 0.02 each: sqrt(2) * 0.02 at 95 %, times 2.576 / 1.960 at 99 %.
    assert difference - low == pytest.approx(0.02828 * 1.3142, rel=1e-3)
    assert high - difference == pytest.approx(difference - low)


def judged(then: float, now_: float, width: float, truths: int = 500) -> Performance:
    found = Performance(
        600,
        truths,
        {"accuracy": Estimate(now_, now_ - width, now_ + width)},
        {"accuracy": Estimate(then, then - 0.005, then + 0.005)},
    )
    return _judged(found, {}, TASK_METRICS["multiclass"], Limits())


def test_a_drop_needs_evidence_and_size() -> None:
    assert judged(0.9, 0.8, 0.01).dropped
    uncertain = judged(0.9, 0.8, 0.1)
    assert not uncertain.dropped
    assert "may be chance" in uncertain.reason
    small = judged(0.9, 0.885, 0.002)
    assert not small.dropped
    assert "real but below" in small.reason


def test_a_better_model_is_no_drop() -> None:
    assert judged(0.8, 0.95, 0.01).loss == pytest.approx(-0.15)
    assert not judged(0.8, 0.95, 0.01).dropped
