"""Column: a table's column as seen in training; schema, signature and requests share this class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.tables._dtypes import Family, family
from penstock.tables._kinds import Kind
from penstock.tables._seconds import from_seconds
from penstock.tables.reading import ReadingRule


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    >>> Column("age", "integer", "Int64", minimum=17, maximum=90).to_json()["maximum"]
    90

    Args:
        name: Column name.
        kind: Meaning of the column for a model.
        dtype: polars type as text, for example ``Int64``; exact for an input of a model.
        nullable: True if a value was missing.
        minimum: Smallest training value, for numbers; for dates and times in seconds since 1970.
        maximum: Largest training value, in the same unit.
        levels: Every category seen in training; None if not a category, or too many to list.
        reading: How the source parsed the column's texts; None if the column held values, not
            texts.
        distinct: Number of distinct values; None where not counted or is meaningless.
    """

    name: str
    kind: Kind
    dtype: str
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    levels: tuple[str, ...] | None = None
    reading: ReadingRule | None = None
    distinct: int | None = None

    @property
    def family(self) -> Family:
        """Family of the column's values."""
        return family(self.dtype)

    @property
    def is_required(self) -> bool:
        """Whether every row must have a value: none was missing in training."""
        return not self.nullable and self.family != "nothing"

    @property
    def is_time(self) -> bool:
        """Whether the column has dates or times."""
        return self.family in {"date", "datetime"}

    @property
    def has_zone(self) -> bool:
        """Whether the column's times have a zone."""
        return "time_zone='" in self.dtype

    def to_json(self) -> dict[str, Any]:
        """Return the column as plain JSON: the facts of a model's input."""
        return {
            "name": self.name,
            "kind": self.kind,
            "dtype": self.dtype,
            "nullable": self.nullable,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "levels": None if self.levels is None else list(self.levels),
            **({} if self.reading is None else {"reading": self.reading.to_json()}),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Column":
        """Read the JSON of ``to_json``."""
        levels, reading = document.get("levels"), document.get("reading")
        return cls(
            name=document["name"],
            kind=document["kind"],
            dtype=document["dtype"],
            nullable=document.get("nullable", False),
            minimum=document.get("minimum"),
            maximum=document.get("maximum"),
            levels=None if levels is None else tuple(levels),
            reading=None if reading is None else ReadingRule.from_json(reading),
        )


def show_limit(column: Column, value: float) -> str:
    """Format a limit of the training values: dates and times in ISO form, numbers in short form.

    >>> show_limit(Column("day", "date", "Date"), 86_400.0)
    '1970-01-02'
    """
    if not column.is_time:
        return show_number(value)
    moment = from_seconds(value)
    return f"{moment:%Y-%m-%d}" if column.family == "date" else f"{moment:%Y-%m-%dT%H:%M:%S}"


def show_number(value: float) -> str:
    """Format a finite number with six digits; whole numbers in full, as far as a float is exact.

    >>> show_number(20_160_630.0), show_number(0.123456789)
    ('20160630', '0.123457')
    """
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else f"{value:.6g}"  # noqa: PLR2004
