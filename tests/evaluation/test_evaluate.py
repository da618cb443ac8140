"""Whole reports on tables of every kind: as asked, and never a crash or a silent gap."""

import numpy as np
import polars as pl
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from penstock.core import DataError, NotFoundError, ParameterError
from penstock.data import split_table
from penstock.evaluation import evaluate, measure_model
from penstock.stores import ChunkedTable, Positions


def table_of(target, rows=200):
    draw = np.random.default_rng(0)
    return pl.DataFrame({"x": draw.normal(size=rows), "target": target})


def fitted(table, estimator=None, **rest):
    split = split_table(table, target="target", **rest)
    model = (estimator or LogisticRegression()).fit(split.train.X, split.train.y)
    return model, split


def test_metrics_are_those_of_scikit_learn_on_the_test_rows(report, model, split):
    frame, y = split.test.X, split.test.y
    assert report.metric("roc_auc").value == pytest.approx(
        roc_auc_score(y == "yes", model.predict_proba(frame)[:, 1])
    )
    assert report.metric("accuracy").value == accuracy_score(y, model.predict(frame))
    assert report.metric("recall").value == recall_score(y, model.predict(frame), pos_label="yes")
    assert report.absent == {}
    assert (report.positive, report.classes, report.task) == ("yes", ("no", "yes"), "binary")
    assert report.rows == {"train": 2400, "validation": 0, "test": 600}
    assert report.resamples == 200


def test_the_metrics_alone_are_those_of_the_report(model, split, number_split):
    ridge = Ridge().fit(number_split.train.X, number_split.train.y)
    for judged, rows in ((model, split), (ridge, number_split)):
        whole = evaluate(judged, rows, importance=False, resamples=0)
        expected = {name: each.value for name, each in whole.metrics.items()}
        assert measure_model(judged, rows) == expected


def test_the_baseline_is_the_majority_class(report, split):
    dummy = DummyClassifier(strategy="prior").fit(split.train.X, split.train.y)
    expected = accuracy_score(split.test.y, dummy.predict(split.test.X))
    assert report.baseline["accuracy"] == expected
    assert report.baseline["roc_auc"] == 0.5
    assert "precision" not in report.baseline or report.baseline["precision"] > 0


def test_the_baseline_of_numbers_is_the_training_mean(number_report, number_split):
    mean = number_split.train.y.mean()
    expected = np.sqrt(np.mean((number_split.test.y.to_numpy() - mean) ** 2))
    assert number_report.baseline["rmse"] == pytest.approx(expected)
    assert number_report.positive is None
    assert number_report.classes == ()


def test_slices_count_every_test_row_and_name_missing_and_bins(report):
    assert {
        name: sum(each.rows for each in results) for name, results in report.slices.items()
    } == {
        "company": 600,
        "age": 600,
    }
    assert [each.value for each in report.slices["company"]][:3] == ["Blue", "Flash", "Sun"]
    assert report.slices["company"][-1].value == "(missing)"
    assert len(report.slices["age"]) == 5
    assert any("fewer than 30 rows" in note for note in report.notes)


def test_a_slice_has_the_metrics_of_its_rows(report, model, split):
    rows = split.test.table["company"] == "Blue"
    frame, y = split.test.X.filter(rows), split.test.y.filter(rows)
    blue = report.slices["company"][0]
    assert blue.rows == rows.sum()
    assert blue.metrics["f1"].value == f1_score(y, model.predict(frame), pos_label="yes")


def test_fairness_leaves_small_groups_out(report, model, split):
    said = split.test.table.with_columns(said=pl.Series(model.predict(split.test.X)) == "yes")
    shares = (
        said.drop_nulls("company")
        .group_by("company")
        .agg(pl.len(), pl.col("said").mean())
        .filter(pl.col("len") >= 30)["said"]
    )
    figures = report.fairness["company"]
    assert figures["demographic_parity_difference"] == pytest.approx(shares.max() - shares.min())
    assert 0 <= figures["recall_gap"] <= 1
    assert 0 <= figures["recall_ratio"] <= 1
    assert "mcc_ratio" not in figures


def test_sensitive_columns_replace_the_slices_for_fairness(model, split):
    report = evaluate(model, split, slices="company", sensitive=["age"], resamples=10)
    assert list(report.slices) == ["company", "age"]
    assert list(report.fairness) == ["age"]


def test_a_positive_class_turns_the_figures_round(model, split):
    report = evaluate(model, split, positive="no", resamples=10)
    expected = recall_score(split.test.y, model.predict(split.test.X), pos_label="no")
    assert report.metric("recall").value == expected
    assert report.outcome_classes == ("yes", "no")


def test_a_positive_class_may_be_given_as_text():
    model, split = fitted(table_of([0, 1] * 100))
    assert evaluate(model, split, positive="0", resamples=0).positive == 0
    assert evaluate(model, split, resamples=0).positive == 1


def test_a_positive_class_that_the_labels_told_is_said(report):
    assert report.notes[0].startswith("The positive class is 'yes', as it means yes beside 'no'")


