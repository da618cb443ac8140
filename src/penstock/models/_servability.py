"""Test calls of a fitted estimator, made the way serving makes them; apart: they run user code."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, PenstockError, did_you_mean, summarize_error, with_article
from penstock.models._estimator_kinds import why_no_predict
from penstock.models._file_advice import value_advice
from penstock.models._predictions import plain_values
from penstock.models._targets import is_row_of_values
from penstock.tables import (
    FRAME_TYPES,
    Column,
    FrameType,
    convert_frame,
    offer_frames,
    parse_dtype,
)

if TYPE_CHECKING:
    import polars as pl

_ROWS = 50  # enough for a test; evaluation uses the whole holdout
_SHOWN = 100  # characters of a prediction in a message
_TIES = 0.1  # of the rows
_NOISE = 1e-3  # of the largest value: sums of threads differ by less, also those of half precision


@dataclass(frozen=True, slots=True)
class TestCall:
    """The result of a test call.

    Args:
        frame: The frame type that the estimator accepts.
        labels: The estimator's predictions for the first rows of the sample.
        output: The same as the estimator returned them.
    """

    frame: FrameType
    labels: list[Any]
    output: Any


def try_estimator(
    estimator: Any, sample: "pl.DataFrame", *, frame_types: Sequence[FrameType] = FRAME_TYPES
) -> TestCall:
    """Find the frame type of an estimator, and test the estimator on a single row.

    Args:
        estimator: The fitted estimator.
        sample: Rows of the inputs.
        frame_types: The frame types to offer; a single type where already known.

    Raises:
        DataError: If the estimator has no ``predict``, takes no type of frame, fails on a single
            row, returns the wrong number of rows, or predicts the same rows differently each time.
    """
    if sample.height == 0:
        raise DataError(
            what="The sample to try the model on has no row.",
            why="A model is registered only after a test prediction.",
            fix="Give some rows of the split, for example split.test.X.",
        )
    head = sample.head(_ROWS)
    frame, output = _offer(estimator, head, frame_types)
    try:
        labels = _check(output, estimator, head, frame)
        _require_repeatable(estimator, head, frame, labels)
        return TestCall(frame, labels, output)
    except PenstockError:
        raise
    except Exception as error:
        raise DataError(
            what=f"{_owner(estimator)} cannot predict a single row: {summarize_error(error)}.",
            why="A request may have one row only.",
            fix="Let the model take frames of any number of rows.",
        ) from error


def offer_rows(estimator: Any, rows: "pl.DataFrame") -> tuple[FrameType, Any]:
    """Find the frame type of an estimator by offering some rows, with the predictions.

    Raises:
        DataError: If the estimator has no ``predict``, or takes no type of frame.
    """
    return _offer(estimator, rows.head(_ROWS))


def select_features(estimator: Any, frame: "pl.DataFrame") -> "pl.DataFrame":
    """Select the columns that an estimator names as features; all without such names.

    Raises:
        DataError: If columns are missing.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return frame
    missing = [str(name) for name in names if name not in frame.columns]
    if len(missing) == len(names) == frame.width:
        return frame  # made-up names (lightgbm's Column_0, …): only the order is known
    if missing:
        shown = ", ".join(repr(name) for name in missing[:5])
        raise DataError(
            what=f"The model needs {len(missing)} column(s) that the rows do not have: {shown}.",
            why="It cannot predict rows without the columns it was trained on.",
            fix=did_you_mean(missing[0], frame.columns),
            columns=missing,
        )
    return frame.select([str(name) for name in names])


