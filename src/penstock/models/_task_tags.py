"""Tags by which scikit-learn knows the task of an estimator that decides on it by its arguments."""

from typing import Any


def tag_task(tags: Any, *, is_classifier: bool) -> Any:
    """Mark tags as those of a classifier or a regressor, and return them.

    >>> from sklearn.dummy import DummyRegressor
    >>> tag_task(DummyRegressor().__sklearn_tags__(), is_classifier=True).estimator_type
    'classifier'

    Args:
        tags: Tags of scikit-learn, which are changed.
        is_classifier: True for a classifier, False for a regressor.
    """
    from sklearn.utils import ClassifierTags, RegressorTags

    if is_classifier:
        tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
    else:
        tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
    return tags
