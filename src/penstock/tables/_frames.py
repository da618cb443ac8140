"""Frames: a polars frame to an estimator's frame type, and a polars or pandas frame to columns."""

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from penstock.core import (
    DataError,
    MissingPackageError,
    PenstockError,
    require,
    summarize_error,
    with_article,
)
from penstock.tables._objects import column_of_values

if TYPE_CHECKING:
    import polars as pl

Answer = TypeVar("Answer")
FrameType: TypeAlias = Literal["polars", "pandas", "numpy"]

FRAME_TYPES: tuple[FrameType, ...] = ("polars", "pandas", "numpy")
"""The frame types in the order in which an estimator is offered them."""

_MAX_TEXT = 200


def convert_frame(frame: "pl.DataFrame", frame_type: str) -> Any:
    """Convert a polars frame to the frame type of an estimator.

    >>> import polars as pl
    >>> convert_frame(pl.DataFrame({"a": [1, None]}), "numpy").tolist()
    [[1.0], [nan]]

    Raises:
        MissingPackageError: If the frame type is pandas and pandas is not installed.
    """
    return _CONVERTERS[frame_type](frame)


def offer_frames(
    ask: Callable[[FrameType], Answer],
    *,
    owner: str,
    frame_types: Sequence[FrameType] = FRAME_TYPES,
) -> tuple[FrameType, Answer]:
    """Offer rows as a polars frame, then pandas, then numpy, until an estimator takes them.

    A type taken without a warning about feature names is preferred to a type with such a warning:
    scikit-learn warns when a model that was fitted on an array is given names.

    Args:
        ask: Calls the estimator with rows of the frame type.
        owner: The estimator, for the message.
        frame_types: The frame types to offer, in this order.

    Returns:
        The frame type, and the result of ``ask``.

    Raises:
        DataError: If every type is refused, with the reasons.
    """
    refusals, second_best = [], None
    for frame_type in frame_types:
        try:
            answer, has_warned = _ask(ask, frame_type)
        except MissingPackageError as error:
            refusals.append(f"{frame_type}: {error.what}")
        except PenstockError:
            raise  # the estimator's penstock parts say what to change
        except Exception as error:  # noqa: BLE001 - an estimator may raise anything; it is reported below
            refusals.append(f"{frame_type}: {summarize_error(error, _MAX_TEXT)}")
        else:
            if not has_warned:
                return frame_type, answer
            second_best = second_best or (frame_type, answer)
    if second_best:
        return second_best
    raise DataError(
        what=f"{owner} cannot predict these rows.",
        why="It was offered them as " + "; ".join(refusals) + ".",
        fix="Fit it on split.train.X as it is, with all preparation inside the model: "
        "make_pipeline(table_transformer(split.schema), …).",
    )


def _ask(ask: Callable[[FrameType], Answer], frame_type: FrameType) -> tuple[Answer, bool]:
    with warnings.catch_warnings(record=True) as caught:
        # A warning that was shown before would otherwise not be recorded again.
        warnings.simplefilter("always")
        answer = ask(frame_type)
    return answer, any("feature names" in str(warning.message) for warning in caught)


def read_frame(value: Any) -> "pl.DataFrame | None":
    """Return a polars or pandas frame as a polars frame; None if the value is neither.

    Raises:
        DataError: If a pandas column has values of several kinds, or of a type that polars has not.
    """
    import polars as pl

    if isinstance(value, pl.DataFrame):
        return value
    if not hasattr(value, "iloc"):
        return None
    for place in range(value.shape[1]):
        if getattr(value.iloc[:, place].dtype, "kind", "O") == "O":
            _from_pandas(value.iloc[:, place])  # refuses what pyarrow would change in silence
    try:
        frame: pl.DataFrame = pl.from_pandas(value)
    except Exception as error:
        raise _unreadable(value, error) from error
    return frame


def columns_of(frame: Any) -> "list[pl.Series]":
    """Return a frame's columns as polars Series.

    Args:
        frame: A polars or pandas frame.

    Raises:
        DataError: If the value is no such frame, or a pandas column has values of several kinds.
    """
    import polars as pl

    if isinstance(frame, pl.DataFrame):
        return list(frame.iter_columns())
    if hasattr(frame, "iloc"):
        return [_from_pandas(frame.iloc[:, place]) for place in range(frame.shape[1])]
    raise DataError(
        what=f"{with_article(type(frame).__name__, begins=True)} has no column names.",
        why="Columns are identified by name.",
        fix="Give a polars or pandas frame.",
    )


def _from_pandas(series: Any) -> "pl.Series":
    """Convert a pandas column without pyarrow: numbers and times as arrays, the rest by value."""
    import numpy as np
    import polars as pl

    name = str(series.name)
    kind = getattr(series.dtype, "kind", "O")
    if isinstance(series.dtype, np.dtype) and kind in "biuf":
        return pl.Series(name, series.to_numpy())
    missing = series.isna().to_numpy()
    if kind == "M":
        zoned = getattr(series.dtype, "tz", None) is not None
        local = series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series
        stamps = local.to_numpy().astype("datetime64[us]").astype(np.int64)
        # polars before 2 computes with the value below a null, and NaT is out of range there.
        present = pl.when(pl.Series(~missing)).then(pl.Series(name, np.where(missing, 0, stamps)))
        times = pl.select(present.alias(name)).to_series()
        return times.cast(pl.Datetime("us", "UTC" if zoned else None))
    values = [None if gone else value for gone, value in zip(missing, series, strict=True)]
    return column_of_values(name, values)


def _unreadable(frame: Any, error: Exception) -> PenstockError:
    """Return the error of the first pandas column that cannot be read."""
    import polars as pl

    if isinstance(error, PenstockError):
        return error
    for place in range(frame.shape[1]):
        try:
            pl.from_pandas(frame.iloc[:, place])
        except Exception as found:  # noqa: BLE001 - pyarrow raises errors of its own and Python's
            name, dtype = frame.columns[place], frame.iloc[:, place].dtype
            return DataError(
                what=f"Column {str(name)!r} of the type {dtype} cannot be read: "
                f"{summarize_error(found, _MAX_TEXT)}",
                fix=f"Convert it before, for example to text: df[{name!r}].astype(str).",
                column=str(name),
            )
    return DataError(
        what=f"The pandas frame cannot be read: {summarize_error(error, _MAX_TEXT)}",
        fix="Give a polars frame.",
    )


def _to_pandas(frame: "pl.DataFrame") -> Any:
    require("pandas", extra="pandas", purpose="a model that was trained on pandas frames")
    require("pyarrow", extra="pandas", purpose="a model that was trained on pandas frames")
    return frame.to_pandas()


_CONVERTERS: "dict[str, Callable[[pl.DataFrame], Any]]" = {
    "polars": lambda frame: frame,
    "pandas": _to_pandas,
    "numpy": lambda frame: frame.to_numpy(),
}
