"""tag_task: scikit-learn sees a classifier or a regressor as the estimator's arguments decide."""

import pytest
from sklearn.base import BaseEstimator, is_classifier, is_regressor

from penstock.models._task_tags import tag_task


class Either(BaseEstimator):
    def __init__(self, classes=None):
        self.classes = classes

    def __sklearn_tags__(self):
        return tag_task(super().__sklearn_tags__(), is_classifier=self.classes is not None)


@pytest.mark.parametrize(("classes", "expected"), [(["a", "b"], True), (None, False)])
def test_an_estimator_is_what_its_classes_say(classes, expected):
    estimator = Either(classes)
    assert is_classifier(estimator) == expected
    assert is_regressor(estimator) != expected