def accepts_missing_values(
    estimator: Any, sample: "pl.DataFrame", columns: Sequence[Column], frame: str
) -> bool:
    """Check whether the estimator predicts missing values in columns that had none in training.

    Row i of the test has column i missing, so a single call covers all columns.
    """
    import polars as pl

    names = [column.name for column in columns if not column.nullable]
    if not names:
        return True
    order = {name: index for index, name in enumerate(names)}
    rows = sample[[0] * len(names)]
    places = pl.int_range(pl.len())
    holed = rows.select(
        pl.when(places != order[name]).then(pl.col(name)).alias(name)
        if name in order
        else pl.col(name)
        for name in rows.columns
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output = estimator.predict(convert_frame(holed, frame))
        _check(output, estimator, holed, frame)
    except Exception:  # noqa: BLE001 - any failure means no
        return False
    return True


def cast_sample(sample: "pl.DataFrame", columns: Sequence[Column]) -> "pl.DataFrame":
    """Select the inputs in order with the recorded types, as check_rows returns them."""
    import polars as pl

    return sample.select(pl.col(column.name).cast(parse_dtype(column.dtype)) for column in columns)


def _offer(
    estimator: Any, rows: "pl.DataFrame", frame_types: Sequence[FrameType] = FRAME_TYPES
) -> tuple[FrameType, Any]:
    require_predict(estimator)
    return offer_frames(
        lambda frame: estimator.predict(convert_frame(rows, frame)),
        owner=_owner(estimator),
        frame_types=frame_types,
    )


def _check(output: Any, estimator: Any, rows: "pl.DataFrame", frame: str) -> list[Any]:
    """Check the predictions of rows, and that the first row is predicted alone, too."""
    labels = _rows_of(output)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same were seen when the frame type was found
        alone = _rows_of(estimator.predict(convert_frame(rows.head(1), frame)))
    if len(labels) != rows.height or len(alone) != 1:
        raise DataError(
            what=f"{rows.height} rows gave {len(labels)} predictions, 1 row {len(alone)}.",
            why="Each row needs one prediction.",
            fix="Let predict() return one value per row.",
        )
    if any(map(_is_missing, labels)):
        raise DataError(
            what="Some predictions are NaN.",
            why="Serving refuses such predictions.",
            fix="Fill missing values inside the model, for example with SimpleImputer.",
        )
    return labels


def _require_repeatable(
    estimator: Any, rows: "pl.DataFrame", frame: str, labels: list[Any]
) -> None:
    """Check that the same rows get the same predictions, and the same probabilities, once more."""
    table = convert_frame(rows, frame)
    share = getattr(estimator, "predict_proba", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = _rows_of(estimator.predict(table))
        try:
            first, second = _rows_of(share(table)), _rows_of(share(table))  # type: ignore[misc] # see below
        except Exception:  # noqa: BLE001 - it has no probabilities, or none with these settings
            first, second = labels, again
    # Where two classes are as likely, the label may hang on the order in which threads add.
    differing = [pair for pair in zip(labels, again, strict=False) if not _is_same(*pair, labels)]
    pairs = zip(first, second, strict=False)
    odd = next((pair for pair in pairs if not _is_same(*pair, first)), None)
    if odd is None and len(differing) > _TIES * len(labels):
        odd = differing[0]
    if odd is not None:
        raise DataError(
            what=f"{_owner(estimator)} predicts {_shown(odd[0])} for a row, and {_shown(odd[1])} for the"
            " same row when asked again.",
            why="An answer that cannot be repeated cannot be verified, explained, or compared with"
            " another version's.",
            fix="Switch off in predict() what is random, such as dropout (model.eval(),"
            " F.dropout(x, training=self.training)), or give it a fixed random_state.",
        )


def _is_same(one: Any, other: Any, every: list[Any]) -> bool:
    """Return whether two answers are equal; of real numbers but for the order of summation."""
    import numpy as np

    if np.asarray(one).dtype.kind != "f":  # a label, or labels by target
        return bool(np.array_equal(one, other))
    most = np.nanmax(np.abs(np.asarray(one if np.ndim(one) else every, dtype=float)), initial=0.0)
    return bool(np.allclose(one, other, rtol=0, atol=_NOISE * most, equal_nan=True))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _rows_of(output: Any) -> list[Any]:
    rows: list[Any] = output.tolist() if is_row_of_values(output) else plain_values(output)
    return rows


def _is_missing(label: Any) -> bool:
    if isinstance(label, list):
        return any(map(_is_missing, label))
    return label is None or label != label  # noqa: PLR0124 - NaN


def _owner(estimator: Any) -> str:
    return f"The model ({type(estimator).__name__})"


def require_predict(estimator: Any) -> None:
    """Check that a value can predict.

    Raises:
        DataError: If there is no ``predict``.
    """
    if not callable(getattr(estimator, "predict", None)):
        raise DataError(
            what=f"{with_article(type(estimator).__name__, begins=True)} has no predict().",
            why="A model is something that was fitted and can predict.",
            fix=value_advice(estimator)
            or why_no_predict(estimator)
            or "Return the fitted estimator from the training step.",
        )
