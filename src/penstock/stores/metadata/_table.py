"""Table: a table's columns as rows are copied, read from the definitions of the tables."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.stores.metadata._schema import metadata


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns, without a number that the database assigns.

    Args:
        name: The table.
        columns: Names of the columns.
        given: Whether the table has such a number.
        flags: Positions of the columns that are true or false; SQLite returns 1 or 0 for them.
    """

    name: str
    columns: tuple[str, ...]
    given: bool
    flags: tuple[int, ...]

    @property
    def listed(self) -> str:
        """The columns as SQL."""
        return ", ".join(f'"{column}"' for column in self.columns)

    @property
    def insert(self) -> str:
        """The statement that inserts a row."""
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.name} ({self.listed}) VALUES ({marks})"

    def read(self, rows: Sequence[Any]) -> list[Any]:
        """Return rows in a form that every database accepts."""
        if not self.flags:
            return list(rows)
        return [
            tuple(bool(v) if place in self.flags else v for place, v in enumerate(row))
            for row in rows
        ]

    def place(self, column: str) -> int:
        """Return the position of a column in a row."""
        return self.columns.index(column)


def tables() -> dict[str, Table]:
    """Read the tables from their definitions."""
    by_name = {}
    for table in metadata.sorted_tables:
        has_id = next(iter(table.columns)).name == "id"
        columns = list(table.columns)[1 if has_id else 0 :]
        flags = [place for place, c in enumerate(columns) if c.type.python_type is bool]
        names = tuple(column.name for column in columns)
        by_name[table.name] = Table(table.name, names, has_id, tuple(flags))
    return by_name
