"""ServedVersion: a loaded, warmed-up model version that predicts rows; the only model caller."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import DataError, ModelVersionRecord, ServingError, summarize_error
from penstock.models import Form, Model, Predictions
from penstock.serving._feature_lookup import FeatureLookup, Filled
from penstock.serving._forms import load_model
from penstock.stores import Store
from penstock.tables import Column, from_seconds

Row = Mapping[str, Any]
_log = logging.getLogger("penstock.serving")
# Quicker work runs on the event loop: handing it to a thread costs about a tenth of this.
_INLINE_S = 0.002
_WARM_UPS = 3
_CLOCK_S = 1e-6  # so that a mean of 0 can grow
_SUMMER_2020 = 1_592_222_400  # a plausible time where training saw none


class ModelError(ServingError):
    """The model raised an error, or returned a value that is no prediction."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The row that a model failed on, and the error.

    Args:
        row: Index of the first row that fails alone; None if every row succeeds alone.
        message: The exception as a single line.
        hard: True if the model returned a value, but not a prediction.
    """

    row: int | None
    message: str
    hard: bool


class ServedVersion:
    """A model version in memory.

    Threads: any number of threads may call ``predict`` at once.

    Args:
        record: The version as registered.
        model: The loaded model.
    """

    def __init__(self, record: ModelVersionRecord, model: Model) -> None:
        self.record = record
        self.signature = model.signature
        self.model = model
        features = model.signature.features
        self._lookup = None if features is None else FeatureLookup(model.signature, features)
        self._row_s = self._call_s = self._lookup_s = 0.0

    @classmethod
    def load(
        cls,
        store: Store,
        record: ModelVersionRecord,
        form: str | None = None,
        *,
        strict: bool = False,
    ) -> "ServedVersion":
        """Load a version and predict an invented row, so that the first caller does not wait.

        Args:
            store: The store.
            record: The version.
            form: The form that is to answer, ``native`` or ``onnx``; None for the version's own. Where the ONNX form cannot
                answer here, the native form does, with a warning.
            strict: Raise that error instead.

        Raises:
            PenstockError: If the version cannot be loaded.
            ModelError: If the version cannot predict.
        """
        served = cls(record, load_model(store, record, form, strict=strict))
        served.warm_up()
        served.warn_of_features()
        return served

    @property
    def version(self) -> int:
        """The version's number."""
        return self.record.version

    @property
    def form(self) -> Form:
        """The form that answers."""
        return self.model.answered_by

    @property
    def has_scores(self) -> bool:
        """True if the estimator has class probabilities; a support vector machine may have none."""
        return self.model.has_probabilities

    def warm_up(self) -> None:
        """Predict an invented row a few times and measure how long a prediction takes.

        Raises:
            ModelError: If the model cannot predict the row.
        """
        row, times = sample_row(self.signature.inputs), list[float]()
        for _ in range(_WARM_UPS):
            started = time.perf_counter()
            try:
                extras = [each.name for each in self.signature.extras]
                self.model.predict_rows([row], outputs=extras)
            except Exception as error:
                raise ModelError(
                    what=f"{self.record.ref} cannot predict a row: {summarize_error(error)}.",
                    why="It would fail its callers.",
                    fix="Check the model; the previous version keeps serving.",
                ) from error
            times.append(time.perf_counter() - started)
        self._call_s = min(times)

    def warn_of_features(self) -> None:
        """Log the obstacles of looking features up: requests may still have them."""
        if self._lookup is not None:
            for problem in self._lookup.check():
                _log.warning("%s: %s", self.record.ref, problem)

    def fill(self, rows: Sequence[Row]) -> Filled | None:
        """Look up the features that rows leave out; None if the model has none of a view.

        Raises:
            DataError: If a key is missing, cannot be read, or has no value where needed.
            HttpError: 503 if the online store does not respond.
        """
        if self._lookup is None:
            return None
        started = time.perf_counter()
        filled = self._lookup.fill(rows)
        self._lookup_s += 0.1 * (time.perf_counter() - started - self._lookup_s)
        return filled

    def is_quick(self, rows: int) -> bool:
        """Check whether this many rows may be predicted without a thread.

        Args:
            rows: Number of rows.
        """
        return self._call_s + self._lookup_s + self._row_s * rows < _INLINE_S

    def predict(self, rows: Sequence[Row], outputs: Sequence[str] = ()) -> Predictions:
        """Check rows and predict each.

        Args:
            rows: Values by column name; at least a single row.
            outputs: Names of further outputs to compute.

        Returns:
            The predictions with scores, class probabilities, further outputs and warnings.

        Raises:
            DataError: If a row cannot be used; the error names the field.
            ModelError: If the model fails; ``failure`` names the row.
        """
        started = time.perf_counter()
        try:
            predictions = self.model.predict_rows(rows, outputs=outputs)
        except DataError:
            raise
        except Exception as error:
            failure = self._locate(rows, error)
            raise ModelError(
                what=f"{self.record.ref} failed"
                + (f" on row {failure.row}" if failure.row is not None else "")
                + f": {failure.message}.",
                why="No row of this request was predicted.",
                fix="Send the other rows without it; the failure is recorded for the owner.",
                failure=failure,
            ) from error
        self._note_time(time.perf_counter() - started, len(rows))
        return predictions

    def _locate(self, rows: Sequence[Row], error: Exception) -> Failure:
        """Search for the row at fault, so that the record names the bad row and not a neighbour."""
        low, high = 0, len(rows)
        while high - low > 1:  # rows[low:high] has the first row at fault, if a single row is
            middle = (low + high) // 2
            if self._fault(rows[low:middle]) is not None:
                high = middle
            else:
                low = middle
        alone = self._fault(rows[low:high])
        place = None if alone is None else low
        return Failure(
            place, summarize_error(alone or error), isinstance(alone or error, ServingError)
        )

    def _fault(self, rows: Sequence[Row]) -> Exception | None:
        try:
            self.model.predict_rows(rows)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            return error
        return None

    def _note_time(self, elapsed_s: float, rows: int) -> None:
        # A slow-moving mean; a lost update between threads does not matter. On a busy machine a call
        # may wait for its turn a hundred times as long as it works: that says nothing of the model.
        if rows == 1:
            self._call_s += 0.1 * (min(elapsed_s, 2 * self._call_s + _CLOCK_S) - self._call_s)
        else:
            self._row_s += 0.3 * (max(elapsed_s - self._call_s, 0.0) / rows - self._row_s)


