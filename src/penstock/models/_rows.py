"""RowChecker: rows of JSON to a frame with the exact training types; errors name the field.

Works by column, so that ten thousand rows cost little more per row than a single row does in a
loop.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter, le
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.core import DataError, did_you_mean
from penstock.models._column_checker import ColumnChecker, Warnings
from penstock.models._problems import (
    MAX_FOUND,
    MAX_SHOWN,
    Problem,
    raise_if_any,
    show_type,
    show_value,
)
from penstock.tables import Column, parse_dtype

if TYPE_CHECKING:
    import polars as pl

MAX_ROWS = 100_000  # per request; larger data belongs in a batch run
_MAX_NAME = 60
FEW_ROWS = 32  # with fewer rows polars is faster from rows than from columns
_MOST_KINDS = 64  # rows of a caller have the same types again and again

ExtraFields: TypeAlias = Literal["refuse", "ignore"]


class FewRows:
    """Checked rows of numbers, as a graph takes them; a frame is made where needed.

    Args:
        rows: The values of each row, in the order of the columns.
        frame: Makes the frame that ``RowChecker.check`` returns.
    """

    def __init__(self, rows: list[tuple[Any, ...]], frame: "Callable[[], pl.DataFrame]") -> None:
        self._rows, self._frame = rows, frame

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the values by row, as ``polars.DataFrame.rows``."""
        return self._rows

    def to_numpy(self) -> Any:
        """Return the values as doubles, shape (rows, columns); NaN where a value is missing."""
        import numpy as np

        return np.array(self._rows, dtype=np.float64)

    def __getitem__(self, place: slice) -> "pl.DataFrame":
        return self._frame()[place]


class PlainRows:
    """Rows of numbers that need no reading: each field there, of its type, and in its range.

    These are nearly all rows, so they are checked by a few calls that run in C. A row that is not
    plain says nothing: the checkers of the columns tell what it lacks, or take it with a warning.

    Args:
        names: Names of the columns, at least one.
        checkers: Their checkers.
    """

    def __init__(self, names: Sequence[str], checkers: Sequence[ColumnChecker]) -> None:
        self._count = len(names)
        # Of a single name itemgetter returns the value instead of a tuple.
        self._take = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
        self._plain = [checker.plain for checker in checkers]
        self._lows = [checker.low for checker in checkers]
        self._highs = [checker.high for checker in checkers]
        self._kinds: set[tuple[type, ...]] = set()

    @staticmethod
    def fits(checkers: Sequence[ColumnChecker]) -> bool:
        """Check whether every column has numbers that stay as they are sent."""
        return bool(checkers) and all(
            checker.family in {"number", "integer"} and not checker.is_time for checker in checkers
        )

    def values(self, row: object) -> tuple[Any, ...] | None:
        """Return the values of a row in the order of the columns; None if it is not plain."""
        if type(row) is not dict or len(row) != self._count:
            return None
        try:
            values: tuple[Any, ...] = self._take(row)
        except KeyError:
            return None
        kinds = tuple(map(type, values))
        if kinds not in self._kinds:
            if not all(kind in plain for kind, plain in zip(kinds, self._plain, strict=True)):
                return None
            if len(self._kinds) < _MOST_KINDS:
                self._kinds.add(kinds)
        # NaN is not at least anything. Comparing whole numbers with real ones is exact.
        if all(map(le, self._lows, values)) and all(map(le, values, self._highs)):
            return values
        return None


