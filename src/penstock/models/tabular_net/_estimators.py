"""TabularNetClassifier and TabularNetRegressor: scikit-learn estimators round the network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from penstock.core import ParameterError
from penstock.models.tabular_net._forward import run_network, to_shares
from penstock.models.tabular_net._inputs import (
    Encoded,
    count_levels,
    encode_columns,
    learn_columns,
)
from penstock.models.tabular_net._training import TrainingOptions, TrainingRows, train_network
from penstock.tables import columns_of, typed_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEEDS = 2**31 - 1


class TabularNet(BaseEstimator):  # type: ignore[misc]
    """Base of the networks for tables: an embedding for each level, numbers on two scales.

    Use ``TabularNetClassifier`` or ``TabularNetRegressor``. Columns of a frame with texts have
    learned embeddings; a level that is rare or new, and a missing level, have embeddings of their
    own. Numbers are scaled, and ranked among the training values; a missing number is the median,
    with an indicator. Of 100 rows or more a tenth is held out to stop early.

    Fitting needs torch, uses one thread, and gives the same weights again on the same processor
    with the same libraries. Predicting needs NumPy only; a row has the same prediction, bit for
    bit, alone and in a batch.

    Args:
        hidden: Number of units of each hidden layer.
        max_epochs: Maximum number of passes through the rows.
        patience: Number of epochs without improvement before training stops.
        batch_size: Number of rows for each step, at most a tenth of the rows.
        learning_rate: Step size of AdamW.
        dropout: Share of units left out in training, 0 or more, below 1.
        weight_decay: Decay of the weights.
        random_state: Seed.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128, 64),
        *,
        max_epochs: int = 100,
        patience: int = 8,
        batch_size: int = 256,
        learning_rate: float = 0.001,
        dropout: float = 0.1,
        weight_decay: float = 0.01,
        random_state: int | None = 0,
    ) -> None:
        self.hidden = hidden
        self.max_epochs = max_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _train(self, X: Any, target: "NDArray[Any]", weight: Any, classes: int) -> Self:  # noqa: N803
        columns = self._columns(X, reset=True)
        self.columns_ = learn_columns(columns)
        rows = TrainingRows(encode_columns(columns, self.columns_), target, weight, classes)
        levels = count_levels(self.columns_)
        self.weights_, self.n_epochs_ = train_network(rows, levels, self._options())
        return self

    def _outputs(self, X: Any) -> "NDArray[np.float64]":  # noqa: N803 - scikit-learn's word
        check_is_fitted(self)
        encoded: Encoded = encode_columns(self._columns(X, reset=False), self.columns_)
        return run_network(self.weights_, encoded)

    def _columns(self, X: Any, *, reset: bool) -> list[pl.Series]:  # noqa: N803
        """Return the columns as Series, checked as scikit-learn does."""
        if isinstance(X, pl.DataFrame) or hasattr(X, "iloc"):
            validate_data(self, X=X, reset=reset, skip_check_array=True)
            columns = [typed_column(column) for column in columns_of(X)]
            if not columns or not len(columns[0]):
                raise ValueError(f"Found a table with shape {np.shape(X)}: there are no values.")
            return columns
        array = check_array(X, dtype=None, ensure_all_finite=False, estimator=self)
        validate_data(self, X=array, reset=reset, skip_check_array=True)
        return [_of_array(f"x{at}", array[:, at]) for at in range(array.shape[1])]

    def _options(self) -> TrainingOptions:
        hidden = tuple(self.hidden)
        checks = {
            "hidden": all(isinstance(n, int) for n in hidden) and min(hidden, default=1) > 0,
            "max_epochs": self.max_epochs >= 1,
            "patience": self.patience >= 1,
            "batch_size": self.batch_size >= 1,
            "learning_rate": self.learning_rate > 0,
            "dropout": 0 <= self.dropout < 1,
            "weight_decay": self.weight_decay >= 0,
        }
        for name, is_fine in checks.items():
            if not is_fine:
                raise ParameterError(
                    what=f"{name} of {type(self).__name__} is {getattr(self, name)!r}.",
                    fix="See TabularNet for the values that are allowed.",
                )
        seed = int(check_random_state(self.random_state).randint(_SEEDS))
        numbers = (int(self.max_epochs), int(self.patience), int(self.batch_size))
        shares = (float(self.learning_rate), float(self.dropout), float(self.weight_decay))
        return TrainingOptions(hidden, *numbers, *shares, seed)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: missing values and columns of levels are allowed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.non_deterministic = False
        return tags


