"""The awkward columns of M-l: 0 exceptions, 0 silent NaN."""

import json
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from penstock.data import profile_table
from penstock.monitoring import ColumnDrift, Limits, compare_table, judge_columns

LIMITS = Limits()
RNG = np.random.default_rng(0)


def compared(then: Any, now: Any, **more: Any) -> ColumnDrift:
    then = then if isinstance(then, pl.Series) else pl.Series("x", then)
    now = now if isinstance(now, pl.Series) else pl.Series("x", now)
    drifts = compare_table(
        profile_table(then.rename("x").to_frame()), now.rename("x").to_frame(), LIMITS
    )
    judged, _ = judge_columns(drifts, (), LIMITS)
    text = json.dumps(judged[0].to_json(), allow_nan=False)
    assert ColumnDrift.from_json(json.loads(text)).to_json() == judged[0].to_json()
    return judged[0]


def letters(shares: list[float], rows: int, seed: int = 0) -> list[str]:
    return np.random.default_rng(seed).choice(list("abcd")[: len(shares)], rows, p=shares).tolist()


def test_a_shifted_number_drifts_and_says_how_far() -> None:
    drift = compared(RNG.normal(size=2_000), RNG.normal(1, 1, 2_000))
    assert drift.drifted
    assert drift.statistic == "w1"
    assert 0.9 < drift.low < 1.0 < drift.high < 1.1
    assert "Moved by 1." in drift.reason
    assert "the limit is 0.1" in drift.reason


def test_the_same_distribution_does_not_drift() -> None:
    drift = compared(RNG.normal(size=2_000), RNG.normal(size=500))
    assert not drift.drifted
    assert drift.reason == "As in training."


def test_a_tiny_shift_of_many_rows_is_significant_but_negligible() -> None:
    """M-f: a million against a million rows, 0.01 standard deviations."""
    rng = np.random.default_rng(1)
    drift = compared(rng.normal(size=1_000_000), rng.normal(0.01, 1, 1_000_000))
    assert drift.p < 0.01
    assert not drift.drifted
    assert "significant, but negligible" in drift.reason