class RowChecker:
    """A converter of rows to a frame and warnings; raises an error if rows cannot be used.

    Args:
        columns: The model's inputs, in the order of the frame.
        accepts_missing: True if the model predicts rows with a missing value in a column that had
            none in training; then such a value is a warning, otherwise an error.
        ignored: Known fields that the model does not use; they raise a warning.
        extra_fields: Treatment of unknown fields.

    Attributes:
        columns: The checker of each input.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        accepts_missing: bool,
        ignored: frozenset[str] = frozenset(),
        extra_fields: ExtraFields = "refuse",
    ) -> None:
        self._ignored, self._extra_fields = ignored, extra_fields
        self.columns = [
            ColumnChecker.of(column, accepts_missing=accepts_missing) for column in columns
        ]
        self._names = [column.name for column in columns]
        self._known = frozenset(self._names)
        self._required = frozenset(column.name for column in columns if column.is_required)
        self._plain = PlainRows(self._names, self.columns) if PlainRows.fits(self.columns) else None

    def check(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> "tuple[pl.DataFrame, list[tuple[str, ...]]]":
        """Check rows; see Signature.check_rows."""
        plain = self._all_plain(rows)
        if plain is not None:
            return self._frame_of(plain), [()] * len(plain)
        columns, warnings = self._read(rows)
        return self._build(columns, len(rows)), warnings

    def check_few(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> "tuple[FewRows, list[tuple[str, ...]]]":
        """Check a few rows of numbers, without a frame, which costs more than all of the rest."""
        plain = self._all_plain(rows)
        if plain is not None:
            return FewRows(plain, lambda: self._frame_of(plain)), [()] * len(plain)
        columns, warnings = self._read(rows)
        values = list(zip(*columns, strict=True))
        return FewRows(values, lambda: self._build(columns, len(rows))), warnings

    def plain_values(self, row: object) -> tuple[Any, ...] | None:
        """See Signature.plain_values."""
        return None if self._plain is None else self._plain.values(row)

    def _all_plain(self, rows: Sequence[Mapping[str, Any]]) -> "list[tuple[Any, ...]] | None":
        """Return the values of a few rows that are all plain; None if one is not."""
        if (
            self._plain is None
            or not isinstance(rows, list | tuple)
            or not 0 < len(rows) <= FEW_ROWS
        ):
            return None
        values: list[tuple[Any, ...]] = []
        for row in rows:
            plain = self._plain.values(row)
            if plain is None:
                return None
            values.append(plain)
        return values

    def _read(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[list[list[Any]], list[tuple[str, ...]]]:
        """Return the values of each column, with the training types, and each row's warnings."""
        _require_rows(rows)
        warnings: Warnings = {}
        problems = self._check_names(rows, warnings)
        raise_if_any(problems, len(rows))
        columns: list[list[Any]] = []
        for name, checker in zip(self._names, self.columns, strict=True):
            values = [row.get(name) for row in rows]
            columns.append(checker.check(values, problems, warnings))
            if len(problems) >= MAX_FOUND:
                break
        raise_if_any(problems, len(rows))
        by_row = [tuple(warnings[i]) if i in warnings else () for i in range(len(rows))]
        return columns, by_row

    def _check_names(self, rows: Sequence[Mapping[str, Any]], warnings: Warnings) -> list[Problem]:
        problems: list[Problem] = []
        for index, row in enumerate(rows):
            keys = row.keys()
            # The common case costs a single comparison per row.
            if keys == self._known:
                continue
            unknown = sorted(keys - self._known, key=str)
            if unknown:
                unused = [name for name in unknown if self._is_unused(name)]
                if unused:
                    warnings.setdefault(index, []).append(_unused(unused))
                unknown = [name for name in unknown if not self._is_unused(name)]
            absent = [name for name in self._names if name in self._required - keys]
            problems += [self._unknown(index, name) for name in unknown]
            problems += [_absent(index, name) for name in absent]
            if len(problems) >= MAX_FOUND:
                break
        return problems

    def _is_unused(self, name: object) -> bool:
        return name in self._ignored or self._extra_fields == "ignore"

    def _unknown(self, row: int, name: object) -> Problem:
        text = str(name)
        hint = did_you_mean(text, self._known)
        return Problem(row, text, f"{show_value(text)} is not an input of this model", hint)

    @cached_property
    def _schema(self) -> "pl.Schema":
        import polars as pl

        columns = [checker.column for checker in self.columns]
        return pl.Schema({column.name: parse_dtype(column.dtype) for column in columns})

    def _frame_of(self, rows: "Iterable[tuple[Any, ...]]") -> "pl.DataFrame":
        """Make the frame of a few rows."""
        import polars as pl

        whole = [dict(zip(self._names, values, strict=True)) for values in rows]
        return pl.from_dicts(whole, schema=self._schema)

    def _build(self, columns: list[list[Any]], rows: int) -> "pl.DataFrame":
        import polars as pl

        if rows <= FEW_ROWS:
            return self._frame_of(zip(*columns, strict=True))
        return pl.DataFrame(
            [
                pl.Series(name, values, dtype)
                for (name, dtype), values in zip(self._schema.items(), columns, strict=True)
            ]
        )


def _unused(names: Sequence[object]) -> str:
    shown = ", ".join(str(name)[:_MAX_NAME] for name in names[:MAX_SHOWN])
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return f"{shown}{more}: not used by this model."


def _absent(row: int, name: str) -> Problem:
    return Problem(row, name, "is missing", "Add the field; training rows always had it.")


def _require_rows(rows: Any) -> None:
    if not isinstance(rows, list | tuple):
        raise DataError(
            what=f"Rows are {show_type(rows)}.",
            fix='Send a list of rows, each an object: [{"column": value, …}].',
        )
    if not 0 < len(rows) <= MAX_ROWS:
        raise DataError(
            what="There is no row." if not rows else f"There are {len(rows):,} rows.",
            # The maximum is part of the reason because a server may have a lower maximum.
            why=f"One call takes up to {MAX_ROWS:,} rows." if rows else "",
            fix="Send at least one row." if not rows else "Send them in parts.",
        )
    for index, row in enumerate(rows):
        if not isinstance(row, dict | Mapping):  # dict first: the abstract check is slow
            raise DataError(
                what=f"Row {index} is {show_type(row)}.",
                fix='A row is an object of values by column name: {"column": value, …}.',
                row=index,
            )
