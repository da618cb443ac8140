"""LabelEncodingClassifier: text labels for classifiers that take only the numbers 0 to n - 1.

Notation: labels are the values of the target; codes are their positions in ``classes_``.
"""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from penstock.core import DataError, ParameterError, with_article

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[Any]


def _has(method: str) -> Any:
    def check(wrapper: "LabelEncodingClassifier") -> bool:
        inner = getattr(wrapper, "classifier_", wrapper.classifier)
        return getattr(inner, method, None) is not None

    return check


class LabelEncodingClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Classifier that encodes any labels as 0 to n - 1 for the classifier inside, and decodes them.

    XGBoost's ``XGBClassifier`` refuses text labels; wrapped, the classifier is fitted on them as
    scikit-learn's own classifiers are, and ``classes_``, ``predict`` and the columns of
    ``predict_proba`` follow the labels.

    >>> from sklearn.tree import DecisionTreeClassifier
    >>> model = LabelEncodingClassifier(DecisionTreeClassifier())
    >>> model.fit([[20], [30], [60]], ["no", "no", "yes"]).predict([[70]]).tolist()
    ['yes']
    >>> model.classes_.tolist()
    ['no', 'yes']

    Threads: predicting from several threads at once is as safe as the classifier's ``predict``.

    Args:
        classifier: The classifier, not fitted: ``fit`` makes a clone.
    """

    def __init__(self, classifier: object) -> None:
        self.classifier = classifier

    def fit(self, X: object, y: object, **fit_params: object) -> Self:  # noqa: N803 - scikit-learn's words
        """Fit the classifier on encoded labels.

        Args:
            X: Features, n rows.
            y: Labels, n rows: texts, numbers or booleans.
            **fit_params: Passed to the classifier's ``fit``. The labels of ``eval_set``, a list of
                pairs ``(X, y)``, are encoded as well.

        Raises:
            ParameterError: If the classifier is a class, or has no ``fit``.
            DataError: If a label of ``eval_set`` does not occur in ``y``.
        """
        _require_classifier(self.classifier)
        if y is None:
            raise ValueError(
                "LabelEncodingClassifier requires y to be passed, but the target y is None."
            )
        labels = column_or_1d(_as_labels(y), warn=True)
        if labels.dtype.kind == "f":
            assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        encoder = LabelEncoder().fit(labels)
        if fit_params.get("eval_set") is not None:
            pairs: Any = fit_params["eval_set"]
            pairs = [pairs] if isinstance(pairs, tuple) else pairs
            encoded = [(rows, self._encode(encoder, truth)) for rows, truth in pairs]
            fit_params = {**fit_params, "eval_set": encoded}
        self.classifier_ = clone(self.classifier).fit(X, encoder.transform(labels), **fit_params)
        self.classes_ = encoder.classes_
        for name in ("n_features_in_", "feature_names_in_"):
            # xgboost raises for an array without names, where scikit-learn has no attribute.
            attribute = getattr(self.classifier_, name, None)
            if attribute is not None:
                setattr(self, name, attribute)
            elif hasattr(self, name):
                delattr(self, name)
        return self

    def predict(self, X: object) -> "Labels":  # noqa: N803 - scikit-learn's words
        """Predict labels, shape (n,)."""
        check_is_fitted(self, "classifier_")
        codes = np.asarray(self.classifier_.predict(X)).reshape(-1)
        labels: Labels = self.classes_.take(codes.astype(np.intp, copy=False))
        return labels

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator] # scikit-learn has no types
    def predict_proba(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's words
        """Predict probabilities, shape (n, classes), in the order of ``classes_``."""
        check_is_fitted(self, "classifier_")
        shares: NDArray[Any] = self.classifier_.predict_proba(X)
        return shares

    @available_if(_has("predict_log_proba"))  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's words
        """Predict logarithms of the probabilities, shape (n, classes)."""
        check_is_fitted(self, "classifier_")
        shares: NDArray[Any] = self.classifier_.predict_log_proba(X)
        return shares

    @available_if(_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: object) -> "NDArray[Any]":  # noqa: N803 - scikit-learn's words
        """Compute decision values, shape (n,) for two classes, else (n, classes)."""
        check_is_fitted(self, "classifier_")
        values: NDArray[Any] = self.classifier_.decision_function(X)
        return values

    @property
    def feature_importances_(self) -> "NDArray[Any]":
        """The classifier's importance of each feature.

        Raises:
            AttributeError: If the classifier has none.
        """
        importances: NDArray[Any] = self.classifier_.feature_importances_
        return importances

    def __sklearn_tags__(self) -> Any:
        """Return the classifier's tags: missing values, sparse rows, kinds of target."""
        tags = super().__sklearn_tags__()
        inner = get_tags(self.classifier)
        tags.input_tags = inner.input_tags
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
        tags.classifier_tags.multi_label = False
        tags.target_tags.multi_output = False
        tags.non_deterministic = inner.non_deterministic
        return tags

    @staticmethod
    def _encode(encoder: LabelEncoder, truth: Any) -> Any:
        labels = _as_labels(truth)
        strange = sorted({str(label) for label in labels.tolist()} - _texts(encoder.classes_))
        if strange:
            raise DataError(
                what=f"eval_set has the label {strange[0]!r}, which y does not have.",
                why="A class that is absent from training cannot be predicted or scored.",
                fix="Split with stratification, or leave these rows out of eval_set.",
            )
        return encoder.transform(labels)


def _as_labels(values: Any) -> Any:
    """Return labels as an array; polars and pandas text columns become objects."""
    return np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)


def _texts(classes: Any) -> set[str]:
    return {str(label) for label in classes.tolist()}


def _require_classifier(classifier: Any) -> None:
    if isinstance(classifier, type) or not hasattr(classifier, "fit"):
        shown = classifier.__name__ if isinstance(classifier, type) else type(classifier).__name__
        raise ParameterError(
            what="LabelEncodingClassifier received "
            + (
                f"the class {shown}." if isinstance(classifier, type) else f"{with_article(shown)}."
            ),
            why="It wraps a classifier that is not fitted yet.",
            fix="Create it first: LabelEncodingClassifier(XGBClassifier()).",
        )
