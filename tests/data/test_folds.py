import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from penstock.core import DataError, NotFoundError
from penstock.data import FoldRules, cut_folds
from penstock.data._folds import purged_rows, rolling_rows

DAY = 86_400_000_000
times = st.lists(st.integers(0, 60), min_size=12, max_size=60).filter(lambda t: len(set(t)) > 6)


@given(times, st.integers(2, 5), st.integers(0, 3), st.integers(0, 3))
def test_no_label_of_a_purged_train_row_shares_time_with_the_test_rows(days, folds, gap, embargo):
    moments = np.array(days) * DAY
    rules = FoldRules(
        method="purged", folds=folds, by_time="t", gap=f"{gap}d", embargo=f"{embargo}d"
    )
    tested = []
    for train, test in purged_rows(moments, rules):
        first, last = moments[test].min() / DAY, moments[test].max() / DAY
        for day in moments[train] / DAY:
            assert day + gap < first or day > last + gap + embargo
        tested += test.tolist()
    assert sorted(tested) == list(range(len(days)))  # every row is tested once


@given(times, st.integers(2, 5), st.integers(0, 3))
def test_a_rolling_origin_trains_on_rows_before_the_test_rows(days, folds, gap):
    moments = np.array(days) * DAY
    rules = FoldRules(method="rolling", folds=folds, by_time="t", gap=f"{gap}d", window="10d")
    found = rolling_rows(moments, rules)
    assert len(found) == folds
    for train, test in found:
        assert all(moments[train] + gap * DAY < moments[test].min() + (gap == 0))
        assert all(moments[train] >= moments[test].min() - (gap + 10) * DAY)
        assert not set(moments[train]) & set(moments[test])


def frame(count=40):
    return pl.DataFrame(
        {
            "x": [float(i * 7 % 11) for i in range(count)],
            "g": [i // 4 for i in range(count)],
            "day": [dt.date(2026, 1, 1) + dt.timedelta(days=i) for i in range(count)],
            "y": [float(i * 3 % 13) for i in range(count)],
        }
    )


def test_groups_are_whole_and_cut_as_scikit_learn_cuts_them():
    table = frame()
    folds = cut_folds(table, FoldRules(method="group", by_group="g", folds=5, seed=2), target="y")
    peer = GroupKFold(5, shuffle=True, random_state=2).split(table, groups=table["g"].to_numpy())
    assert [fold.test_rows.tolist() for fold in folds] == [test.tolist() for _, test in peer]


def test_rows_without_a_target_are_in_no_fold():
    table = frame().with_columns(y=pl.when(pl.col("x") > 0).then(pl.col("y")))
    folds = cut_folds(table, FoldRules(folds=3), target="y")
    used = {row for fold in folds for row in [*fold.train_rows, *fold.test_rows]}
    assert used == set(np.flatnonzero(table["y"].is_not_null().to_numpy()))


def test_a_gap_that_leaves_no_train_rows_is_told_with_the_fold():
    rules = FoldRules(method="purged", by_time="day", folds=4, gap="90d")
    with pytest.raises(DataError, match="Fold 0 has 0 train"):
        cut_folds(frame(), rules, target="y", drop=["g"])


@pytest.mark.parametrize(
    ("rules", "target", "meant"),
    [
        (FoldRules(method="group", by_group="gg"), "y", "'g'"),
        (FoldRules(method="purged", by_time="dya"), "y", "'day'"),
        (FoldRules(), "yy", "'y'"),
    ],
)
def test_a_column_that_does_not_exist_is_told_with_the_one_that_was_meant(rules, target, meant):
    with pytest.raises(NotFoundError, match=f"Did you mean {meant}"):
        cut_folds(frame(), rules, target=target)
