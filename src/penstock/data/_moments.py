"""Moments: the time of each row on a common scale, and ``since`` and ``cutoff`` as users write.

A time is naive or aware; where the two meet, a naive time counts as UTC.
"""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TypeAlias

from penstock.core import DataError, require_type
from penstock.tables.reading import read_times

if TYPE_CHECKING:
    import polars as pl

_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, from 1970-01-01

TimeColumn: TypeAlias = str | tuple[str, str]
"""A column, or a date column and an hour column."""

Moment: TypeAlias = date | datetime | str


def as_moments(series: "pl.Series") -> "pl.Series":
    """Convert dates and datetimes to a common scale: datetimes in UTC, microseconds.

    Raises:
        DataError: If a time lies before the year 1 or after 9999.
    """
    import polars as pl

    _require_years(series)
    if has_zone(series.dtype):
        return series.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return series.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _require_years(series: "pl.Series") -> None:
    """Refuse times that Python has not: they could be compared, but not shown or stored in records."""
    numbers = series.to_physical()
    low, high = numbers.min(), numbers.max()
    a_day = _DAY.get(getattr(series.dtype, "time_unit", ""), 1)
    if not isinstance(low, int) or not isinstance(high, int):
        return
    if low < _FIRST_DAY * a_day or high >= (_LAST_DAY + 1) * a_day:
        odd = numbers.is_between(_FIRST_DAY * a_day, (_LAST_DAY + 1) * a_day - 1).not_().sum()
        raise DataError(
            what=f"{odd:,} times of '{series.name}' lie before the year 1 or after 9999.",
            why="Such times mean mostly that there is none, and no calendar here has them.",
            fix="Replace them in the source by a missing value.",
            column=series.name,
        )


def moments_of(
    table: "pl.DataFrame", time: TimeColumn, time_format: str | None = None
) -> "pl.Series":
    """Return the time of every row, in UTC; for a pair of columns, the date plus the hours.

    Raises:
        DataError: If a value is not a time.
    """
    if isinstance(time, str):
        return as_moments(read_times(table[time], time_format)).rename(time)
    import polars as pl

    day, hour = time
    days = as_moments(read_times(table[day], time_format))
    hours = table[hour].cast(pl.Float64, strict=False)
    if hours.null_count() > table[hour].null_count() or not _within_day(hours):
        raise DataError(
            what=f"Column {hour!r} does not hold hours (0 to 24).",
            why=f"The time of a row is made of {day!r} and {hour!r}.",
            fix=f"Give time={day!r}, or a column of hours.",
            column=hour,
        )
    return (days + (hours * 3_600_000_000).cast(pl.Int64).cast(pl.Duration("us"))).rename(day)


def ends_of(moments: "pl.Series") -> tuple[datetime | None, datetime | None]:
    """Return the earliest and the latest moment; None where no row has a time."""
    first, last = moments.min(), moments.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return None, None
    return first.astimezone(UTC), last.astimezone(UTC)


def to_moment(value: Moment, name: str) -> datetime:
    """Read ``since`` or ``cutoff``: a date means midnight, a naive time counts as UTC.

    >>> to_moment("2016-06-30", "cutoff").isoformat()
    '2016-06-30T00:00:00+00:00'

    Raises:
        DataError: If a text is not an ISO date or datetime.
        ParameterError: If the value is neither a text nor a date.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise DataError(
                what=f"{name} is {value!r}, which is no date.",
                fix=f"Write for example {name}=2016-06-30 or 2016-06-30T12:00.",
                value=value,
            ) from error
    require_type(name, value, date, f"Write for example {name}=2016-06-30 or a datetime.")
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def time_name(time: TimeColumn) -> str:
    """Return the name of a time column for people.

    >>> time_name(("dteday", "hr"))
    'dteday + hr'
    """
    return time if isinstance(time, str) else " + ".join(time)


def time_columns(time: TimeColumn | None) -> list[str]:
    """List the columns that a time consists of."""
    if time is None:
        return []
    return [time] if isinstance(time, str) else list(time)


def _within_day(hours: "pl.Series") -> bool:
    return bool(hours.drop_nulls().is_between(0, 24).all())


def has_zone(dtype: "pl.DataType") -> bool:
    """Return whether a type is of times with a zone."""
    return getattr(dtype, "time_zone", None) is not None
