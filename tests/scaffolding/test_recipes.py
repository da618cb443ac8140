"""Recipes: the model and the gates fit the task and the size of the table."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from penstock.data import split_table
from penstock.evaluation import parse_gate
from penstock.scaffolding._notes import RowsTested, TableNotes
from penstock.scaffolding._recipes import choose_recipe, write_gates
from penstock.scaffolding._scarce import beat_guessing, count_tested, warn_scarce
from penstock.scaffolding._splits import SplitChoice


def _notes(task, rows=10_000, classes=2):
    labels = (
        () if task == "regression" else tuple((f"c{n}", rows // classes) for n in range(classes))
    )
    return TableNotes(rows, ("x", "y"), "y", task, "", SplitChoice("y"), classes=labels)


@pytest.mark.parametrize(
    ("task", "rows", "classes", "estimator"),
    [
        ("binary", 10_000, 2, "HistGradientBoostingClassifier"),
        ("multiclass", 10_000, 5, "HistGradientBoostingClassifier"),
        ("regression", 10_000, 0, "HistGradientBoostingRegressor"),
        ("binary", 100, 2, "LogisticRegression"),
        ("regression", 100, 0, "Ridge"),
        ("multiclass", 10_000, 80, "LogisticRegression"),
    ],
)
def test_the_model_fits_the_task(task, rows, classes, estimator):
    assert choose_recipe(_notes(task, rows, classes)).estimator == estimator


@pytest.mark.parametrize(
    ("model", "task", "code"),
    [
        ("linear", "regression", "Ridge("),
        ("trees", "binary", "HistGradientBoostingClassifier("),
        ("xgboost", "binary", "LabelEncodingClassifier(XGBClassifier("),
        ("xgboost", "regression", "XGBRegressor("),
        ("lightgbm", "multiclass", "LGBMClassifier("),
        ("torch", "binary", "TabularNetClassifier("),
        ("torch", "regression", "TabularNetRegressor("),
    ],
)
def test_the_kind_of_model_can_be_chosen_whatever_the_size(model, task, code):
    if model == "torch":
        pytest.importorskip("torch", reason="it is installed with: pip install 'penstock[torch]'")
    recipe = choose_recipe(_notes(task, rows=100), model)
    assert f"{recipe.wrapper}({recipe.estimator}(".lstrip("(") == code


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_gate_can_be_read(task):
    gates = write_gates(_notes(task))
    assert [parse_gate(gate.text).text for gate in gates] == [gate.text for gate in gates]
    assert {"leakage == none", "verified"} <= {gate.text for gate in gates}
    assert any("champion." in gate.text for gate in gates)


@pytest.mark.parametrize(
    ("task", "tested", "gate"),
    [
        ("binary", RowsTested(400, 1, 10), "lower(roc_auc) > 0.5"),
        # 0.5 + 1.96 deviations of Mann and Whitney's statistic: sqrt(401 / (12 * 4 * 396)) each.
        ("binary", RowsTested(400, 1, 4), "roc_auc > 0.79"),
        ("binary", RowsTested(400, 1, 1), "roc_auc > 0.98"),
        (
            "multiclass",
            RowsTested(400, "c", 3),
            "lower(balanced_accuracy) > baseline.balanced_accuracy",
        ),
        ("multiclass", RowsTested(400, "c", 0), "lower(accuracy) > baseline.accuracy"),
        ("regression", RowsTested(9), "r2 > 0"),
        ("regression", RowsTested(10), "lower(r2) > 0"),
    ],
)
def test_the_first_gate_can_be_judged_on_the_test_rows(task, tested, gate):
    first, *_ = write_gates(replace(_notes(task), tested=tested))
    assert first.text == gate
    assert parse_gate(gate).text == gate


@pytest.mark.parametrize("few", [2, 4, 9])
def test_a_guess_passes_the_gate_of_few_rows_once_in_forty(few):
    draw = np.random.default_rng(few)
    bar = beat_guessing(RowsTested(200, 1, few))
    ranks = np.argsort(draw.random((20_000, 200)), axis=1)[:, :few]  # of the positive rows
    areas = (ranks.sum(axis=1) - few * (few - 1) / 2) / (few * (200 - few))
    assert 0.01 < (areas > bar).mean() < 0.03


def test_a_target_whose_spread_hangs_on_few_rows_is_told():
    values = [1.0 + n % 5 for n in range(300)]
    values[::100] = [4e4, 9e5, 7e6]
    split = split_table(pl.DataFrame({"x": range(300), "y": values}), target="y", test=0.5)
    assert "lower(r2) may not be told" in " ".join(warn_scarce(count_tested(split, ())))
    plain = split_table(pl.DataFrame({"x": range(300), "y": range(300)}), target="y", test=0.5)
    assert warn_scarce(count_tested(plain, ())) == []
