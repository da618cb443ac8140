"""Several labels per row: scikit-learn's figures, intervals that hold, labels one by one, champion."""

import numpy as np
import polars as pl
import pytest
import sklearn.metrics as oracle
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from penstock.core import DataError, ParameterError
from penstock.data import split_table
from penstock.evaluation import EvaluationReport, Outcomes, compare, evaluate, judge, measure
from penstock.models import Model, infer_signature

LABELS = ("big", "red", "round")
DRAW = np.random.default_rng(0)


def table(rows=1200):
    values = DRAW.normal(size=(rows, 3))
    noise = DRAW.normal(size=(rows, 3))
    flags = values + 0.7 * noise > np.array([1.0, 0.3, 0.0])
    return pl.DataFrame(values, schema=["a", "b", "c"]).with_columns(
        pl.Series("shop", DRAW.choice(["north", "south"], rows)),
        pl.Series("tags", [[LABELS[k] for k in np.flatnonzero(row)] for row in flags]),
    )


SPLIT = split_table(table(), target="tags", drop=["shop"])
X, Y = SPLIT.train.X, SPLIT.train.Y
MODEL = MultiOutputClassifier(LogisticRegression()).fit(X, Y)
REPORT = evaluate(MODEL, SPLIT, slices=["shop"])
TRUTH, SAID = SPLIT.test.Y.to_numpy(), MODEL.predict(SPLIT.test.X)
SCORES = np.stack([each[:, 1] for each in MODEL.predict_proba(SPLIT.test.X)], axis=1)


def test_the_figures_are_those_of_scikit_learn():
    expected = {
        "micro_f1": oracle.f1_score(TRUTH, SAID, average="micro"),
        "macro_f1": oracle.f1_score(TRUTH, SAID, average="macro"),
        "samples_f1": oracle.f1_score(TRUTH, SAID, average="samples", zero_division=1.0),
        "subset_accuracy": oracle.accuracy_score(TRUTH, SAID),
        "hamming_loss": oracle.hamming_loss(TRUTH, SAID),
        "micro_average_precision": oracle.average_precision_score(TRUTH, SCORES, average="micro"),
        "macro_average_precision": oracle.average_precision_score(TRUTH, SCORES, average="macro"),
    }
    found = {name: estimate.value for name, estimate in REPORT.metrics.items()}
    assert found == pytest.approx(expected)
    for name, estimate in REPORT.metrics.items():
        assert estimate.low < estimate.value < estimate.high, name
        assert not estimate.needs


def test_each_label_has_its_own_figures():
    assert [each.value for each in REPORT.labels] == list(LABELS)
    assert [each.rows for each in REPORT.labels] == TRUTH.sum(axis=0).tolist()
    for code, each in enumerate(REPORT.labels):
        truth, said = TRUTH[:, code], SAID[:, code]
        assert each.metrics["f1"].value == pytest.approx(oracle.f1_score(truth, said))
        assert each.metrics["recall"].value == pytest.approx(oracle.recall_score(truth, said))
        area = oracle.average_precision_score(truth, SCORES[:, code])
        assert each.metrics["average_precision"].value == pytest.approx(area)


@pytest.mark.parametrize("name", REPORT.metrics)
def test_the_interval_has_the_width_of_resamples(name):
    """The spread of the figure on resamples of the rows, as an independent estimate."""
    outcomes, draw = REPORT.outcomes(), np.random.default_rng(1)
    values = [
        measure(outcomes.take(draw.integers(len(outcomes), size=len(outcomes))), resamples=0)
        .metrics[name]
        .value
        for _ in range(120)
    ]
    estimate = REPORT.metrics[name]
    assert estimate.high - estimate.low == pytest.approx(3.92 * np.std(values), rel=0.3)


@pytest.mark.parametrize(
    "estimator",
    [
        OneVsRestClassifier(LogisticRegression()),
        OneVsRestClassifier(LinearSVC()),
        ClassifierChain(LogisticRegression()),
        RandomForestClassifier(20, random_state=0),
        KNeighborsClassifier(),
    ],
    ids=lambda each: type(each).__name__,
)
def test_estimators_of_every_form_are_judged(estimator):
    fitted = estimator.fit(X, Y)
    report = evaluate(fitted, SPLIT, importance=False, resamples=50)
    expected = oracle.f1_score(TRUTH, np.asarray(fitted.predict(SPLIT.test.X)), average="micro")
    assert report.metrics["micro_f1"].value == pytest.approx(expected)
    assert "macro_average_precision" in report.metrics
    assert (report.calibration is None) == ("LinearSVC" in str(estimator))


