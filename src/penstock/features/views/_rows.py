"""Frames of a user to rows of a history: columns, dtypes and times are checked before a write."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, SchemaError, did_you_mean, now
from penstock.features.views._dtypes import fit_column
from penstock.features.views._entity import Entity
from penstock.features.views._view import AVAILABLE_AT, EVENT_TIME, IS_DELETED, FeatureView
from penstock.tables import columns_of

if TYPE_CHECKING:
    import polars as pl


def to_rows(view: FeatureView, frame: Any, *, is_deleted: bool = False) -> "pl.DataFrame":
    """Return the rows of a history for a frame, without their ``seq``.

    Args:
        view: The view.
        frame: A polars or pandas frame with the key columns, the time columns of the view and,
            unless the rows are deletes, all features. Further columns are ignored.
        is_deleted: Whether the rows delete.

    Raises:
        SchemaError: If a column is missing, a dtype differs, or times have no zone.
        DataError: If a key or time is null, or a row is known before the event or after now.
    """
    import polars as pl

    owner = f"feature view {view.name!r}"
    columns = {column.name: column for column in columns_of(frame)}
    keys = read_keys(view.entity, columns, owner)
    height = len(keys[0])
    event = read_moments(columns, view.event_time, owner, up=True).rename(EVENT_TIME)
    known = _available_at(view, columns, event, owner).rename(AVAILABLE_AT)
    require_order(view, event, known)
    values = [
        pl.Series(name, [None], dtype=kind).new_from_index(0, height)
        if is_deleted
        else fit_column(_column(columns, name, owner), kind, owner)
        for name, kind in view.dtypes.items()
    ]
    marks = pl.Series(IS_DELETED, [is_deleted]).new_from_index(0, height)
    return pl.DataFrame([*keys, event, known, marks, *values])


def read_keys(entity: Entity, columns: "dict[str, pl.Series]", owner: str) -> "list[pl.Series]":
    """Return the key columns with their dtypes.

    Raises:
        SchemaError: If a key is missing, or a dtype differs.
        DataError: If a key is null.
    """
    keys = [
        fit_column(_column(columns, name, owner), kind, owner)
        for name, kind in entity.dtypes.items()
    ]
    for column in keys:
        _require_present(column, owner)
    return keys


def read_moments(
    columns: "dict[str, pl.Series]", name: str, owner: str, *, up: bool = False
) -> "pl.Series":
    """Return a column of times in UTC, in microseconds.

    Args:
        columns: The columns by name.
        name: The column.
        owner: Use of the rows, for messages.
        up: Whether times are rounded up to whole microseconds, as for rows: no row is known early.

    Raises:
        SchemaError: If the column is missing, holds no times, or times without a zone.
        DataError: If a time is null.
    """
    import polars as pl

    column = _column(columns, name, owner)
    if not isinstance(column.dtype, pl.Datetime) or column.dtype.time_zone is None:
        raise SchemaError(
            what=f"Column {name!r} for {owner} is {column.dtype}: it has no time zone.",
            why="A local time means another moment in another zone, and one hour a year twice.",
            fix=f'Say which zone it is: pl.col({name!r}).dt.replace_time_zone("UTC").',
            column=name,
        )
    _require_present(column, owner)
    moments = column.dt.convert_time_zone("UTC")
    if up and column.dtype.time_unit == "ns":
        return ((moments.to_physical() + 999) // 1000).cast(pl.Datetime("us", "UTC"))
    return moments.dt.cast_time_unit("us")


def require_order(view: FeatureView, event: "pl.Series", known: "pl.Series") -> None:
    """Check that no row is known before the event, nor after now.

    Raises:
        DataError: If there is such a row, with the count and the first.
    """
    _refuse(
        event > known,
        event,
        f"of feature view {view.name!r} happen after they are known",
        "An online store would answer with them before they hold.",
        "Write such rows when they begin to hold, or correct the time columns.",
    )
    _refuse(
        known > now(),
        known,
        f"of feature view {view.name!r} are known only after now",
        "What is written now is known now.",
        "Correct the clock or the column, or declare available_at=None for the time of the write.",
    )


def _available_at(
    view: FeatureView, columns: "dict[str, pl.Series]", event: "pl.Series", owner: str
) -> "pl.Series":
    import polars as pl

    written = pl.Series([now()], dtype=pl.Datetime("us", "UTC")).new_from_index(0, len(event))
    if view.available_at is None:
        return written
    if isinstance(view.available_at, str):
        return read_moments(columns, view.available_at, owner, up=True)
    # A row that is written before its delay is over is known from then on.
    known = (
        (event + view.available_at).to_frame("known").select(pl.min_horizontal("known", written))
    )
    return known.to_series() if view.available_at > timedelta(0) else event


def _column(columns: "dict[str, pl.Series]", name: str, owner: str) -> "pl.Series":
    if name not in columns:
        raise SchemaError(
            what=f"Rows for {owner} have no column {name!r}.",
            why="It was declared.",
            fix=did_you_mean(name, columns),
            column=name,
        )
    return columns[name]


def _require_present(column: "pl.Series", owner: str) -> None:
    missing = column.null_count()
    if missing:
        raise DataError(
            what=f"{missing:,} of {len(column):,} rows for {owner} have no {column.name!r}.",
            why="Such a row belongs to nothing, or to no time.",
            fix="Remove the rows, or fill the column.",
            column=column.name,
        )


def _refuse(bad: "pl.Series", times: "pl.Series", what: str, why: str, fix: str) -> None:
    count = bad.sum()
    if count:
        place = bad.arg_max() or 0
        raise DataError(
            what=f"{count:,} of {len(bad):,} rows {what}; the first is row {place}: {times[place]}.",
            why=why,
            fix=fix,
            rows=count,
        )
