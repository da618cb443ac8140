"""Intervals agree with other libraries, hold what they state, and say where they cannot."""

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from scipy.stats import binom, binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from penstock.core import GateState
from penstock.data import split_table
from penstock.evaluation import Outcomes, evaluate, judge, measure
from penstock.evaluation.intervals import (
    area_interval,
    class_interval,
    mean_interval,
    probability_interval,
    ranked_interval,
    share_interval,
    student,
    why_too_few,
)


def a_sample(draw, rows, rate, apart):
    """Scores of two normal classes and their true probabilities."""
    truth = (draw.random(rows) < rate).astype(np.int64)
    score = draw.normal(size=rows) + apart * truth
    odds = np.log(rate / (1 - rate)) + apart * score - apart**2 / 2
    chance = expit(odds)
    said = (chance >= 0.5).astype(np.int64)
    return Outcomes("binary", ("no", "yes"), truth, said, chance, probability=True)


@pytest.mark.parametrize(("hits", "rows"), [(24, 24), (30, 40), (7, 60), (0, 30), (500, 900)])
def test_a_share_has_wilsons_interval(hits, rows):
    theirs = binomtest(hits, rows).proportion_ci(method="wilson")
    ours = share_interval(hits, rows)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize("rows", [20, 40, 100, 400])
def test_a_share_near_one_is_covered_too(rows):
    # Exact coverage by the binomial distribution; Wilson's own dips to 84 of 100 here.
    ends = [share_interval(hits, rows) for hits in range(rows + 1)]
    for misses in (0.05, 0.2, 0.5, 1.0, 2.0, 5.0):
        share = 1 - misses / rows
        chances = binom.pmf(np.arange(rows + 1), rows, share)
        covered = sum(
            c for c, (low, high) in zip(chances, ends, strict=True) if low <= share <= high
        )
        assert covered >= 0.93


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_a_share_of_very_few_rows_is_covered_wherever_it_lies(rows):
    # Wilson's own holds it in 79 (one row) to 89 of 100 samples at the worst.
    ends = [share_interval(hits, rows) for hits in range(rows + 1)]
    for share in np.linspace(0.005, 0.995, 199):
        chances = binom.pmf(np.arange(rows + 1), rows, share)
        covered = sum(
            c for c, (low, high) in zip(chances, ends, strict=True) if low <= share <= high
        )
        assert covered >= 0.949, share


def test_perfect_answers_in_24_rows_are_not_certain():
    truth = np.arange(24) % 2
    found = measure(Outcomes("binary", (0, 1), truth, truth, truth * 0.9, True)).metrics  # type: ignore[arg-type]
    for name in ("accuracy", "precision", "recall", "f1", "mcc", "balanced_accuracy", "roc_auc"):
        assert found[name].value == 1
        assert found[name].low < 0.93, name


def test_one_right_positive_is_no_precision_of_99_percent():
    truth = (np.arange(100) < 20).astype(np.int64)
    said = (np.arange(100) < 1).astype(np.int64)
    found = measure(Outcomes("binary", (0, 1), truth, said, said * 0.9, True)).metrics["precision"]  # type: ignore[arg-type]
    assert found.value == 1
    assert found.low == pytest.approx(0.05, abs=0.17)


