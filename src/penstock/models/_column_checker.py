"""ColumnChecker: the received values of a column to values of the training type, with warnings.

The common case (every value has the plain type and is in range) is a few passes in C.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import NoneType
from typing import Any

from penstock.models._problems import MAX_FOUND, Problem, show_value
from penstock.models._refusal import Refusal
from penstock.models._texts import read_texts
from penstock.models._values import EXPECTED, MAX_TEXT, find_reader, is_missing_mark
from penstock.tables import (
    Column,
    integer_limits,
    number_limits,
    plain_value,
    show_limit,
    show_number,
    to_seconds,
)

_SECONDS = 1e8  # smaller numbers are days such as 20160630
_YEAR_S = 366 * 86_400.0

_PLAIN: dict[str, frozenset[type]] = {
    "number": frozenset({float, int}),
    "integer": frozenset({int}),
    "boolean": frozenset({bool}),
    "text": frozenset({str}),
}

Warnings = dict[int, list[str]]
"""Warnings for the sender, by row."""


@dataclass(frozen=True, slots=True)
class ColumnChecker:
    """The settings for checking a column's values, computed once per model."""

    column: Column
    family: str
    is_required: bool
    is_time: bool
    accepts_missing: bool
    plain: frozenset[type]
    low: float
    high: float
    levels: frozenset[str] | None
    read: Callable[[Any, Column], Any]

    @classmethod
    def of(cls, column: Column, *, accepts_missing: bool) -> "ColumnChecker":
        """Make the checker of a column.

        Args:
            column: An input of the model.
            accepts_missing: True if the model predicts rows with a missing value in a column that
                had none in training.
        """
        family = column.family
        low, high = _range(column)
        # Enum columns cannot hold a new category at all; in any other column a new category is a
        # warning.
        watched = column.levels is not None and (column.kind == "category" or family == "enum")
        return cls(
            column=column,
            family=family,
            is_required=column.is_required,
            is_time=column.is_time,
            accepts_missing=accepts_missing,
            plain=_PLAIN.get(family, frozenset()),
            low=low,
            high=high,
            levels=frozenset(column.levels or ()) if watched else None,
            read=find_reader(column),
        )

    def check(self, values: list[Any], problems: list[Problem], warnings: Warnings) -> list[Any]:
        """Return the values in the column's training type; add to problems and warnings."""
        types = set(map(type, values))
        if self.column.reading is not None and (str in types or self.is_time):
            values = read_texts(values, self.column, self.levels)
            types = set(map(type, values))
        if NoneType in types:
            types.discard(NoneType)
            if self.is_required:
                self._check_missing(values, problems, warnings)
        if not types <= self.plain or not self._is_fine(values):
            # Kept for the warnings about the form sent, which reading loses.
            sent = values
            values = self._read(values, problems)
            self._warn(values, warnings)
            if self.is_time:
                self._warn_times(sent, values, warnings)
        if self.family == "nothing" and types:
            self._warn_unused(values, warnings)
            return [None] * len(values)
        return values

    def _is_fine(self, values: list[Any]) -> bool:
        """Check whether plain values can be used unread: in range, known, of usual length."""
        match self.family:
            case "number" | "integer":
                low, high = self.low, self.high
                return all(v is None or low <= v <= high for v in values)
            case "text":
                if self.levels is not None:
                    return self.levels.issuperset(v for v in values if v is not None)
                return all(v is None or (v.isascii() and len(v) <= MAX_TEXT) for v in values)
            case _:
                return True

    def _read(self, values: list[Any], problems: list[Problem]) -> list[Any]:
        column, read = self.column, self.read
        values_read: list[Any] = []
        for index, value in enumerate(values):
            if value is None:
                values_read.append(None)
                continue
            try:
                values_read.append(read(plain_value(value), column))
            except Refusal as refusal:
                values_read.append(None)
                message = f"is {show_value(value)}, not {EXPECTED[self.family]}"
                fix = _remedy(value, column, refusal)
                problems.append(Problem(index, column.name, message, fix))
                if len(problems) >= MAX_FOUND:
                    break
        return values_read

    def _check_missing(
        self, values: list[Any], problems: list[Problem], warnings: Warnings
    ) -> None:
        name = self.column.name
        for index, value in enumerate(values):
            if value is not None:
                continue
            if self.accepts_missing:
                text = f"{name}: is missing, though it never was in training."
                warnings.setdefault(index, []).append(text)
            else:
                fix = f"Send {EXPECTED[self.family]}; it was never missing in training."
                problems.append(Problem(index, name, "is null", fix))

    def _warn(self, values: list[Any], warnings: Warnings) -> None:
        name = self.column.name
        if self.family in {"number", "integer"}:
            for index, value in enumerate(values):
                if value is not None and not self.low <= value <= self.high:
                    span = f"{show_number(self.low)} to {show_number(self.high)}"
                    text = f"{name}: {show_number(value)} is outside the training range {span}."
                    warnings.setdefault(index, []).append(text)
        elif self.levels is not None:
            for index, value in enumerate(values):
                if value is not None and value not in self.levels:
                    warnings.setdefault(index, []).append(_new_level(name, value))
                    if self.family == "enum":
                        values[index] = None

    def _warn_times(self, sent: Sequence[Any], values: Sequence[Any], warnings: Warnings) -> None:
        """Warn of times far from the training range, and of assumed time zones."""
        column = self.column
        for index, (received, value) in enumerate(zip(sent, values, strict=False)):
            if value is None:
                continue
            texts = self._zone_warnings(received)
            if not self.low <= to_seconds(value) <= self.high:
                assert column.minimum is not None
                assert column.maximum is not None
                low, high = show_limit(column, column.minimum), show_limit(column, column.maximum)
                texts.append(
                    f"{value.isoformat()} is far outside the training range {low} to {high}."
                )
            if texts:
                warnings.setdefault(index, []).extend(f"{column.name}: {text}" for text in texts)

    def _zone_warnings(self, received: Any) -> list[str]:
        if self.family != "datetime":
            return []
        number, has_zone = (
            type(received) in {int, float} and received > _SECONDS,
            self.column.has_zone,
        )
        if number and not has_zone:
            return ["seconds since 1970 are read in UTC; training times have no offset."]
        if has_zone and not number and _is_naive(received):
            return ["has no offset; it is read in UTC."]
        return []

    def _warn_unused(self, values: list[Any], warnings: Warnings) -> None:
        text = f"{self.column.name}: was empty in training, so its value is not used."
        for index in range(len(values)):
            warnings.setdefault(index, []).append(text)


