"""Test calls of a fitted estimator, made the way serving makes them; apart: they run user code."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import (
    DataError,
    summarize_error,
)
from penstock.models._dtypes import parse_dtype
from penstock.models._fields import Field
from penstock.models._frames import FRAMES, convert_frame, plain_values

if TYPE_CHECKING:
    import polars as pl

_ROWS = 50  # enough for a test; evaluation uses the whole holdout


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a test call.

    Args:
        frame: The frame type that the estimator accepts.
        answers: The estimator's predictions for the first rows of the sample.
    """

    frame: str
    answers: list[Any]


def try_estimator(estimator: Any, sample: "pl.DataFrame") -> Trial:
    """Search for the frame type of an estimator: polars, else pandas, else numpy.

    A frame type accepted without a warning is preferred to a type with warnings (scikit-learn warns
    when names are passed to a model fitted without).

    Raises:
        DataError: If the estimator fails for every frame type, fails on a single row, or returns
            the wrong number of rows.
    """
    if not callable(getattr(estimator, "predict", None)):
        raise _no_model(estimator)
    if sample.height == 0:
        raise DataError(
            what="The sample to try the model on has no row.",
            why="A model is registered only after it has answered.",
            fix="Give some rows of the split, for example split.test.X.",
        )
    head, failures, second_best = sample.head(_ROWS), [], None
    for kind in FRAMES:
        try:
            answers, complained = _ask(estimator, head, kind)
        except Exception as error:  # noqa: BLE001 - an estimator may raise anything; it is reported below
            failures.append(f"{kind}: {summarize_error(error, 200)}")
            continue
        if not complained:
            return Trial(kind, answers)
        second_best = second_best or Trial(kind, answers)
    if second_best:
        return second_best
    raise DataError(
        what=f"The model ({type(estimator).__name__}) cannot answer rows of the split.",
        why="It was tried with " + "; ".join(failures) + ".",
        fix="Fit it on split.train.X as it is, with all preparation inside the model: "
        "make_pipeline(table_transformer(split.schema), …).",
    )


def answers_missing(
    estimator: Any, sample: "pl.DataFrame", fields: Sequence[Field], frame: str
) -> bool:
    """Check whether the estimator predicts missing values in columns that had none in training.

    Row i of the test has column i missing, so a single call covers all columns.
    """
    import polars as pl

    columns = [field.name for field in fields if not field.nullable]
    if not columns:
        return True
    order = {name: index for index, name in enumerate(columns)}
    rows = sample[[0] * len(columns)]
    places = pl.int_range(pl.len())
    holed = rows.select(
        pl.when(places != order[name]).then(pl.col(name)).alias(name)
        if name in order
        else pl.col(name)
        for name in rows.columns
    )
    try:
        _ask(estimator, holed, frame)
    except Exception:  # noqa: BLE001 - any failure means no
        return False
    return True


def cast_sample(sample: "pl.DataFrame", fields: Sequence[Field]) -> "pl.DataFrame":
    """Select the inputs in order with the recorded types, as check_rows returns them."""
    import polars as pl

    return sample.select(pl.col(field.name).cast(parse_dtype(field.dtype)) for field in fields)


def _ask(estimator: Any, rows: "pl.DataFrame", kind: str) -> tuple[list[Any], bool]:
    frame = convert_frame(rows, kind)
    with warnings.catch_warnings(record=True) as caught:
        # A warning that was shown before would otherwise not be recorded again.
        warnings.simplefilter("always")
        answers = plain_values(estimator.predict(frame))
        alone = plain_values(estimator.predict(convert_frame(rows.head(1), kind)))
    if len(answers) != rows.height or len(alone) != 1:
        raise DataError(what=f"{rows.height} rows gave {len(answers)} answers, 1 row {len(alone)}.")
    if any(answer is None or answer != answer for answer in answers):  # noqa: PLR0124 - NaN
        raise DataError(what="Some answers are NaN.")
    return answers, any("feature names" in str(warning.message) for warning in caught)


def _no_model(estimator: Any) -> DataError:
    return DataError(
        what=f"A {type(estimator).__name__} has no predict().",
        why="A model is something that was fitted and can predict.",
        fix="Return the fitted estimator from the training step.",
    )
