"""Columns that are no features, and columns worth a note; a column at a time."""

import re
from typing import TYPE_CHECKING

from penstock.data import Schema
from penstock.scaffolding._notes import ColumnNote
from penstock.tables import Column

if TYPE_CHECKING:
    import polars as pl

_FEW_ROWS = 20
_FEW_LEVELS = 20
_NEARLY_UNIQUE = 0.5
_NEARLY_EMPTY = 0.001
_EXAMPLE = 24
_KEY_NAME = re.compile(
    r"(?:^|[_\s.-])(?:id|uuid|guid|key|ssn|email|phone)$|[a-z](?:Id|ID)$", re.IGNORECASE
)
_SENSITIVE = re.compile(
    r"(?:^|[_\s.-])(?:age|age_?group|sex|gender|race|ethnicity|ethnic_group|religion|nationality"
    r"|native_country|country_of_birth|disability|disabled|marital_status|pregnan\w*)$",
    re.IGNORECASE,
)


def note_left_out(table: "pl.DataFrame", schema: Schema, kept: set[str]) -> list[ColumnNote]:
    """List the columns that a model should not learn from, with the reasons.

    Args:
        table: The rows.
        schema: The table's columns.
        kept: Columns with a special role: target, time, group.
    """
    notes = [_left_out(table[column.name], column) for column in schema if column.name not in kept]
    return [note for note in notes if note is not None]


def note_group(table: "pl.DataFrame", group: str) -> ColumnNote:
    """Return a note on why the group is no feature."""
    count = table[group].n_unique()
    reason = f"the groups ({count:,}): those in the test are new to the model"
    return ColumnNote(group, "group", reason)


def is_sensitive(name: str) -> bool:
    """Check whether a column's name stands for a property that fairness is about.

    >>> is_sensitive("sex"), is_sensitive("age_group"), is_sensitive("page")
    (True, True, False)
    """
    return bool(_SENSITIVE.search(name))


def _left_out(series: "pl.Series", column: Column) -> ColumnNote | None:
    name, rows = column.name, len(series)
    levels = column.distinct or 0
    present = rows - series.null_count()
    if 0 < present <= _NEARLY_EMPTY * rows:
        return ColumnNote(name, "empty", f"a value in only {present:,} of {rows:,} rows")
    match column.kind:
        case "constant" if not levels:
            return ColumnNote(name, "empty", "no value in any row")
        case "constant" if rows > 1:
            return ColumnNote(name, "constant", f"always {_example(series)}")
        case "id":
            return ColumnNote(name, "identifier", _describe_identifier(series))
        case "text":
            return ColumnNote(name, "text", f"free text: {levels:,} different values")
        case "other":
            return ColumnNote(name, "type", f"{column.dtype}: no model can use it as it is")
        case "integer" | "category" if levels > _FEW_LEVELS and _KEY_NAME.search(name):
            reason = f"{levels:,} values; --group {name} keeps each in one subset"
            return ColumnNote(name, "identifier", reason)
        case "category" if rows >= _FEW_ROWS and levels > _NEARLY_UNIQUE * rows:
            return ColumnNote(name, "identifier", f"{levels:,} values in {rows:,} rows")
        case _:
            return None


def _describe_identifier(series: "pl.Series") -> str:
    if not series.dtype.is_integer():
        return "a different value in every row"
    low, high = series.min(), series.max()
    assert isinstance(low, int)
    assert isinstance(high, int)
    if high - low + 1 == len(series):
        return f"a running number, {low} to {high}"
    return "a different number in every row"


def _example(series: "pl.Series") -> str:
    text = repr(series.drop_nulls().first())
    return text if len(text) <= _EXAMPLE else f"{text[:_EXAMPLE]}…"