def sample_row(columns: Sequence[Column]) -> dict[str, Any]:
    """Build an example row with values in the middle of the training ranges.

    >>> sample_row([Column("age", "integer", "Int64", minimum=17, maximum=90)])
    {'age': 53}

    Args:
        columns: The model's inputs.
    """
    return {column.name: _sample_value(column) for column in columns}


def _sample_value(column: Column) -> Any:
    if column.levels:
        return column.levels[0]
    if column.is_time:
        return _sample_time(column)
    middle = 0.0
    if column.minimum is not None and column.maximum is not None:
        middle = (column.minimum + column.maximum) / 2
    samples: dict[str, Any] = {
        "integer": int(middle),
        "number": float(middle),
        "decimal": float(middle),
        "boolean": False,
        "nothing": None,
        "time": "12:00:00",
        "duration": 0.0,
    }
    return samples.get(column.family, "a")


def _sample_time(column: Column) -> str:
    seconds = _SUMMER_2020
    if column.minimum is not None and column.maximum is not None:
        seconds = int((column.minimum + column.maximum) / 2)
    moment = from_seconds(seconds)
    if column.family == "date":
        return moment.date().isoformat()
    # Where training times have a zone, a time without a zone is only assumed to be in UTC.
    return moment.replace(tzinfo=None).isoformat() + ("Z" if column.has_zone else "")