def test_slices_gates_baseline_and_importance_know_the_labels():
    assert {part.value for part in REPORT.slices["shop"]} == {"north", "south"}
    gates = [
        "lower(micro_f1) > baseline.micro_f1",
        "hamming_loss < 0.3",
        "gap(macro_f1, shop) < 0.2",
    ]
    assert [result.state.value for result in judge(gates, REPORT)] == ["passed"] * 3
    with pytest.raises(ParameterError, match="no metric 'roc_auc' for a multilabel target"):
        judge(["roc_auc > 0.5"], REPORT)
    assert REPORT.importance.metric == "micro_f1"
    assert all(each.loss.low > 0 for each in REPORT.importance.columns)
    assert sorted(REPORT.figures()) == ["importance", "slices"]


def test_the_champion_is_compared_row_by_row():
    worse = MultiOutputClassifier(LogisticRegression()).fit(X.select("a", "b", "c") * 0.0, Y)
    found = compare(REPORT, worse)
    assert set(found) >= {"micro_f1", "hamming_loss", "macro_average_precision"}
    assert found["hamming_loss"].high < 0
    same = compare(REPORT, MODEL)["micro_f1"]
    assert (same.difference, same.low, same.high) == (0, 0, 0)
    near = OneVsRestClassifier(LogisticRegression(C=0.5)).fit(X, Y)
    assert not compare(REPORT, near)["micro_f1"].significant


def test_a_function_of_the_users_gets_matrices():
    def missed(truth, prediction):
        return (truth & ~prediction & 1).sum(axis=1).astype(float)

    report = evaluate(MODEL, SPLIT, metrics={"missed": missed}, importance=False)
    expected = ((TRUTH == 1) & (SAID == 0)).sum(axis=1).mean()
    assert report.metrics["missed"].value == pytest.approx(expected)


def test_several_columns_are_labels_too():
    wide = SPLIT.table.with_columns(
        pl.col("tags").list.contains(label).cast(pl.Int8).alias(label) for label in LABELS
    ).drop("tags")
    split = split_table(wide, target=LABELS, drop=["shop"])
    assert (split.task, split.target, split.classes) == ("multilabel", "labels", LABELS)
    fitted = MultiOutputClassifier(LogisticRegression()).fit(split.train.X, split.train.Y)
    report = evaluate(fitted, split, importance=False, resamples=50)
    assert report.metrics["micro_f1"].value == pytest.approx(
        oracle.f1_score(split.test.Y, fitted.predict(split.test.X), average="micro")
    )


@pytest.mark.parametrize(
    "names", [("big", "round"), ("target_a", "target_b"), ("target_0", "target_1")]
)
def test_columns_are_matched_by_name_in_any_order(names):
    wide = SPLIT.table.select(
        "a",
        "c",
        pl.col("tags").list.contains("big").alias(names[0]),
        pl.col("tags").list.contains("round").alias(names[1]),
    )
    split = split_table(wide, target=list(names))
    y = split.train.Y.select(names[::-1])
    fitted = MultiOutputClassifier(LogisticRegression()).fit(split.train.X, y)
    model = Model(fitted, infer_signature(fitted, split.train.X, y))
    report = evaluate(model, split, importance=False, resamples=50)
    said = fitted.predict(split.test.X)[:, ::-1].astype(int)
    truth = split.test.Y.to_numpy().astype(int)
    expected = oracle.f1_score(truth, said, average="micro")
    assert report.metrics["micro_f1"].value == pytest.approx(expected)


def test_a_stored_report_has_its_labels():
    read = EvaluationReport.from_bundle(REPORT.to_bundle())
    assert read.labels == REPORT.labels
    assert np.array_equal(read.outcomes().truth, REPORT.outcomes().truth)
    assert "label" not in str({k: v for k, v in read.to_json().items() if k == "positive"})


def test_a_label_without_a_true_row_has_no_average_precision():
    truth = np.array([[1, 0], [0, 0], [1, 0]] * 10)
    outcomes = Outcomes("multilabel", ("a", "b"), truth, truth, truth * 0.5, True)
    found = measure(outcomes, resamples=20)
    assert found.absent == {"macro_average_precision": "no row has the label 'b'"}
    assert found.metrics["macro_f1"].value == 1  # of the labels that occur
    assert found.metrics["subset_accuracy"].low < 1
    nothing = Outcomes("multilabel", ("a", "b"), truth * 0, truth * 0)
    absent = measure(nothing, resamples=20).absent
    assert absent["micro_f1"] == "no row has a label and none is predicted"


def test_what_is_not_of_the_labels_is_refused():
    with pytest.raises(DataError, match=r"predicts one value per row, but the target has 3"):
        evaluate(DummyClassifier().fit(X, Y["red"]), SPLIT)
    with pytest.raises(DataError, match="but the target has 3: big, red, round"):
        evaluate(DummyClassifier().fit(X, Y.select("red", "big")), SPLIT)
