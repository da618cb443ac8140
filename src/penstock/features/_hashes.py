"""HashedLevels: columns with many levels as a fixed number of columns, without a vocabulary."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.utils.validation import check_is_fitted

from penstock.core import ParameterError
from penstock.features._columns import NamedColumns, is_count
from penstock.features._plain import texts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class HashedLevels(NamedColumns):
    """Encoder of levels by a hash (scikit-learn's FeatureHasher): 1 or -1 in a single column.

    The target is not used, nothing is learned, and a level that was absent from training has its
    column all the same. Levels that share a column cannot be told apart.

    >>> import polars as pl
    >>> shops = pl.DataFrame({"shop": ["north", "south", None]})
    >>> abs(HashedLevels(buckets=8).fit_transform(shops)).sum(axis=1).tolist()
    [1.0, 1.0, 1.0]

    Args:
        buckets: Number of columns for each column of levels.
    """

    def __init__(self, buckets: int = 64) -> None:
        self.buckets = buckets

    def transform(self, X: object) -> "NDArray[np.float64]":  # noqa: N803 - scikit-learn's word
        """Return an array of shape (rows, columns x buckets).

        Raises:
            ParameterError: If ``buckets`` is no whole number above 0.
        """
        check_is_fitted(self)
        if not is_count(self.buckets):
            raise ParameterError(
                what=f"buckets of HashedLevels is {self.buckets!r}.",
                fix="Give a whole number of 1 or more, for example HashedLevels(buckets=64).",
            )
        hasher = FeatureHasher(self.buckets, input_type="string")
        hashed = [
            hasher.transform([[text] for text in texts_of(column)]).toarray()
            for column in self._read(X)
        ]
        return np.column_stack(hashed)

    def get_feature_names_out(self, input_features: object = None) -> "NDArray[Any]":  # noqa: ARG002
        """Return ``column_hash_0``, ``column_hash_1`` … for every column."""
        check_is_fitted(self)
        names = [f"{name}_hash_{at}" for name in self._names() for at in range(self.buckets)]
        return np.asarray(names, dtype=object)
