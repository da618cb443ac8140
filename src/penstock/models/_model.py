"""Model: a fitted estimator with a signature; loads from safe formats only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ModelVersionRecord, ServingError, did_you_mean
from penstock.models._predictions import plain_values
from penstock.models._safety import require_safe
from penstock.models._signature import Signature
from penstock.models._threads import threads_for
from penstock.stores import open_store
from penstock.tables import convert_frame

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from penstock.stores import Store


@dataclass(frozen=True, slots=True)
class Answer:
    """The prediction for a row.

    Args:
        prediction: Class label or number.
        score: Probability of the positive class, or of the predicted class of several; else None.
        warnings: Warnings for the sender of the row.
    """

    prediction: Any
    score: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted estimator with a signature.

    Threads: predicting from several threads at once is as safe as the estimator's ``predict``
    (scikit-learn's, xgboost's and lightgbm's are).

    Args:
        estimator: A fitted estimator with ``predict`` and for classes usually ``predict_proba``.
        signature: The estimator's inputs and outputs.
    """

    estimator: Any
    signature: Signature

    @classmethod
    def load(cls, version: ModelVersionRecord, *, store: "Store | str | None" = None) -> "Model":
        """Load a registered version, and check the stored bytes against the digest.

        Raises:
            SerializationError: If the stored format can run code.
            StoreError: If the bytes are damaged or missing.
            DataError: If the signature is damaged.
        """
        store = open_store(store)
        record = require_safe(store.metadata.artifacts.get(version.artifact))
        estimator = store.load(record, check=True)
        return cls(estimator, Signature.from_json(version.signature))

    def predict(self, frame: "pl.DataFrame") -> list[Any]:
        """Predict each row as a plain Python value.

        Args:
            frame: The inputs, shape (n, inputs), in any column order; further columns are ignored.

        Raises:
            DataError: If an input column is missing.
            ServingError: If the model returns NaN, infinity or the wrong number of rows.
        """
        prepared = self._prepare(frame)
        with threads_for(frame.height):
            return self._checked(self.estimator.predict(prepared), frame.height)

    def predict_proba(self, frame: "pl.DataFrame") -> "NDArray[np.float64] | None":
        """Predict class probabilities, shape (n, classes) in the order of ``signature.classes``.

        None for regression and for classifiers without probabilities.

        Raises:
            DataError: If an input column is missing.
        """
        if not self._has_scores:
            return None
        prepared = self._prepare(frame)
        with threads_for(frame.height):
            return _as_matrix(self.estimator.predict_proba(prepared))

    def predict_scores(self, frame: "pl.DataFrame") -> list[float] | None:
        """Predict a probability per row: of the positive class, or of the likeliest of several.

        Raises:
            DataError: If an input column is missing.
        """
        shares = self.predict_proba(frame)
        return None if shares is None else self._scores(shares)

    def predict_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Check rows and predict each; see Signature.check_rows.

        Raises:
            DataError: If a row cannot be used; the error names the field.
            ServingError: If the model fails to predict.
        """
        frame, warnings = self.signature.check_rows(rows)
        prepared = convert_frame(frame, self.signature.frame)
        scores: Sequence[float | None] = [None] * frame.height
        with threads_for(frame.height):
            predictions = self._checked(self.estimator.predict(prepared), frame.height)
            if self._has_scores:
                scores = self._scores(_as_matrix(self.estimator.predict_proba(prepared)))
        return [Answer(*parts) for parts in zip(predictions, scores, warnings, strict=True)]

    @property
    def _has_scores(self) -> bool:
        return bool(self.signature.classes) and hasattr(self.estimator, "predict_proba")

    def _prepare(self, frame: "pl.DataFrame") -> Any:
        names = self.signature.names
        missing = [name for name in names if name not in frame.columns]
        if missing:
            raise DataError(
                what=f"Column {missing[0]!r} is missing"
                + (f", and {len(missing) - 1} more" if len(missing) > 1 else "")
                + ".",
                why="The model was trained with it.",
                fix=did_you_mean(missing[0], frame.columns),
                columns=missing,
            )
        return convert_frame(frame.select(names), self.signature.frame)

    def _checked(self, answer: Any, rows: int) -> list[Any]:
        values = plain_values(answer)
        if len(values) != rows:
            raise ServingError(what=f"The model gave {len(values)} answers to {rows} rows.")
        for index, value in enumerate(values):
            if value is None or (type(value) is float and not -_INFINITE < value < _INFINITE):
                raise ServingError(
                    what=f"The model answered row {index} with {value}.",
                    why="That is no prediction.",
                    fix="Look at the row's values; roll back if it happens often.",
                    row=index,
                )
        return values

    def _scores(self, shares: "NDArray[np.float64]") -> list[float]:
        classes, positive = self.signature.classes, self.signature.positive
        column = shares.max(axis=1) if positive is None else shares[:, classes.index(positive)]
        scores: list[float] = column.tolist()
        return scores


_INFINITE = float("inf")


def _as_matrix(shares: Any) -> "NDArray[np.float64]":
    import numpy as np

    return np.asarray(shares, dtype=np.float64)
