"""Recipes: the model and the gates fit the task and the size of the table."""

import pytest

from penstock.evaluation import parse_gate
from penstock.scaffolding._notes import TableNotes
from penstock.scaffolding._recipes import choose_recipe, write_gates
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


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_gate_can_be_read(task):
    gates = write_gates(_notes(task))
    assert [parse_gate(gate.text).text for gate in gates] == [gate.text for gate in gates]
    assert {"leakage == none", "verified"} <= {gate.text for gate in gates}
    assert any("champion." in gate.text for gate in gates)
