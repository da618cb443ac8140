"""LevelMeans: columns with many levels as means of the target, without a row's own target."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.validation import check_is_fitted

from penstock.core import DataError
from penstock.data import guess_task

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FOLDS = 5
_MIN_FOLDS = 2
_TYPES = {"regression": "continuous", "binary": "binary", "multiclass": "multiclass"}


class LevelMeans(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encoder of levels by scikit-learn's TargetEncoder, cross-fitted, set up from the target.

    The encoder decides at fit where scikit-learn's own inference is wrong or fails: a count is a
    number and not hundreds of classes, and a class with fewer rows than folds needs fewer folds.
    The folds are made here because scikit-learn 1.9 and earlier versions accept them in different
    ways.

    Args:
        target_type: ``binary``, ``multiclass`` or ``regression``; None to infer the type from the
            target.
        random_state: Seed of the folds.
    """

    def __init__(self, target_type: str | None = None, random_state: int = 0) -> None:
        self.target_type = target_type
        self.random_state = random_state

    def fit(self, X: object, y: object) -> Self:  # noqa: N803 - scikit-learn's words
        """Learn the means from all rows."""
        self._learn(X, y)
        return self

    def fit_transform(self, X: object, y: object) -> "NDArray[Any]":  # noqa: N803
        """Learn the means, and encode each row by the means of the remaining folds."""
        target, folds = self._learn(X, y)
        encoded = self.encoder_.transform(X)
        if folds is None:
            return encoded  # type: ignore[no-any-return]
        levels = np.asarray(X)  # a frame, after set_output
        for others, rows in folds.split(levels, target):
            fold = clone(self.encoder_).fit(levels[others], target[others])
            encoded[rows] = fold.transform(levels[rows])
        return encoded  # type: ignore[no-any-return]

    def transform(self, X: object) -> "NDArray[Any]":  # noqa: N803
        """Return means of shape (rows, columns), or (rows, columns x classes) for many classes."""
        check_is_fitted(self)
        return self.encoder_.transform(X)  # type: ignore[no-any-return]

    def get_feature_names_out(self, input_features: object = None) -> "NDArray[Any]":
        """Return the columns' names, with the class where there are many."""
        check_is_fitted(self)
        return self.encoder_.get_feature_names_out(input_features)  # type: ignore[no-any-return]

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: levels of every kind, and a target that is needed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags

    def _learn(self, X: Any, y: Any) -> "tuple[NDArray[Any], Any]":  # noqa: N803
        if y is None:
            raise DataError(
                what="Columns with many levels were fitted without a target.",
                why="They are encoded by the target's mean per level.",
                fix="Call fit(X, y), or table_transformer(schema, max_one_hot=…) with a higher limit.",
            )
        if np.ndim(X) != 2:  # noqa: PLR2004 - rows and columns
            raise ValueError(
                f"Expected 2D array, got {np.ndim(X)}D array instead. Reshape your data: "
                "X.reshape(-1, 1) for one column."
            )
        self.n_features_in_ = np.shape(X)[1]
        series = pl.Series("target", y, strict=False)
        task = self.target_type or guess_task(series)
        target = series.to_numpy()
        target = target.astype(np.float64) if task == "regression" else target
        encoder = TargetEncoder(target_type=_TYPES[task]).set_output(transform="default")
        self.encoder_ = encoder.fit(X, target)
        return target, _folds(target, task, self.random_state)


def _folds(target: "NDArray[Any]", task: str, seed: int) -> Any:
    """Create folds that each contain every class; None if a class has a single row."""
    classes = task != "regression"
    smallest = np.unique(target, return_counts=True)[1].min() if classes else len(target)
    count = min(_FOLDS, int(smallest))
    if count < _MIN_FOLDS:
        return None
    maker = StratifiedKFold if classes else KFold
    return maker(count, shuffle=True, random_state=seed)
