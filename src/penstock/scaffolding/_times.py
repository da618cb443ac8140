"""Formats of a table's times, and unnamed columns that look like times."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.data import Schema, check_columns, guess_time_format
from penstock.scaffolding._notes import ColumnNote

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

_HOUR_NAME = re.compile(r"^(?:hr|hrs|hh|hours?|hour_of_day|.*[_\s](?:hr|hour))$", re.IGNORECASE)
_TIME_NAME = re.compile(r"date|time|stamp|(?:^|_)(?:ts|at|day)$", re.IGNORECASE)
_EPOCH_UNITS = ((1e8, 1e11, "seconds"), (1e11, 1e14, "milliseconds"), (1e14, 1e17, "microseconds"))
# The years 1900 to 2100 as YYYYMMDD; 1980 to 2100 in seconds and in milliseconds since 1970.
_PLAUSIBLE = ((19_000_101, 21_001_231), (315_532_800, 4.1e9), (315_532_800_000, 4.1e12))
# Both orders of day and month, where a text can mean two dates.
_ORDERS = tuple(
    (f"%m{mark}%d{mark}%Y{clock}", f"%d{mark}%m{mark}%Y{clock}")
    for mark in "/-."
    for clock in ("", " %H:%M", " %H:%M:%S")
)


@dataclass(frozen=True, slots=True)
class TimeForm:
    """The format of a time column.

    Attributes:
        columns: The time column, or a date column and an hour column.
        form: Description for people: ``ISO dates``, ``epoch seconds`` …
        time_format: strftime codes that the source needs; None without a need.
        doubt: A second format that also fits; empty if none.
    """

    columns: tuple[str, ...]
    form: str
    time_format: str | None = None
    doubt: str = ""


def recognise_time(table: "pl.DataFrame", time: str) -> TimeForm:
    """Recognise the format of a time column, and the hour column that belongs to a date.

    >>> import polars as pl
    >>> recognise_time(pl.DataFrame({"at": [1400269500, 1362683700]}), "at").form
    'epoch seconds'

    Args:
        table: The rows, read without a time column.
        time: The column; or a date column and an hour column, joined by ``+`` or a comma.

    Raises:
        NotFoundError: If there is no such column.
    """
    names = [time]
    if time not in table.columns and re.search(r"[+,]", time):
        names = [part.strip() for part in re.split(r"[+,]", time)]
    check_columns(table, names)
    form, time_format, doubt = _form_of(table[names[0]])
    if len(names) == 1 and form.endswith("dates"):
        names += _find_hours(table, time)[:1]
    if len(names) > 1:
        form += " and hours"
    return TimeForm(tuple(names), form, time_format, doubt)


def note_times(table: "pl.DataFrame", schema: Schema, kept: set[str]) -> list[ColumnNote]:
    """List columns that look like times although no time column was named."""
    notes = []
    for column in schema:
        if column.name in kept:
            continue
        series = table[column.name]
        if column.kind in {"date", "datetime"} or _looks_like_epoch(series):
            form = _form_of(series)[0]
            reason = f"looks like a time ({form}); --time {column.name} tests on the newest rows"
            notes.append(ColumnNote(column.name, "date", reason))
    return notes


def note_written_dates(table: "pl.DataFrame", schema: Schema, kept: set[str]) -> list[ColumnNote]:
    """List text columns with dates in a non-ISO format: no features without conversion."""
    notes = []
    for column in schema:
        if column.name in kept or column.dtype != "String":
            continue
        _, time_format, doubt = _form_of(table[column.name])
        if time_format is not None:
            also = f" or {doubt}" if doubt else ""
            reason = f"dates written {time_format}{also}: turn them into dates to learn from them"
            notes.append(ColumnNote(column.name, "type", reason))
    return notes


def show_moment(moment: "datetime | None") -> str:
    """Format a time as a date.

    >>> show_moment(None)
    'unknown'
    """
    return "unknown" if moment is None else f"{moment:%Y-%m-%d}"


def _form_of(series: "pl.Series") -> tuple[str, str | None, str]:
    import polars as pl

    if series.dtype == pl.Date:
        return "ISO dates", None, ""
    if series.dtype == pl.Datetime:
        values = series.drop_nulls()
        days = len(values) > 0 and bool((values == values.dt.truncate("1d")).all())
        return ("ISO dates" if days else "ISO times"), None, ""
    if series.dtype.is_numeric():
        return _form_of_numbers(series), None, ""
    return _form_of_texts(series)


def _form_of_numbers(series: "pl.Series") -> str:
    middle = series.drop_nulls().median()
    size = float(middle) if isinstance(middle, int | float) else 0.0
    for low, high, unit in _EPOCH_UNITS:
        if low <= size < high:
            return f"epoch {unit}"
    return "YYYYMMDD dates"


def _form_of_texts(texts: "pl.Series") -> tuple[str, str | None, str]:
    guess = guess_time_format(texts)
    if guess is not None:
        return (f"written {guess}" + ("" if "%H" in guess else ", dates")), guess, ""
    for pair in _ORDERS:
        read = [_parse(texts, form) for form in pair]
        if all(times is not None for times in read):
            # Rows are mostly stored in the order of time: only the correct format preserves the
            # order.
            rising = [times is not None and _is_ordered(times) for times in read]
            first, second = pair if rising[0] or not rising[1] else pair[::-1]
            doubt = "" if rising[0] != rising[1] else second
            return (f"written {first}" + ("" if "%H" in first else ", dates")), first, doubt
    return "text", None, ""


def _parse(texts: "pl.Series", form: str) -> "pl.Series | None":
    import polars as pl

    present = texts.drop_nulls()
    if present.dtype != pl.String or not len(present):
        return None
    read = present.str.to_datetime if "%H" in form else present.str.to_date
    times = read(form, strict=False)
    return None if times.null_count() else times


def _is_ordered(times: "pl.Series") -> bool:
    return times.is_sorted() or times.is_sorted(descending=True)


def _find_hours(table: "pl.DataFrame", day: str) -> list[str]:
    hours = []
    for series in table.iter_columns():
        if series.name == day or not _HOUR_NAME.match(series.name):
            continue
        if series.dtype.is_integer() and series.is_between(0, 23).all() and series.n_unique() > 1:
            hours.append(series.name)
    return hours


def _looks_like_epoch(series: "pl.Series") -> bool:
    if not series.dtype.is_integer() or not _TIME_NAME.search(series.name):
        return False
    values = series.drop_nulls()
    low, high = values.min(), values.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return False
    return any(first <= low and high <= last for first, last in _PLAUSIBLE)
