"""A champion is compared on rows that it has not seen, or the gate says what is not known."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from penstock.core import DataError, GateState
from penstock.data import split_table
from penstock.evaluation import EvaluationReport, TrainedOn, compare, evaluate, judge

GATE = "roc_auc >= champion.roc_auc - 0.005"


def table(rows, seed=0):
    draw = np.random.default_rng(seed)
    a, b, noise = draw.normal(size=(3, rows))
    label = np.where(a - 0.5 * b + noise > 0, "yes", "no")
    return pl.DataFrame({"a": a, "b": b, "k": draw.integers(0, 9, rows), "label": label})


@pytest.fixture(scope="module")
def grown():
    """A table, the same table with more rows, and a forest that knows the first by heart."""
    whole = table(3000)
    old, new = split_table(whole.head(1000), target="label"), split_table(whole, target="label")
    forest = RandomForestClassifier(30, random_state=0, n_jobs=1).fit(old.train.X, old.train.y)
    better = LogisticRegression().fit(new.train.X, new.train.y)
    return evaluate(forest, old, resamples=0), forest, evaluate(better, new, resamples=20)


def test_rows_that_the_champion_has_seen_are_left_out_though_the_table_has_grown(grown):
    first, forest, report = grown
    blind = compare(report, forest, resamples=20)
    fair = compare(report, forest, trained_on=first.trained_on, resamples=20)
    assert blind.left_out == 0
    # 800 of 3,000 rows were trained on; 600 are tested.
    assert fair.left_out == pytest.approx(160, abs=40)
    assert fair.rows + fair.left_out == 600
    assert fair["roc_auc"].champion < blind["roc_auc"].champion


def test_the_gate_sets_both_figures_of_the_unseen_rows_beside_each_other(grown):
    first, forest, report = grown
    fair = compare(report, forest, trained_on=first.trained_on, resamples=20)
    (result,) = judge([GATE], report, comparison=fair)
    assert result.state is GateState.PASSED
    assert f"roc_auc {fair['roc_auc'].challenger:.3f} >= " in result.reason
    assert f"{fair.left_out} rows that the champion was trained on were left out" in result.reason


def test_a_champion_whose_rows_are_not_recorded_is_said_so(grown):
    _, forest, report = grown
    (result,) = judge([GATE], report, comparison=compare(report, forest, resamples=20))
    assert "whether the champion was trained on some of these rows is not recorded" in result.reason


def test_the_same_table_is_told_apart_by_position_where_rows_repeat():
    repeated = table(1000).with_columns(pl.col("a", "b").round(0).cast(pl.Int64)).drop("k")
    one, two = (split_table(repeated, target="label", seed=seed) for seed in (0, 1))
    model = LogisticRegression().fit(one.train.X, one.train.y)
    seen = evaluate(model, one, resamples=0).trained_on
    found = compare(evaluate(model, two, resamples=0), model, trained_on=seen, resamples=20)
    assert found.left_out == len(np.intersect1d(two.test_rows, one.train_rows)) > 100


def test_rows_that_repeat_in_another_table_are_not_told_apart_and_it_is_said(grown):
    _, _, report = grown
    known = replace(TrainedOn.of(split_table(table(100), target="label"), "test"), distinct=0.5)
    model = LogisticRegression().fit(table(50).select("a", "b", "k"), table(50)["label"])
    found = compare(report, model, trained_on=known, resamples=20)
    assert "is not known: only 50% of the rows" in found.note


def test_too_few_unseen_rows_are_refused_with_the_number(grown):
    split = split_table(table(300), target="label")
    model = LogisticRegression().fit(split.train.X, split.train.y)
    report = evaluate(model, split, resamples=0)
    seen = replace(report.trained_on, rows=pl.DataFrame({
        "row": split.test_rows[5:], "digest": np.zeros(len(split.test_rows) - 5, np.uint64)
    }))  # fmt: skip
    with pytest.raises(DataError, match="55 of the 60 rows, and 5 are too few"):
        compare(report, model, trained_on=seen)


def test_columns_that_the_challenger_dropped_stay_for_the_champion_only():
    rows = table(600)
    wide, narrow = split_table(rows, target="label"), split_table(rows, target="label", drop=["b"])
    champion = LogisticRegression().fit(wide.train.X, wide.train.y)
    report = evaluate(LogisticRegression().fit(narrow.train.X, narrow.train.y), narrow, resamples=0)
    assert report.holdout.X.columns == ["a", "k"]
    assert report.schema.names == ["a", "k"]
    assert set(report.holdout.table.columns) == {"a", "b", "k"}
    again = EvaluationReport.from_bundle(report.to_bundle())
    assert compare(again, champion, resamples=20)["roc_auc"].champion > 0.8
    assert again.trained_on.rows.equals(report.trained_on.rows)


def test_numbers_of_another_width_and_categories_are_the_same_row():
    rows = table(200)
    known = TrainedOn.of(split_table(rows, target="label"), "test")
    other = rows.with_columns(pl.col("k").cast(pl.Int32), pl.col("label").cast(pl.Categorical))
    found = known.find(other, np.arange(200), "another table")
    assert found.sum() == 160  # type: ignore[union-attr]