class TabularNetClassifier(ClassifierMixin, TabularNet):  # type: ignore[misc]
    """Classifier by a network with an embedding for each level; see `TabularNet`.

    >>> TabularNetClassifier(hidden=(64,))
    TabularNetClassifier(hidden=(64,))
    """

    def fit(self, X: object, y: object, sample_weight: object = None) -> Self:  # noqa: N803
        """Fit the network.

        Args:
            X: Frame or array, shape (rows, columns).
            y: Classes, shape (rows,).
            sample_weight: Weight of each row.

        Raises:
            MissingPackageError: If torch is not installed.
            DataError: If a column has neither numbers nor texts.
            ValueError: If there is a single class, or shapes do not match.
        """
        y = _target(self, X, y)
        check_classification_targets(y)
        self.classes_, target = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            raise ValueError(
                f"TabularNetClassifier cannot learn from one class: all labels are {y[0]!r}."
            )
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        return self._train(X, target, weight, len(self.classes_))

    def predict_proba(self, X: object) -> "NDArray[np.float64]":  # noqa: N803
        """Return probabilities of shape (rows, classes)."""
        return to_shares(self._outputs(X))

    def predict(self, X: object) -> "NDArray[Any]":  # noqa: N803
        """Return the class of the largest probability, shape (rows,)."""
        shares = self.predict_proba(X)
        labels: NDArray[Any] = np.asarray(self.classes_)[shares.argmax(axis=1)]
        return labels


class TabularNetRegressor(RegressorMixin, TabularNet):  # type: ignore[misc]
    """Regressor by a network with an embedding for each level; see `TabularNet`.

    >>> TabularNetRegressor(max_epochs=20)
    TabularNetRegressor(max_epochs=20)
    """

    def fit(self, X: object, y: object, sample_weight: object = None) -> Self:  # noqa: N803
        """Fit the network.

        Args:
            X: Frame or array, shape (rows, columns).
            y: Numbers, shape (rows,).
            sample_weight: Weight of each row.

        Raises:
            MissingPackageError: If torch is not installed.
            DataError: If a column has neither numbers nor texts.
            ValueError: If a number is missing, or shapes do not match.
        """
        y = _target(self, X, y, numbers=True)
        self.mean_, deviation = float(np.mean(y)), float(np.std(y))
        self.deviation_ = deviation if deviation > 0 else 1.0
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        return self._train(X, (y - self.mean_) / self.deviation_, weight, 0)

    def predict(self, X: object) -> "NDArray[np.float64]":  # noqa: N803
        """Return numbers of shape (rows,)."""
        return self._outputs(X)[:, 0] * self.deviation_ + self.mean_


def _target(estimator: TabularNet, X: Any, y: Any, *, numbers: bool = False) -> "NDArray[Any]":  # noqa: N803
    """Return the target as an array, checked as scikit-learn does."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    array = column_or_1d(y.to_numpy() if hasattr(y, "to_numpy") else y, warn=True)
    if array.dtype.kind in "fc" or numbers:
        checked = check_array(
            array, ensure_2d=False, dtype=np.float64 if numbers else None, input_name="y"
        )
        array = np.asarray(checked)
    check_consistent_length(X, array)
    target: NDArray[Any] = array
    return target


def _of_array(name: str, values: "NDArray[Any]") -> pl.Series:
    if values.dtype.kind != "O":
        return pl.Series(name, np.ascontiguousarray(values))
    if any(isinstance(value, str) for value in values):
        texts = [None if v is None or v != v else str(v) for v in values]  # noqa: PLR0124 - NaN
        return pl.Series(name, texts, dtype=pl.String)
    # NumPy refuses what is no number: float() argument must be a string or a real number.
    return pl.Series(name, values.astype(np.float64))
