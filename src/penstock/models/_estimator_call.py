"""EstimatorCall: a single call of an estimator for labels and probabilities, without duplicated work.

Nothing here changes a prediction: work is shared only where both results provably come from the
same numbers. A row's prediction is that of a call with this row alone; see `_row_wise`.
"""

from typing import Any

from penstock.models._learned_categories import LearnedCategories
from penstock.models._native_boosters import as_estimator
from penstock.models._row_wise import row_wise

# Classifiers whose label is the class of the largest probability, by definition or by a monotone
# link.
_LIKELIEST = frozenset(
    {
        ("sklearn", "DecisionTreeClassifier"),
        ("sklearn", "ExtraTreesClassifier"),
        ("sklearn", "GradientBoostingClassifier"),
        ("sklearn", "HistGradientBoostingClassifier"),
        ("sklearn", "LogisticRegression"),
        ("sklearn", "RandomForestClassifier"),
        ("lightgbm", "LGBMClassifier"),
        ("xgboost", "XGBClassifier"),
    }
)
# Closer than this, rounding in the link could decide otherwise: then the estimator's predict is
# called.
_CLEAR = 1e-6


class EstimatorCall:
    """A fitted estimator whose pipeline transforms the rows of a call only once.

    Threads: a call keeps nothing; several at once are as safe as the estimator.

    Args:
        estimator: Has ``predict``, and perhaps ``predict_proba`` or ``decision_function``.
        form: An OnnxForm that answers in place of the final estimator, or None.

    Attributes:
        last: The final estimator, which answers each row as in a call with this row alone.
        is_graph: Whether a graph alone answers, which is single-threaded in any case.
    """

    def __init__(self, estimator: Any, form: Any = None) -> None:
        from sklearn.pipeline import Pipeline

        estimator = as_estimator(estimator)
        split = type(estimator) is Pipeline and len(estimator.steps) > 1
        self._head = estimator[:-1] if split else None
        self.last: Any = row_wise(estimator[-1] if split else estimator)
        if form is not None:
            self.last = form.answers(self.last)
        self.is_graph = form is not None and self._head is None
        self._both = getattr(self.last, "predict_both", None)
        self._is_likeliest = _class_of(self.last) in _LIKELIEST
        self.has_probabilities = hasattr(estimator, "predict_proba")
        self.has_decisions = hasattr(estimator, "decision_function")

    def predict(self, rows: Any) -> Any:
        """Predict labels or numbers, shape (n,)."""
        return self.last.predict(self.transform(rows))

    def predict_both(self, rows: Any) -> tuple[Any, Any]:
        """Predict labels, shape (n,), and probabilities, shape (n, classes).

        Clear probabilities decide the label where that is the estimator's own rule.
        """
        transformed = self.transform(rows)
        if self._both is not None:
            labels, shares = self._both(transformed)
            return labels, shares
        shares = self.last.predict_proba(transformed)
        if self._is_likeliest and _is_clear(shares):
            return self.last.classes_.take(shares.argmax(axis=1)), shares
        return self.last.predict(transformed), shares

    def decide(self, rows: Any) -> Any:
        """Compute decision values, shape (n,) or (n, classes)."""
        return self.last.decision_function(self.transform(rows))

    def compute(self, name: str, rows: Any) -> Any:
        """Compute a further output: ``score_samples``, ``transform`` or ``decision_function``."""
        return getattr(self.last, name)(self.transform(rows))

    def transform(self, rows: Any) -> Any:
        """Return the input of the final estimator: the rows behind a pipeline's transformers."""
        return rows if self._head is None else self._head.transform(rows)


def _class_of(classifier: Any) -> tuple[str, str]:
    """Return package and class of a classifier; of the classifier inside where labels are encoded."""
    kind = type(classifier)
    if kind is LearnedCategories:
        return _class_of(classifier.estimator)
    if kind.__module__ == "penstock.models._label_encoding":
        kind = type(classifier.classifier_)
    return kind.__module__.split(".")[0], kind.__name__


def _is_clear(shares: Any) -> bool:
    import numpy as np

    if getattr(shares, "ndim", 0) != 2 or shares.shape[1] < 2:  # noqa: PLR2004 - a matrix of classes
        return False
    if shares.shape[1] == 2:  # noqa: PLR2004 - the usual case, quickly
        return bool((abs(shares[:, 0] - shares[:, 1]) > _CLEAR).all())
    top = np.partition(shares, -2, axis=1)[:, -2:]
    return bool((top[:, 1] - top[:, 0] > _CLEAR).all())
