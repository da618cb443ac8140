"""RowChecker: rows of JSON to a frame with the exact training types; errors name the field.

Works by column, so that ten thousand rows cost little more per row than a single row does in a
loop.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
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

ExtraFields: TypeAlias = Literal["refuse", "ignore"]


class FewRows:
    """Checked rows of numbers, as a graph takes them; a frame is made where needed.

    Args:
        columns: The values of each column.
        frame: Makes the frame that ``RowChecker.check`` returns.
    """

    def __init__(self, columns: list[list[Any]], frame: "Callable[[], pl.DataFrame]") -> None:
        self._rows, self._frame = list(zip(*columns, strict=True)), frame

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

    def check(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> "tuple[pl.DataFrame, list[tuple[str, ...]]]":
        """Check rows; see Signature.check_rows."""
        columns, warnings = self._read(rows)
        return self._build(columns, len(rows)), warnings

    def check_few(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> "tuple[FewRows, list[tuple[str, ...]]]":
        """Check a few rows of numbers, without a frame, which costs more than all of the rest."""
        columns, warnings = self._read(rows)
        return FewRows(columns, lambda: self._build(columns, len(rows))), warnings

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

    def _build(self, columns: list[list[Any]], rows: int) -> "pl.DataFrame":
        import polars as pl

        if rows <= FEW_ROWS:
            whole = [
                dict(zip(self._names, values, strict=True)) for values in zip(*columns, strict=True)
            ]
            return pl.from_dicts(whole, schema=self._schema)
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
