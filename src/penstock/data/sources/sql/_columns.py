"""Columns of a relation: type in the database, the expression that is read, and the type here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.core import SchemaError

if TYPE_CHECKING:
    import polars as pl
    from sqlalchemy import ColumnElement, FromClause

    Expression: TypeAlias = ColumnElement[Any]

MomentType: TypeAlias = Literal["aware", "naive", "date"]
"""How a column of times is compared: with a zone, in UTC without a zone, or by day."""


def same(value: Any) -> Any:
    """Return the value: the reading of a column that needs nothing."""
    return value


@dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column of a table or query.

    Args:
        name: Name.
        type: Type in the database, for people.
        moment: How its times are compared; None if the database cannot do that for certain.
        read: The expression that is selected, from the column.
        convert: The values here, from those that the driver gives.
        sort: The expression that orders rows, from the column; equal only for equal values.
    """

    name: str
    type: str
    moment: MomentType | None = None
    read: "Callable[[Expression], Expression]" = same
    convert: "Callable[[pl.Series], pl.Series]" = same
    sort: "Callable[[Expression], Expression]" = same


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or query that rows are read from.

    Args:
        rows: The table, or the query in brackets.
        columns: Its columns in order.
        key: Columns that are different for every row; empty if none are known.
        title: The table or query, for people.
    """

    rows: "FromClause"
    columns: Sequence[SqlColumn]
    key: Sequence[str]
    title: str

    @property
    def names(self) -> list[str]:
        """Names of the columns in order."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> SqlColumn:
        """Return the column of a name."""
        return next(column for column in self.columns if column.name == name)

    def convert(self, table: "pl.DataFrame") -> "pl.DataFrame":
        """Return the values of a batch with the types that they have here."""
        known = {column.name: column.convert for column in self.columns}
        changed = [known[s.name](s) for s in table.iter_columns() if known[s.name] is not same]
        return table.with_columns(changed) if changed else table


def require_distinct(names: Sequence[str], title: str) -> None:
    """Check that no two columns have the same name.

    Raises:
        SchemaError: If two have.
    """
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise SchemaError(
            what=f"{title} has more than one column {twice[0]!r}.",
            why="Columns are told apart by their names.",
            fix=f'Give them names: SELECT a."{twice[0]}" AS …, b."{twice[0]}" AS ….',
            column=twice[0],
        )


def no_such_type(column: str, kind: str, title: str, fix: str = "") -> SchemaError:
    """Return the error of a column whose type has no counterpart here."""
    return SchemaError(
        what=f"Column {column!r} of {title} has the type {kind}, which a snapshot cannot hold.",
        why="Its values would change their meaning.",
        fix=fix
        or f'Cast it in query=: SELECT …, CAST("{column}" AS text) AS "{column}", or leave it out.',
        column=column,
    )


def no_such_values(column: str, rows: int, what: str, title: str, fix: str) -> SchemaError:
    """Return the error of values that have no counterpart here."""
    return SchemaError(
        what=f"Column {column!r} of {title}: {rows:,} {'row holds' if rows == 1 else 'rows hold'} {what}.",
        why="A snapshot cannot hold them, and leaving them out would change the data.",
        fix=fix,
        column=column,
        rows=rows,
    )
