"""Values of windows, from tiles in order of key and time: which windows to write, and their values."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.features.views._exact_sums import exact_mean, exact_sum
from penstock.features.views._tiles import TILE

if TYPE_CHECKING:
    import polars as pl

_LARGEST = 2**63 - 1
_GROUP = "__group"


@dataclass(frozen=True, slots=True)
class Ends:
    """Which windows to write, in microseconds since 1970.

    Args:
        every: Length of a tile.
        spans: Lengths of the windows.
        after: Only windows that end later, or are changed.
        until: Only windows that end then or before.
    """

    every: int
    spans: set[int]
    after: int | None
    until: int | None

    def of(self, starts: Sequence[int], late: Iterable[int]) -> list[int]:
        """Return the ends of a key's windows, in order: whenever a window gains or loses a tile.

        Args:
            starts: Starts of the key's tiles.
            late: Starts of tiles with late events: all windows that have them are written, and the
                first ones without them.
        """
        shifts = [self.every, *(span + self.every for span in self.spans)]
        ends = sorted({start + shift for start in starts for shift in shifts})
        if self.until is not None:
            ends = ends[: bisect_right(ends, self.until)]
        if self.after is None:
            return ends
        longest = max(self.spans)
        new = bisect_right(ends, self.after)
        touched = {
            place
            for start in late
            for place in range(
                bisect_left(ends, start + self.every, 0, new),
                bisect_right(ends, start + longest + self.every, 0, new),
            )
        }
        return [ends[place] for place in sorted(touched)] + ends[new:]


class WindowValues:
    """The tiles of all keys as lists, for binary searches and sums of slices.

    Args:
        tiles: Tiles in order of keys and time.
        keys: The key columns.
        columns: The aggregated columns.
    """

    def __init__(self, tiles: "pl.DataFrame", keys: Sequence[str], columns: Sequence[str]) -> None:
        self._tiles, self._keys = tiles, list(keys)
        self._starts: list[int] = tiles[TILE].to_physical().to_list()
        self._columns = {name: _Column(tiles, name) for name in columns}

    def of(
        self,
        features: Sequence[tuple[str, str, int]],
        ends: Ends,
        changed: "pl.DataFrame | None",
    ) -> tuple[list[int], list[int], list[list[Any]]]:
        """Return for each window a place of the key, the end, and the values by feature.

        Args:
            features: Column, aggregate and length of each feature.
            ends: Which windows to write.
            changed: Tiles with late events.
        """
        late = self._late(changed)
        owners: list[int] = []
        moments: list[int] = []
        aggregates: list[list[Any]] = [[] for _ in features]
        for number, (low, high) in enumerate(self._groups()):
            own = ends.of(self._starts[low:high], late.get(number, ()))
            owners += [low] * len(own)
            moments += own
            for values, (column, aggregate, span) in zip(aggregates, features, strict=True):
                read = self._columns[column].read
                for end in own:
                    last = bisect_right(self._starts, end - ends.every, low, high)
                    first = bisect_left(self._starts, end - span, low, last)
                    values.append(read(aggregate, first, last))
        return owners, moments, aggregates

    def _groups(self) -> list[tuple[int, int]]:
        import polars as pl

        if self._tiles.is_empty():
            return []
        differs = (pl.col(name).ne_missing(pl.col(name).shift()) for name in self._keys)
        lows = self._tiles.select(pl.any_horizontal(differs).arg_true()).to_series().to_list()
        return list(zip(lows, [*lows[1:], self._tiles.height], strict=True))

    def _late(self, changed: "pl.DataFrame | None") -> dict[int, list[int]]:
        if changed is None:
            return {}
        groups = self._tiles.select(self._keys).unique(maintain_order=True).with_row_index(_GROUP)
        placed = changed.select(*self._keys, TILE).join(groups, on=self._keys)
        late: dict[int, list[int]] = {}
        for group, start in placed.select(_GROUP, placed[TILE].to_physical()).iter_rows():
            late.setdefault(group, []).append(start)
        return late


class _Column:
    """A column of all tiles: parts of sums in a single list, counts as running totals."""

    def __init__(self, tiles: "pl.DataFrame", name: str) -> None:
        parts = tiles[f"{name}.parts"]
        self._parts = [part for each in parts.to_list() for part in each]
        self._ends = [0, *accumulate(parts.list.len().to_list())]
        self._counts = [0, *accumulate(tiles[f"{name}.count"].to_list())]
        self._extremes = {end: tiles[f"{name}.{end}"].to_list() for end in ("min", "max")}
        self._is_whole = tiles.schema[f"{name}.min"].is_integer()

    def read(self, aggregate: str, first: int, last: int) -> Any:
        """Return an aggregate of a slice of the tiles."""
        count = self._counts[last] - self._counts[first]
        if aggregate == "count":
            return count
        parts = self._parts[self._ends[first] : self._ends[last]]
        if aggregate == "sum":
            return _whole(sum(parts)) if self._is_whole else exact_sum(parts)
        if not count:
            return None
        if aggregate == "mean":
            return sum(parts) / count if self._is_whole else exact_mean(parts, count)
        # Ends of polars pass over NaN; sums keep it.
        if any(part != part for part in parts):  # noqa: PLR0124 - NaN alone differs from itself
            return math.nan
        present = [each for each in self._extremes[aggregate][first:last] if each is not None]
        return min(present) if aggregate == "min" else max(present)


def _whole(number: int) -> int:
    if abs(number) > _LARGEST:
        raise DataError(
            what=f"A window's sum is {number}.",
            why="It does not fit into 64 bits.",
            fix="Aggregate the column as Float64.",
        )
    return number
