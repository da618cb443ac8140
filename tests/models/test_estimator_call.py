"""Labels and probabilities of one call are those of two."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from penstock.models._estimator_call import EstimatorCall

DATA = np.random.default_rng(0).normal(size=(300, 3))
LABELS = np.where(DATA[:, 0] + DATA[:, 1] ** 2 > 0.8, "yes", "no")
THREE = np.where(DATA[:, 2] > 0.9, "maybe", LABELS)


@pytest.mark.parametrize("labels", [LABELS, THREE], ids=["binary", "multiclass"])
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        DecisionTreeClassifier(max_depth=4),
        RandomForestClassifier(20, random_state=0),
        HistGradientBoostingClassifier(max_iter=20),
        GaussianNB(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=1, criterion="gini")),
    ],
    ids=lambda model: type(model).__name__,
)
def test_sharing_work_changes_no_prediction(model: Any, labels: Any) -> None:
    model.fit(DATA, labels)
    rows = np.random.default_rng(1).normal(size=(500, 3))
    labels, shares = EstimatorCall(model).predict_both(rows)
    alone = [model.predict_proba(rows[i : i + 1]) for i in range(60)]
    assert (labels == model.predict(rows)).all()
    assert (shares[:60] == np.concatenate(alone)).all()
    assert (EstimatorCall(model).predict(rows) == model.predict(rows)).all()


def test_equal_probabilities_are_left_to_the_model() -> None:
    rows = np.array([[0.0], [0.0], [1.0], [1.0]])
    model = DecisionTreeClassifier().fit(rows, ["b", "a", "a", "b"])
    labels, _ = EstimatorCall(model).predict_both(rows)
    assert labels.tolist() == model.predict(rows).tolist()


def test_a_pipeline_transforms_once_for_both_questions() -> None:
    class Counting(StandardScaler):
        calls = 0

        def transform(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
            Counting.calls += 1
            return super().transform(X)

    model = make_pipeline(Counting(), GaussianNB()).fit(DATA, LABELS)
    Counting.calls = 0
    EstimatorCall(model).predict_both(DATA)
    assert Counting.calls == 1


def test_a_regression_has_no_probabilities() -> None:
    call = EstimatorCall(LinearRegression().fit(DATA, DATA[:, 0]))
    assert not call.has_probabilities
    assert call.predict(DATA).shape == (300,)
