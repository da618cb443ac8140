"""Parsing of a JSON value for a column: values accepted unchanged, converted or refused.

| column | taken | converted | refused |
|---|---|---|---|
| number | float, int | | text, true/false, NaN, infinity |
| integer | int | float without a fraction | text, true/false, fractions, beyond the type |
| boolean | true/false | 0 and 1 | the rest |
| text, category | text | a number or true/false that is the text of a category | other numbers, objects |
| datetime | | ISO text, 20160630, seconds since 1970 | other text, milliseconds, small numbers |
| date | | ISO text, 20160630, seconds since 1970 | other text, small numbers |
| duration | | seconds; text as of ISO 8601, Python, pandas, polars | other text, numbers in quotes |

Texts of a column that a source parsed by a rule are parsed by that rule first: see `_texts`.
Without a rule only null is a missing value. An offset is refused where training times have none.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from penstock.core import DataError, with_article
from penstock.models._duration_texts import read_duration_text
from penstock.models._refusal import Refusal, as_float
from penstock.models._time_values import read_date, read_datetime, read_time
from penstock.tables import Column, integer_limits, number_limits

MAX_TEXT = 100_000  # characters of a value; requests are not for documents
_MISSING_MARKS = frozenset({"", "na", "n/a", "?", "null", "none", "nan", "nat", "-"})

# Of a column that counts in this unit, by 64 bits.
_LONGEST = {
    "ns": timedelta(seconds=2**63 // 10**9),
    "us": timedelta(seconds=2**63 // 10**6),
    "ms": timedelta.max,
}

EXPECTED = {
    "number": "a number",
    "decimal": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "text": "text",
    "enum": "text",
    "datetime": "an ISO time such as '2016-06-30T12:00:00', or seconds since 1970",
    "date": "an ISO date such as '2016-06-30'",
    "time": "an ISO time of day such as '12:30:00'",
    "duration": "a number of seconds, or a duration such as 'PT1H30M' or '1:30:00'",
    "nothing": "null",
}


def is_missing_mark(text: str) -> bool:
    """Check whether a text looks like a table's mark for a missing value.

    >>> is_missing_mark("?"), is_missing_mark("no")
    (True, False)
    """
    return text.strip().lower() in _MISSING_MARKS


def read_number(value: Any, column: Column) -> float:
    """Read a finite number."""
    if type(value) not in {int, float}:
        raise Refusal(_number_remedy(value))
    number = as_float(value)
    if math.isnan(number) or value in {math.inf, -math.inf}:
        raise Refusal("NaN and infinity are not allowed; send null if the value is missing.")
    low, high = number_limits(column.dtype)
    if not low <= number <= high:
        raise Refusal(f"The number is too large for {with_article(str(column.dtype))} column.")
    return number


def read_decimal(value: Any, column: Column) -> Decimal:
    """Read a finite number as a decimal."""
    return Decimal(repr(read_number(value, column)))


def read_integer(value: Any, column: Column) -> int:
    """Read a whole number that the column's type can hold."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is float:
        remedy = "Round it, or send null if it is missing."
        raise Refusal(remedy if math.isfinite(value) else _number_remedy(value))
    if type(value) is not int:
        raise Refusal(_number_remedy(value))
    low, high = integer_limits(column.dtype)
    if not low <= value <= high:
        raise Refusal(f"The column is {column.dtype}: {low} to {high}.")
    return value


def read_boolean(value: Any, _column: Column) -> bool:
    """Read true, false, 0 or 1."""
    if type(value) is bool:
        return value
    if type(value) is int and value in {0, 1}:
        return bool(value)
    raise Refusal("Send true or false without quotes, or null if it is missing.")


def read_text(value: Any, column: Column) -> str:
    """Read text, or a number that is the text of a known category."""
    if type(value) is not str:
        return _as_level(value, column)
    if len(value) > MAX_TEXT:
        raise Refusal(f"A text may have {MAX_TEXT:,} characters; this has {len(value):,}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refusal("The text holds half a character (a lone surrogate).") from None
    return value


def read_duration(value: Any, column: Column) -> timedelta:
    """Read a number of seconds, or a text such as 'PT1H30M', '1:30:00' or '2 days, 1:30:00'."""
    if isinstance(value, timedelta):
        return value
    try:
        duration = read_duration_text(value) if isinstance(value, str) else None
        if duration is None:
            duration = timedelta(seconds=read_number(value, column))
    except OverflowError:
        raise Refusal("The number of seconds is too large.") from None
    unit = next((unit for unit in _LONGEST if f"'{unit}'" in column.dtype), "us")
    if abs(duration) > _LONGEST[unit]:
        raise Refusal(f"The number of seconds is too large: the column counts in {unit}.")
    return duration


def read_nothing(_value: Any, _column: Column) -> None:
    """Drop the value: the column was empty in training, so the model cannot use the value."""


READERS: dict[str, Callable[[Any, Column], Any]] = {
    "number": read_number,
    "decimal": read_decimal,
    "integer": read_integer,
    "boolean": read_boolean,
    "text": read_text,
    "enum": read_text,
    "datetime": read_datetime,
    "date": read_date,
    "time": read_time,
    "duration": read_duration,
    "nothing": read_nothing,
}


def find_reader(column: Column) -> Callable[[Any, Column], Any]:
    """Return the reader of a column's values.

    Raises:
        DataError: If rows of JSON cannot carry such values (lists, structures, bytes).
    """
    if column.family in READERS:
        return READERS[column.family]
    raise DataError(
        what=f"A column of type {column.dtype} cannot be a model's input.",
        why="A row of a request holds numbers, text, true/false and dates only.",
        fix="Turn the column into plain columns in a step before the split.",
        column=column.name,
        dtype=column.dtype,
    )


def _number_remedy(value: Any) -> str:
    if isinstance(value, str):
        if is_missing_mark(value):
            return "Send null for a missing value."
        if _is_numeric(value):
            return "Send the number without quotes, or null if it is missing."
        return "Send a number, or null if it is missing."
    if isinstance(value, bool):
        return "Send 1 or 0."
    return "Send a number, or null if it is missing."


def _as_level(value: Any, column: Column) -> str:
    levels = column.levels or ()
    for text in _spellings(value):
        if text in levels:
            return text
    if any(level[:1] == "0" and level[1:2].isdigit() for level in levels):
        raise Refusal(f"The values are codes such as {levels[0]!r}: send text in quotes.")
    if type(value) in {int, float} and levels and all(_is_numeric(level) for level in levels):
        return _spellings(value)[0]
    raise Refusal("Send text in quotes, or null if it is missing.")


def _spellings(value: Any) -> list[str]:
    if type(value) is bool:
        return [str(value), str(value).lower(), str(value).upper(), str(int(value))]
    if type(value) is int:
        return [str(value), f"{value}.0"]
    if type(value) is float and value.is_integer():
        return [str(int(value)), str(value)]
    return [str(value)] if type(value) is float and math.isfinite(value) else []


def _is_numeric(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