def test_the_area_is_delongs_where_there_are_rows_enough():
    # DeLong's standard error by its definition, pair by pair.
    outcomes = a_sample(np.random.default_rng(0), 3000, 0.3, 1.5)
    positive = outcomes.scores[outcomes.truth == 1]
    negative = outcomes.scores[outcomes.truth == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    error = np.sqrt(
        wins.mean(axis=1).var(ddof=1) / len(positive)
        + wins.mean(axis=0).var(ddof=1) / len(negative)
    )
    area = wins.mean()
    low, high = area_interval(outcomes, area)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert low < area < high


def test_a_mean_of_few_numbers_has_students_interval():
    # Student's t with 9 degrees of freedom: 2.262 standard errors.
    values = np.random.default_rng(3).normal(5, 1, 10)
    low, high = mean_interval(values, seed=0, resamples=4000, positive=False)
    error = values.std(ddof=1) / np.sqrt(10)
    assert (high - low) / (2 * error) == pytest.approx(2.262, rel=0.2)


CASES = [(40, 0.5, 4.0), (100, 0.2, 1.5), (300, 0.1, 2.0)]
SHARES = ("accuracy", "precision", "recall", "f1", "balanced_accuracy", "mcc")


@pytest.mark.parametrize(("rows", "rate", "apart"), CASES)
def test_stated_95_percent_hold_the_truth(rows, rate, apart):
    """A fast seeded version of benchmarks/coverage.py."""
    draw = np.random.default_rng(rows)
    true = measure(a_sample(draw, 400_000, rate, apart), resamples=0).metrics
    names = (*SHARES, "roc_auc", "brier")
    held, seen = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for _ in range(120):
        found = measure(a_sample(draw, rows, rate, apart), resamples=200).metrics
        for name in names:
            if name in found and not found[name].needs:
                seen[name] += 1
                held[name] += found[name].low <= true[name].value <= found[name].high
    for name in names:
        # 120 samples: 0.95 - 3 standard errors
        assert held[name] >= 0.89 * seen[name], (name, held[name], seen[name])


def test_too_few_events_are_named_and_refuse_the_ends_but_not_the_value():
    draw = np.random.default_rng(0)
    label = np.where(np.arange(300) % 30 == 0, "yes", "no")
    table = pl.DataFrame({"size": draw.normal(size=300) + (label == "yes"), "label": label})
    split = split_table(table, target="label", test=0.4)
    model = LogisticRegression().fit(split.train.X, split.train.y)
    report = evaluate(model, split, resamples=50)
    assert report.metrics["roc_auc"].needs == "4 rows of class 'yes', 10 are needed"
    assert "(no interval: 4 rows of class 'yes', 10 are needed)" in str(report.metrics["roc_auc"])
    value, end, accuracy = judge(
        ["roc_auc >= 0", "lower(roc_auc) >= 0", "lower(accuracy) >= 0.5"], report
    )
    assert (value.state, end.state) == (GateState.PASSED, GateState.FAILED)
    assert "10 are needed" in end.reason
    assert accuracy.state is GateState.PASSED


def test_average_precision_covers_neither_too_little_nor_too_much():
    # Boyd's interval alone held the truth in 98.5 of 100 samples here.
    draw = np.random.default_rng(0)
    whole = a_sample(draw, 200_000, 0.5, 2.0)
    true = average_precision_score(whole.truth, whole.scores)
    held = 0
    for _ in range(200):
        made = a_sample(draw, 300, 0.5, 2.0)
        low, high = ranked_interval(made, average_precision_score(made.truth, made.scores))
        held += low <= true <= high
    assert 0.93 <= held / 200 <= 0.975


def test_the_ends_lie_further_out_where_few_rows_carry_the_variance():
    # Student's t with twice as many degrees of freedom as rows: 4.30 with 2, 2.31 with 8.
    assert student(np.array([0.0, 0.0, 1.0])) == pytest.approx(4.303, abs=0.001)
    assert student(np.tile([1.0, -1.0, 0.0, 0.0], 2)) == pytest.approx(2.306, abs=0.001)
    assert student(np.ones(10_000)) == pytest.approx(1.960, abs=0.001)


def test_average_precision_near_one_is_not_covered_far_too_often():
    # Separated classes: Boyd's variance held the truth in 99 to 100 of 100 samples here.
    draw = np.random.default_rng(1)
    whole = a_sample(draw, 1_000_000, 0.2, 3.0)
    true = average_precision_score(whole.truth, whole.scores)
    held = 0
    for _ in range(300):
        made = a_sample(draw, 400, 0.2, 3.0)
        low, high = ranked_interval(made, average_precision_score(made.truth, made.scores))
        held += low <= true <= high
    assert 0.925 <= held / 300 <= 0.975


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_an_area_with_wrong_labels_is_covered(rate):
    # One label in ten is wrong: of 15 positive rows these may all be right, and DeLong's variance
    # alone held the truth in 81 of 100 samples.
    draw = np.random.default_rng(2)

    def sample(rows):
        made = a_sample(draw, rows, rate, 3.0)
        wrong = draw.random(rows) < 0.1
        return Outcomes("binary", (0, 1), made.truth ^ wrong, made.truth, made.scores, True)

    whole = sample(400_000)
    true, held, seen = roc_auc_score(whole.truth, whole.scores), 0, 0
    for _ in range(200):
        made = sample(300)
        low, high = area_interval(made, roc_auc_score(made.truth, made.scores))
        held, seen = held + (low <= true <= high), seen + 1
    assert held / seen >= 0.915


def test_a_log_loss_of_three_classes_that_one_row_carries_has_no_interval():
    # In 85 of 100 such samples it would hold the truth.
    scores = np.full((40, 3), [0.998, 0.001, 0.001])
    truth = np.zeros(40, np.int64)
    truth[0] = 1
    made = Outcomes("multiclass", (0, 1, 2), truth, truth, scores, True)
    assert "it hangs on 1 rows with large errors" in why_too_few("log_loss", made)


def test_the_mean_of_f1_is_covered_where_a_rare_class_is_hardly_found():
    # As a share with the variance of its moves it held the truth in 88 of 100 samples here.
    draw, shares = np.random.default_rng(0), np.array([0.6, 0.3, 0.1])

    def sample(rows):
        truth = draw.choice(3, size=rows, p=shares)
        odds = draw.normal(size=(rows, 3)) + np.eye(3)[truth] + np.log(shares)
        return Outcomes("multiclass", (0, 1, 2), truth, odds.argmax(axis=1))

    whole = sample(400_000)
    true, held = f1_score(whole.truth, whole.prediction, average="macro"), 0
    for _ in range(200):
        made = sample(100)
        value = f1_score(made.truth, made.prediction, average="macro")
        low, high = class_interval("macro_f1", made, value)
        held += low <= true <= high
    assert 0.92 <= held / 200 <= 0.985


def test_average_precision_of_perfect_ranks_is_not_certain():
    truth = np.repeat([0, 1], 20)
    made = Outcomes("binary", (0, 1), truth, truth, np.linspace(0.1, 0.9, 40), True)
    low, high = ranked_interval(made, 1.0)
    assert 0.7 < low < 0.97
    assert high == 1


def test_a_log_loss_that_few_rows_carry_is_covered():
    # Separated classes: of the intervals that are stated, 92 of 100 held the truth before.
    draw = np.random.default_rng(4)
    whole = a_sample(draw, 500_000, 0.2, 4.0)
    true = -np.log(np.where(whole.truth == 1, whole.scores, 1 - whole.scores)).mean()
    stated = held = 0
    for _ in range(300):
        made = a_sample(draw, 300, 0.2, 4.0)
        if not why_too_few("log_loss", made):
            low, high = probability_interval("log_loss", made, seed=0, resamples=200)
            stated, held = stated + 1, held + (low <= true <= high)
    assert stated > 200
    assert 0.94 <= held / stated <= 0.98