def _range(column: Column) -> tuple[float, float]:
    """Return the smallest and largest value that raises no warning."""
    family, dtype = column.family, column.dtype
    low, high = integer_limits(dtype) if family == "integer" else number_limits(dtype)
    minimum, maximum = column.minimum, column.maximum
    if column.is_time and minimum is not None and maximum is not None:
        # Requests are newer than training rows by nature: only distant times are worth a warning.
        margin = max(maximum - minimum, _YEAR_S)
        return minimum - margin, maximum + margin
    # New ids are always out of range.
    if column.kind == "id" or family not in {"number", "integer"}:
        return low, high
    return (low if minimum is None else minimum), (high if maximum is None else maximum)


def _remedy(value: Any, column: Column, refusal: Refusal) -> str:
    rule = column.reading
    if isinstance(value, str) and rule is not None and rule.type != "text" and not rule.is_time:
        return f"The source's texts are {rule.words}; send one like them, or null if it is missing."
    return str(refusal)


def _new_level(name: str, value: str) -> str:
    hint = " If it marks a missing value, send null." if is_missing_mark(value) else ""
    return f"{name}: {show_value(value)} was not seen in training.{hint}"


def _is_naive(value: Any) -> bool:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return False
    return isinstance(value, date) and getattr(value, "tzinfo", None) is None
