"""MASE: the scale is that of the training series, and where that is not known the report says why."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from penstock.core import ParameterError
from penstock.data import split_table
from penstock.evaluation import compare, evaluate, judge, mase
from penstock.evaluation._scaled_errors import _scale
from penstock.evaluation._user_functions import find_metric, remember

DAYS = [date(2026, 1, 1) + timedelta(days=day) for day in range(140)]
WEEK = np.array([5.0, 6, 7, 8, 9, 20, 22])
DRAW = np.random.default_rng(0)


def shops(names="ab", days=DAYS):
    """Daily sales of shops, the second ten times those of the first."""
    tables = [
        pl.DataFrame(
            {
                "day": days,
                "shop": name,
                "weekday": [day.weekday() for day in days],
                "sold": (WEEK[[day.weekday() for day in days]] + DRAW.normal(size=len(days)))
                * 10**at,
            }
        )
        for at, name in enumerate(names)
    ]
    return pl.concat(tables).sample(fraction=1, shuffle=True, seed=1)


def judged(table, own, *, drop=("shop", "day"), **how):
    split = split_table(table, target="sold", task="regression", drop=drop, **how)
    model = LinearRegression().fit(split.train.X, split.train.y)
    return split, model, evaluate(model, split, metrics=[own], importance=False, resamples=50)


def test_errors_are_divided_by_those_of_the_week_before_in_training():
    split, model, report = judged(shops(), mase(7, series="shop"), by_time="day")
    scales = {}
    for (name,), rows in split.train.table.sort("day").group_by("shop", maintain_order=True):
        values = rows["sold"].to_numpy()
        scales[name] = np.mean([abs(values[t] - values[t - 7]) for t in range(7, len(values))])
    off = np.abs(split.test.y.to_numpy() - model.predict(split.test.X))
    expected = np.mean(off / [scales[name] for name in split.test.table["shop"]])
    estimate = report.metrics["mase_7"]
    assert estimate.value == pytest.approx(expected)
    assert estimate.low < expected < estimate.high
    assert judge(["upper(mase_7) < 1000"], report)[0].state.value == "passed"


def test_a_hand_calculation():
    """Hyndman, Koehler (2006): y = 1, 3, 2, 6; naive errors 2, 1, 4; season 2: 1, 3."""
    times = [3, 0, 1, 2]
    values = np.array([6.0, 1.0, 3.0, 2.0])
    assert _scale(times, values, 1) == pytest.approx(7 / 3)
    assert _scale(times, values, 2) == pytest.approx(2)


def test_the_champion_is_measured_with_the_same_scales_elsewhere():
    split, _, report = judged(shops("a"), mase(7), by_time="day")
    facts = report.user_metrics[0]
    assert facts["recipe"]["maker"] == "bound_mase"
    bound = find_metric({**facts, "code": "of another process"})
    assert not isinstance(bound, str)
    assert remember(bound)["code"] == facts["code"]
    worse = DummyRegressor().fit(split.train.X, split.train.y)
    assert compare(report, worse)["mase_7"].difference < 0


@pytest.mark.parametrize(
    ("table", "own", "how", "reason"),
    [
        (shops("a"), mase(7), {}, "no order in time: split by_time="),
        (shops("ab"), mase(7), {"by_time": "day"}, "two training rows have the time 2026-01-01; "),
        (
            shops("a", DAYS[:50] + DAYS[53:]),
            mase(7),
            {"by_time": "day"},
            "not evenly spaced: from 2026-02-19 to 2026-02-23 instead of 1 day",
        ),
        (shops("a"), mase(200), {"by_time": "day"}, "112 training rows, 201 are needed"),
        (
            shops("a").with_columns(sold=pl.lit(1.0) + (pl.col("day") > DAYS[-20])),
            mase(7),
            {"by_time": "day"},
            "each training value equals the one 7 rows before",
        ),
        (
            shops("a"),
            mase(7, series="store"),
            {"by_time": "day"},
            "the table has no column 'store' of series",
        ),
        (
            pl.concat([shops("a"), shops("b", DAYS[-5:])]),
            mase(7, series="shop"),
            {"by_time": "day"},
            "series 'b': it has no training rows",
        ),
    ],
)
def test_without_a_known_scale_the_metric_is_absent_with_the_reason(table, own, how, reason):
    split, _, report = judged(table, own, **how)
    assert reason in report.absent[own.name]
    assert judge([f"{own.name} < 100"], report)[0].state.value == "failed"
    del split


@pytest.mark.parametrize(
    "days",
    [
        [date(2026 + at // 12, 1 + at % 12, 1) for at in range(60)],
        [date(2026 + at // 12, 1 + at % 12, 28 + (at % 2)) for at in range(60) if at % 12 != 1],
        [day for day in DAYS if day.weekday() < 5],
    ],
    ids=["months", "gap of a month", "working days"],
)
def test_months_and_working_days_are_evenly_spaced(days):
    values = np.arange(len(days), dtype=float)
    found = _scale(days, values, 1)
    assert found == (1.0 if len(days) != 55 else pytest.approx(found))
    assert isinstance(found, str) == (len(days) == 55)


def test_a_season_counts_rows():
    with pytest.raises(ParameterError, match="season=0"):
        mase(0)