def test_two_arbitrary_labels_have_every_metric_that_needs_no_positive_class():
    model, split = fitted(table_of(["cat", "dog"] * 100))
    report = evaluate(model, split, resamples=0)
    assert report.positive is None
    assert set(report.metrics) == {
        "roc_auc", "log_loss", "brier", "accuracy", "balanced_accuracy", "mcc"
    }  # fmt: skip
    assert "declare it with positive='cat' or positive='dog'" in report.absent["recall"]
    told = evaluate(model, split, positive="cat", resamples=0)
    assert told.positive == "cat"
    assert not any("positive class is" in note for note in told.notes)
    assert "score" not in report.prediction_profile.columns
    assert "score" in told.prediction_profile.columns
    for name, estimate in report.metrics.items():
        assert told.metrics[name].value == pytest.approx(estimate.value, abs=1e-12)
    assert {"recall", "precision", "f1", "average_precision"} <= set(told.metrics)


def test_two_evaluations_are_equal_and_another_order_of_rows_too(model, split, report):
    again = evaluate(model, split, slices=["company", "age"], resamples=200)
    assert again == report
    assert again.to_json() == report.to_json()


@pytest.mark.parametrize(
    ("labels", "positive"), [([False, True], True), ([1, 2], None), (["a b", "<c>"], None)]
)
def test_labels_of_every_type_work(labels, positive):
    model, split = fitted(table_of(labels * 100))
    report = evaluate(model, split, slices=["target"], resamples=20)
    assert report.positive == positive
    assert report.absent == {} or "precision" in report.absent
    assert set(report.figures()) >= {"roc", "confusion"}


def test_several_classes_have_their_metrics():
    draw = np.random.default_rng(0)
    table = table_of(draw.choice(list("abc"), 900).tolist(), rows=900)
    model, split = fitted(table)
    report = evaluate(model, split, slices=["x"], resamples=30)
    assert set(report.metrics) == {
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "log_loss",
        "roc_auc",
    }
    assert report.positive is None
    assert report.calibration.brier is None
    assert "accuracy_gap" in report.fairness["x"]
    assert "demographic_parity_difference" not in report.fairness["x"]
    figures = report.figures()
    assert [each.name for each in figures["roc"].data] == ["chance", "a", "b", "c"]
    assert [each.name for each in figures["precision_recall"].data] == ["a", "b", "c"]


def test_three_rows_of_a_regression_do_not_crash():
    table = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "target": [1.5, 2.5, 3.5, 4.5]})
    model, split = fitted(table, DummyRegressor(), task="regression", test=0.25)
    report = evaluate(model, split, slices=["x"], resamples=20)
    assert report.metric("mae").value > 0
    assert report.absent["r2"] == "the target has one value only in these rows"
    assert "No r2: the target has one value only in these rows." in report.notes
    assert set(report.figures()) >= {"predicted_vs_actual", "residuals"}


def test_a_holdout_of_one_class_is_told(split):
    model = LogisticRegression().fit(split.train.X, split.train.y)
    yes = np.flatnonzero((split.table["tipped"] == "yes").to_numpy())
    from dataclasses import replace

    only = replace(split, test_positions=Positions.of(yes[:40], split.table.height))
    report = evaluate(model, only, slices=["company"], resamples=20)
    assert report.absent["roc_auc"] == "no row is of class 'no'"
    assert report.metric("recall").value <= 1
    assert "roc" not in report.figures()
    with pytest.raises(NotFoundError, match="no roc_auc: no row is of class 'no'"):
        report.metric("roc_auc")


def test_scores_that_are_no_numbers_are_told(split):
    class Doubtful:
        classes_ = np.array(["no", "yes"])

        def predict(self, frame):
            return np.where(frame["first"] > 0, "yes", "no")

        def predict_proba(self, frame):
            scores = frame["first"].to_numpy()
            return np.column_stack([scores, np.where(scores > 1, np.nan, scores)])

    report = evaluate(Doubtful(), split, resamples=10)
    assert "score that is no number" in report.absent["roc_auc"]
    assert report.calibration is None
    assert "confusion" in report.figures()
    assert report.prediction_profile is not None


def test_rows_whose_target_is_no_number_are_left_out_and_counted(number_split):
    from dataclasses import replace

    model = DummyRegressor().fit(number_split.train.X, number_split.train.y)
    table = number_split.table
    bad = int(number_split.test_rows[0])
    broken = table.with_columns(
        fare=pl.when(pl.int_range(len(table)) == bad).then(float("nan")).otherwise(pl.col("fare"))
    )
    split = replace(number_split, _load_chunks=lambda: ChunkedTable.of(broken))
    report = evaluate(model, split, slices=["company"], resamples=10)
    assert "1 rows whose target is no finite number were left out." in report.notes
    assert len(report.holdout.X) == len(split.test) - 1
    assert sum(each.rows for each in report.slices["company"]) == len(split.test) - 1


def test_asking_for_what_is_not_there_is_refused_with_the_remedy(model, split):
    with pytest.raises(NotFoundError, match="Did you mean 'company'"):
        evaluate(model, split, slices=["compny"])
    with pytest.raises(ParameterError, match="none of the target's classes"):
        evaluate(model, split, positive="maybe")
    with pytest.raises(ParameterError, match='subset="test"'):
        evaluate(model, split, subset="train")
    with pytest.raises(DataError, match="validation subset of the split has no rows"):
        evaluate(model, split, subset="validation")
