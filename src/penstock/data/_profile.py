"""TableProfile: the distribution of each column's values, frozen as the reference for drift.

Numbers: moments, 21 quantiles, and counts in at most 10 bins cut at the values' own quantiles.
Times: the same, in seconds since 1970 (UTC). Texts and booleans: the 50 most frequent values.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from penstock.data._dependence import Dependence
from penstock.tables import Column, Kind


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """The distribution of a column's values.

    Args:
        kind: As in Schema.
        rows: Number of values, missing ones included.
        missing: Number of values that are null or not a number.
        infinite: Number of infinite values; they count in the outer bins but not in the statistics.
        unique: Number of distinct values that are not missing.
        mean: Mean of numbers and times; share of true for booleans.
        std: Standard deviation (divisor n).
        min: Smallest finite value.
        max: Largest finite value.
        quantiles: 21 values at 0, 5, …, 100 %; empty for texts.
        edges: Bin borders e0 < … < ek: bin 1 holds x <= e1, bin i holds e(i-1) < x <= ei, bin k
            holds x > e(k-1); empty for texts.
        counts: Values by bin.
        top: The most frequent texts (or integers and booleans as text) with their counts, the most
            frequent first and equal counts by name; at most 50.
        other: Values that are not in ``top``; 0 where there is no ``top``.
        dependence: Dependence between the rows in the table's order; None in profiles from before
            this was recorded, and where values are not compared.
        sample: Number of rows that mean, std, quantiles, edges, levels and unique are estimated
            from; 0 if they are exact. Counts, min and max always are.
    """

    kind: Kind
    rows: int
    missing: int
    infinite: int = 0
    unique: int = 0
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    quantiles: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    top: tuple[tuple[str, int], ...] = ()
    other: int = 0
    dependence: Dependence | None = None
    sample: int = 0

    def describe(self, column: Column) -> Column:
        """Return a column with limits and categories."""
        levels = None
        # With a shortened list, known categories would count as never seen.
        if column.kind in {"category", "boolean"} and len(self.top) == self.unique:
            levels = tuple(sorted(text for text, _ in self.top))
        return replace(
            column,
            nullable=column.nullable or self.missing > 0,
            minimum=self.min,
            maximum=self.max,
            levels=levels,
        )


@dataclass(frozen=True, slots=True)
class TableProfile:
    """The profiles of a table's columns by name, in order."""

    rows: int
    columns: Mapping[str, ColumnProfile]

    def describe(self, columns: Iterable[Column]) -> tuple[Column, ...]:
        """Return the columns that have a profile, with their limits and categories.

        Args:
            columns: Columns of the table, for example a Schema.
        """
        return tuple(
            self.columns[column.name].describe(column)
            for column in columns
            if column.name in self.columns
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for storing."""
        return {
            "rows": self.rows,
            "columns": [{"name": name, **asdict(column)} for name, column in self.columns.items()],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Create a profile from the result of to_json."""
        columns = {}
        for stored in value["columns"]:
            facts = {key: item for key, item in stored.items() if key != "name"}
            for key in ("quantiles", "edges", "counts"):
                facts[key] = tuple(facts[key])
            facts["top"] = tuple((str(text), int(count)) for text, count in facts["top"])
            dependence = facts.get("dependence")
            facts["dependence"] = Dependence(**dependence) if dependence else None
            columns[stored["name"]] = ColumnProfile(**facts)
        return cls(value["rows"], columns)
