"""Text labels for classifiers that take only numbers: as scikit-learn users expect, stored safely."""

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import check_estimator

from penstock.core import DataError, ParameterError
from penstock.models import LabelEncodingClassifier, Model, infer_signature
from penstock.models._row_wise import is_row_wise
from penstock.stores import open_store

ROWS = pl.DataFrame({"age": [float(n % 7) for n in range(60)], "pay": [n / 9 for n in range(60)]})
LABELS = ["no" if n % 7 < 3 else "yes" for n in range(60)]
THREE = [("low", "middle", "high")[int(n % 7 > 2) + int(n > 30)] for n in range(60)]


def boosted(**options):
    xgboost = pytest.importorskip("xgboost")
    return LabelEncodingClassifier(xgboost.XGBClassifier(n_estimators=4, n_jobs=1, **options))


def test_it_passes_the_checks_of_scikit_learn():
    for classifier in (LogisticRegression(), HistGradientBoostingClassifier(max_iter=5)):
        failed = [
            (each["check_name"], str(each["exception"]))
            for each in check_estimator(
                LabelEncodingClassifier(classifier), on_fail=None, on_skip=None
            )
            if each["status"] == "failed"
        ]
        assert failed == []


def test_it_answers_as_a_classifier_that_takes_text():
    plain = LogisticRegression().fit(ROWS, THREE)
    wrapped = LabelEncodingClassifier(LogisticRegression()).fit(ROWS, THREE)
    assert wrapped.classes_.tolist() == plain.classes_.tolist() == ["high", "low", "middle"]
    assert wrapped.predict(ROWS).tolist() == plain.predict(ROWS).tolist()
    assert np.array_equal(wrapped.predict_proba(ROWS), plain.predict_proba(ROWS))
    assert np.array_equal(wrapped.decision_function(ROWS), plain.decision_function(ROWS))
    assert wrapped.score(ROWS, THREE) == plain.score(ROWS, THREE)
    assert wrapped.feature_names_in_.tolist() == ["age", "pay"]


def test_what_the_classifier_cannot_do_it_cannot_either():
    machine = LabelEncodingClassifier(LinearSVC()).fit(ROWS, LABELS)
    assert hasattr(machine, "decision_function")
    assert not hasattr(machine, "predict_proba")


@pytest.mark.parametrize("labels", [LABELS, THREE, [label == "yes" for label in LABELS]])
def test_xgboost_is_fitted_on_any_labels_and_predicts_them(labels):
    model = boosted().fit(ROWS, pl.Series(labels))
    codes = sorted(set(labels)).index
    plain = boosted().classifier.fit(ROWS, [codes(label) for label in labels])
    assert model.classes_.tolist() == sorted(set(labels))
    assert model.predict(ROWS).tolist() == [sorted(set(labels))[c] for c in plain.predict(ROWS)]
    assert np.array_equal(model.predict_proba(ROWS), plain.predict_proba(ROWS))


def test_labels_that_early_stopping_watches_are_encoded_too():
    model = boosted(early_stopping_rounds=2).fit(
        ROWS, LABELS, eval_set=[(ROWS, LABELS)], verbose=False
    )
    assert len(model.classifier_.evals_result()["validation_0"]["logloss"]) > 0
    with pytest.raises(DataError, match="eval_set has the label 'maybe'"):
        model.fit(ROWS, LABELS, eval_set=[(ROWS, ["maybe"] * 60)])


def test_a_class_in_place_of_a_classifier_is_told():
    with pytest.raises(ParameterError, match=r"the class LogisticRegression.*Create it first"):
        LabelEncodingClassifier(LogisticRegression).fit(ROWS, LABELS)
    with pytest.raises(ParameterError, match="received a str"):
        LabelEncodingClassifier("xgboost").fit(ROWS, LABELS)


def test_its_parameters_are_searched():
    search = GridSearchCV(
        LabelEncodingClassifier(LogisticRegression()), {"classifier__C": [0.01, 1.0]}, cv=3
    )
    assert search.fit(ROWS, THREE).best_params_["classifier__C"] in {0.01, 1.0}


def test_it_is_stored_without_a_pickle_and_comes_back_bit_for_bit(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    model = make_pipeline(StandardScaler(), boosted()).fit(ROWS, THREE)
    record = store.put(model)
    assert (record.format, record.unsafe) == ("skops", False)
    loaded = store.load(record)
    assert store.put(loaded).digest == record.digest
    assert np.array_equal(loaded.predict_proba(ROWS), model.predict_proba(ROWS))


def test_a_served_row_is_answered_with_its_label():
    estimator = boosted().fit(ROWS, LABELS)
    model = Model(estimator, infer_signature(estimator, ROWS, LABELS))
    assert (model.signature.task, model.signature.classes) == ("binary", ("no", "yes"))
    found = model.predict_rows([{"age": 6.0, "pay": 1.0}, {"age": 0.0, "pay": 1.0}])
    assert found.values == ["yes", "no"]
    assert found.scores == estimator.predict_proba([[6.0, 1.0], [0.0, 1.0]])[:, 1].tolist()


def test_its_rows_do_not_depend_on_each_other_where_the_classifiers_do_not():
    assert is_row_wise(boosted().fit(ROWS, LABELS))
    assert not is_row_wise(LabelEncodingClassifier(LogisticRegression()).fit(ROWS, LABELS))
