import json

import polars as pl
import pytest

from penstock.core import NotFoundError
from penstock.evaluation import EvaluationReport, Holdout


class Parts(dict):
    """Parts of a stored bundle that note which were read."""

    def __init__(self, parts):
        super().__init__(parts)
        self.read = []

    def __getitem__(self, name):
        self.read.append(name)
        return super().__getitem__(name)


def test_a_report_survives_its_bundle_and_reads_rows_only_when_asked(report):
    parts = Parts(report.to_bundle())
    parts["facts"] = json.loads(json.dumps(parts["facts"]))
    parts["holdout"] = Holdout.from_bundle(parts["holdout"].to_bundle())
    parts.read.clear()
    again = EvaluationReport.from_bundle(parts)
    assert again == report
    assert parts.read == ["facts"]
    assert again.holdout.X.equals(report.holdout.X)
    assert parts.read == ["facts", "holdout"]
    assert again.profile == report.profile
    assert again.prediction_profile == report.prediction_profile


def test_a_report_of_numbers_survives_its_bundle(number_report):
    assert EvaluationReport.from_bundle(number_report.to_bundle()) == number_report


def test_the_store_keeps_a_report(report, tmp_path):
    from penstock.stores import open_store

    with open_store(f"sqlite:///{tmp_path / 'p.db'}") as store:
        record = store.put(report)
        again = store.get(record.digest)
        assert again == report
        assert again.holdout.answers.equals(report.holdout.answers)
        assert store.digest(again) == record.content_digest


def test_json_has_no_rows_and_no_value_that_json_lacks(report):
    text = json.dumps(report.to_json(), allow_nan=False)
    assert json.loads(text)["metrics"]["roc_auc"]["value"] == report.metrics["roc_auc"].value
    assert "holdout" not in report.to_json()


def test_the_holdout_has_rows_truth_predictions_and_scores(report, split, model):
    holdout = report.holdout
    assert holdout.rows.to_list() == split.test.rows.tolist()
    assert holdout.y.to_list() == split.test.y.to_list()
    assert holdout.predictions.to_list() == model.predict(split.test.X).tolist()
    expected = model.predict_proba(split.test.X)[:, 1]
    # Not bit for bit: the processor decides how scikit-learn's product of many rows is rounded.
    assert holdout.scores.to_list() == pytest.approx(expected.tolist(), rel=1e-12)
    assert report.outcomes().truth.sum() == (split.test.y == "yes").sum()


def test_scores_of_several_classes_are_columns_and_none_is_none(report):
    answers = report.holdout.answers.drop("score")
    bare = Holdout(report.holdout.X, answers, probability=False, epsilon=1e-16)
    assert bare.scores is None
    several = answers.with_columns(score_0=pl.lit(0.4), score_1=pl.lit(0.6))
    scores = Holdout(report.holdout.X, several, probability=True, epsilon=1e-16).scores
    assert scores.columns == ["score_0", "score_1"]  # type: ignore[union-attr]


def test_asking_for_another_metric_names_the_close_one(report):
    with pytest.raises(NotFoundError, match="Did you mean 'recall'"):
        report.metric("recal")
    assert report.headline == "roc_auc"


def test_the_schema_holds_the_features_only(report):
    assert report.schema.names == ["first", "second"]
    assert report.profile is not None
