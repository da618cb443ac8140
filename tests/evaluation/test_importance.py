"""Permutation importance: scikit-learn's values, with intervals, and columns that tell the same."""

import numpy as np
import polars as pl
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge

from penstock.data import split_table
from penstock.evaluation import EvaluationReport, evaluate
from penstock.evaluation._importance import MOST_ROWS, REPEATS, _choose_size


@pytest.fixture(scope="module")
def judged():
    draw = np.random.default_rng(1)
    strong, weak, noise = draw.normal(size=(3, 2000))
    table = pl.DataFrame(
        {
            "strong": strong,
            "weak": weak,
            "noise": noise,
            "copy": strong + 0.05 * draw.normal(size=2000),
            "y": strong + 0.3 * weak + draw.normal(size=2000),
        }
    )
    split = split_table(table, target="y")
    model = Ridge().fit(split.train.X, split.train.y)
    return model, split, evaluate(model, split, resamples=20)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_the_losses_are_those_of_scikit_learn(judged):
    model, split, report = judged
    other = permutation_importance(
        model,
        split.test.X,
        split.test.y,
        scoring="neg_root_mean_squared_error",
        n_repeats=50,
        random_state=0,
    )
    found = {each.columns[0]: each.loss for each in report.importance.columns}
    for at, name in enumerate(split.test.X.columns):
        assert found[name].low <= other.importances_mean[at] <= found[name].high
    assert found["weak"].low > 0 > found["noise"].low
    assert report.importance.metric == "rmse"


def test_columns_that_tell_the_same_are_shuffled_together(judged):
    (group,) = judged[2].importance.groups
    assert group.columns == ("strong", "copy")
    assert group.loss.low > max(each.loss.value for each in judged[2].importance.columns) / 2
    assert any("'strong', 'copy' tell the same" in note for note in judged[2].notes)


def test_the_most_important_comes_first_and_the_report_says_how_many(judged):
    report = judged[2]
    values = [each.loss.value for each in report.importance.columns]
    assert values == sorted(values, reverse=True)
    assert (report.importance.rows, report.importance.repeats) == (400, REPEATS)
    assert EvaluationReport.from_bundle(report.to_bundle()).importance == report.importance
    assert "importance" in report.figures()


def test_equal_evaluations_have_equal_importance(judged):
    model, split, report = judged
    assert evaluate(model, split, resamples=20).importance == report.importance
    assert evaluate(model, split, resamples=20, importance=False).importance is None


def test_categories_and_classes_are_shuffled_as_they_are(split, report):
    del split
    names = [each.columns for each in report.importance.columns]
    assert names[0] == ("first",)
    assert report.importance.metric == "roc_auc"


def test_the_number_of_predictions_is_bounded():
    assert _choose_size(10, 50_000) == (MOST_ROWS, REPEATS)
    for columns in (1, 100, 200, 500):
        rows, repeats = _choose_size(columns, 50_000)
        assert rows * repeats * columns <= 500_000
        assert rows >= 200
        assert repeats >= 2


def test_a_model_that_cannot_predict_shuffled_rows_has_a_report_all_the_same():
    class Picky(LogisticRegression):
        def predict_proba(self, X):  # noqa: N803 - scikit-learn's name
            return super().predict_proba(X)

        def predict(self, X):  # noqa: N803 - scikit-learn's name
            if len(X) > 400:
                raise ValueError(len(X))
            return super().predict(X)

    draw = np.random.default_rng(0)
    table = pl.DataFrame({"x": draw.normal(size=500), "y": draw.choice(["no", "yes"], 500)})
    split = split_table(table, target="y")
    picky = Picky().fit(split.train.X, split.train.y)
    report = evaluate(picky, split, resamples=0)
    assert report.importance is None
    assert any(note.startswith("No importance of columns") for note in report.notes)