@pytest.mark.parametrize("where", ["training", "now"])
def test_one_wild_value_hides_no_shift_and_is_none(where: str) -> None:
    """M-g: one value of 1,000 in the reference or in the chunk, and a true shift of 1 sd."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        then, now = rng.normal(size=10_000), rng.normal(size=10_000)
        if where == "training":
            then = np.append(then, 1_000.0)
        else:
            now = np.append(now, 10_000.0)
        assert not compared(then, now).drifted
        assert compared(then, now + 1).drifted


def test_moved_category_shares_drift() -> None:
    drift = compared(letters([0.5, 0.3, 0.2], 2_000), letters([0.3, 0.3, 0.4], 2_000, 1))
    assert (drift.drifted, drift.statistic) == (True, "tvd")
    assert drift.effect == pytest.approx(0.2, abs=0.04)


def test_a_category_that_training_never_saw_is_named() -> None:
    now = [
        value if place % 20 else "zz" for place, value in enumerate(letters([0.5, 0.5], 1_000, 1))
    ]
    drift = compared(letters([0.5, 0.5], 1_000), now)
    assert drift.new_values == ("zz",)
    new = next(check for check in drift.checks if check.aspect == "new")
    assert new.drifted
    assert "never saw (such as zz)" in new.reason


def test_a_few_unknown_categories_are_told_but_no_alarm() -> None:
    drift = compared(letters([0.5, 0.5], 1_000), [*letters([0.5, 0.5], 999, 1), "zz"])
    assert drift.new_values == ("zz",)
    assert not drift.drifted


def test_more_missing_values_drift() -> None:
    now = pl.Series("x", RNG.normal(size=1_000)).scatter(range(100), None)
    drift = compared(RNG.normal(size=2_000), now)
    missing = next(check for check in drift.checks if check.aspect == "missing")
    assert missing.drifted
    assert "Missing values rose from 0.0% to 10.0%" in drift.reason
    assert drift.missing == (0.0, 0.1)


def test_fewer_missing_values_are_no_alarm() -> None:
    then = pl.Series("x", RNG.normal(size=1_000)).scatter(range(200), None)
    assert not compared(then, RNG.normal(size=1_000)).drifted


@pytest.mark.parametrize("labels", [("0", "1"), (0, 1), (False, True), (0.0, 1.0)])
def test_text_numbers_and_booleans_give_the_same_answer(labels: tuple[Any, Any]) -> None:
    rng = np.random.default_rng(3)
    then = [labels[int(bit)] for bit in rng.random(2_000) < 0.3]
    now = [labels[int(bit)] for bit in rng.random(1_000) < 0.5]
    drift = compared(then, now)
    assert drift.drifted
    if type(labels[0]) is not float:
        assert drift.effect == pytest.approx(0.2, abs=0.05)


def test_whole_numbers_may_come_as_floats() -> None:
    rng = np.random.default_rng(3)
    then, now = rng.integers(0, 4, 1_000), rng.integers(0, 4, 1_000).astype(float)
    drift = compared(then, now)
    assert drift.new_values == ()
    assert not drift.drifted


def test_a_class_that_is_missing_in_the_chunk_is_a_moved_share() -> None:
    assert compared(letters([0.5, 0.3, 0.2], 2_000), ["a"] * 500).drifted


def test_a_constant_that_stays_is_calm_and_one_that_moves_drifts() -> None:
    assert not compared(np.full(500, 7.0), np.full(300, 7.0)).drifted
    moved = compared(np.full(500, 7.0), np.repeat([7.0, 8.0], [200, 100]))
    assert moved.drifted
    assert moved.new_values == ("8",)
    assert compared(["a"] * 500, ["b"] * 300).drifted


def test_all_null_columns_say_that_nothing_can_be_compared() -> None:
    nulls = pl.Series("x", [None] * 200, dtype=pl.Float64)
    gone = compared(RNG.normal(size=500), nulls)
    assert gone.drifted
    assert "Missing values rose from 0.0% to 100.0%" in gone.reason
    assert compared(nulls, RNG.normal(size=500)).note == "There are no values to compare."
    assert not compared(nulls, nulls).drifted


def test_infinities_count_as_extreme_values() -> None:
    now = np.append(RNG.normal(size=900), np.repeat([np.inf, -np.inf], 50))
    assert not compared(np.append(RNG.normal(size=5_000), np.inf), RNG.normal(size=500)).drifted
    assert np.isfinite(compared(RNG.normal(size=2_000), now).effect)


def test_nan_is_a_missing_value() -> None:
    drift = compared(RNG.normal(size=500), np.append(RNG.normal(size=400), [np.nan] * 100))
    assert drift.missing[1] == 0.2


def test_an_empty_chunk_is_said_to_be_empty() -> None:
    drift = compared(RNG.normal(size=500), pl.Series("x", [], dtype=pl.Float64))
    assert (drift.drifted, drift.note) == (False, "There are no current rows.")


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_tiny_chunk_has_wide_intervals_and_no_alarm(rows: int) -> None:
    drift = compared(RNG.normal(size=500), RNG.normal(3, 1, rows))
    assert not drift.drifted
    assert "may be chance" in drift.reason
    assert not compared(letters([0.5, 0.5], 500), ["a"] * rows).drifted


def test_new_values_are_expected_where_many_training_values_came_once() -> None:
    # 20 of 900 training rows have a value of their own, so 2 % of clean rows bring a new one.
    then = [*letters([0.6, 0.4], 880), *[f"once {n}" for n in range(20)]]
    usual = letters([0.6, 0.4], 374, seed=1)
    clean = [*usual, *[f"new {n}" for n in range(9)]]
    mixed = np.random.default_rng(0).permutation(clean).tolist()
    assert not compared(then, mixed).drifted
    broken = np.random.default_rng(0).permutation([*usual, *["new"] * 60]).tolist()
    assert compared(then, broken).drifted
    # Without values that came once, the same nine rows are an alarm.
    assert compared(letters([0.6, 0.4], 900), mixed).drifted


def test_a_steady_column_does_not_say_that_rows_are_too_few() -> None:
    then, now = letters([0.5, 0.5], 5_000), ["a"] * 170 + ["b"] * 130
    drift = compared(then, np.random.default_rng(0).permutation(now).tolist())
    assert drift.verdict == "steady"
    assert "may be chance; a larger one than" in drift.reason
    assert "too few rows" not in drift.reason


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([f"order-{place}" for place in range(500)], "identifiers are always new"),
        ([date(2026, 1, 1 + place % 28) for place in range(500)], "time moves on"),
        ([f"some words of text number {place}" for place in range(500)], "free text"),
    ],
)
def test_what_always_changes_is_not_compared(values: list[Any], told: str) -> None:
    drift = compared(values, values[:100])
    assert told in drift.note
    assert drift.main is None


def test_text_in_a_column_of_numbers_is_told() -> None:
    assert "No current value is a number" in compared(RNG.normal(size=500), ["far"] * 300).note


def test_a_column_that_callers_no_longer_send_is_all_missing() -> None:
    profile = profile_table(pl.DataFrame({"x": RNG.normal(size=500)}))
    (drift,), _ = judge_columns(
        compare_table(profile, pl.DataFrame({"y": [1] * 200}), LIMITS), (), LIMITS
    )
    assert drift.drifted
    assert drift.missing == (0.0, 1.0)


def test_many_alike_categories_raise_no_alarm() -> None:
    """The kept 50 of 1,000 equal levels were lucky in training; that is no drift."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        then, now = ([f"k{v}" for v in rng.integers(0, 1_000, 1_000)] for _ in range(2))
        assert not compared(then, now).drifted


def test_a_heavy_category_among_many_is_watched() -> None:
    rng = np.random.default_rng(0)

    def draw(share: float) -> list[str]:
        heavy = rng.random(4_000) < share
        return [
            f"k{v}" if not h else "main"
            for h, v in zip(heavy, rng.integers(0, 1_000, 4_000), strict=True)
        ]

    drift = compared(draw(0.5), draw(0.3))
    assert drift.drifted
    assert drift.bins[0][0] == "main"
    assert drift.bins[-1][0] == "(other)"
