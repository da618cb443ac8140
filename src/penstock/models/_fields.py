"""Field: an input column of a model, as seen in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.reading import ReadingRule


@dataclass(frozen=True, slots=True)
class Field:
    """An input column of a model.

    >>> Field("age", "integer", "Int64", minimum=17, maximum=90).to_json()["maximum"]
    90

    Args:
        name: Column name.
        kind: Meaning of the column: number, integer, boolean, category, text, datetime, date,
            constant, id.
        dtype: Exact polars type in training, as text.
        nullable: True if training rows had missing values.
        minimum: Smallest training value, for numbers; for dates and times in seconds since 1970.
        maximum: Largest training value, in the same unit.
        levels: Every category seen in training; None if not a category, or too many to list.
        reading: How the source parsed the column's texts; None if the column held values, not
            texts.
    """

    name: str
    kind: str
    dtype: str
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    levels: tuple[str, ...] | None = None
    reading: ReadingRule | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the field as plain JSON."""
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
    def from_json(cls, document: Mapping[str, Any]) -> "Field":
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
