"""Estimator calls for labels and probabilities without duplicated work; apart as a speed matter.

Nothing here changes a prediction: work is shared only where both results provably come from the
same numbers.
"""

import threading
from typing import Any

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


def wrap_estimator(estimator: Any) -> "Asked":
    """Wrap a fitted estimator.

    Args:
        estimator: Has ``predict`` and perhaps ``predict_proba``.
    """
    return (AskedClassifier if hasattr(estimator, "predict_proba") else Asked)(estimator)


class Asked:
    """An estimator whose pipeline transforms the same rows only once for several calls.

    Threads: each thread has a separate memory.

    Args:
        estimator: A fitted estimator.
    """

    def __init__(self, estimator: Any) -> None:
        from sklearn.pipeline import Pipeline

        split = type(estimator) is Pipeline and len(estimator.steps) > 1
        self._head = estimator[:-1] if split else None
        self._last = estimator[-1] if split else estimator
        self._memory = threading.local()

    def predict(self, rows: Any) -> Any:
        """Predict labels or numbers, shape (n,)."""
        return self._last.predict(self._transformed(rows))

    def take_shares(self) -> Any:
        """Return the probabilities of this thread's last rows, once; None if there are none."""
        memory = self._memory
        shares = getattr(memory, "shares", None)
        memory.rows = memory.found = memory.shares = None
        return shares

    def _transformed(self, rows: Any) -> Any:
        memory = self._memory
        # Compared by identity, not equality: the same object cannot have been replaced by a
        # different table.
        if getattr(memory, "rows", None) is not rows:
            memory.shares = None
            memory.found = rows if self._head is None else self._head.transform(rows)
            memory.rows = rows
        return memory.found


class AskedClassifier(Asked):
    """A classifier whose probabilities are computed once, and decide the label where exact."""

    def __init__(self, estimator: Any) -> None:
        super().__init__(estimator)
        kind = type(self._last)
        self._is_likeliest = (kind.__module__.split(".")[0], kind.__name__) in _LIKELIEST

    def predict(self, rows: Any) -> Any:
        """Predict labels, shape (n,)."""
        if not self._is_likeliest:
            return super().predict(rows)
        shares = self.predict_proba(rows)
        if not _is_clear(shares):
            return super().predict(rows)
        return self._last.classes_.take(shares.argmax(axis=1))

    def predict_proba(self, rows: Any) -> Any:
        """Predict probabilities, shape (n, classes)."""
        found = self._transformed(rows)
        if self._memory.shares is None:
            self._memory.shares = self._last.predict_proba(found)
        return self._memory.shares


def _is_clear(shares: Any) -> bool:
    import numpy as np

    if getattr(shares, "ndim", 0) != 2 or shares.shape[1] < 2:  # noqa: PLR2004 - a matrix of classes
        return False
    if shares.shape[1] == 2:  # noqa: PLR2004 - the usual case, quickly
        return bool((abs(shares[:, 0] - shares[:, 1]) > _CLEAR).all())
    top = np.partition(shares, -2, axis=1)[:, -2:]
    return bool((top[:, 1] - top[:, 0] > _CLEAR).all())
