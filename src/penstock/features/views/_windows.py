"""Windows: sums, counts, means and ends over the last hour or month, at regular times, exact.

A window of length L at time t has the events with t - L <= event_time < t. It is read at multiples
of ``every``, and made of tiles of that length: a batch over all events, and a stream that merges
tiles as events arrive, late ones too, end in the same bits.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from penstock.core import DataError, DefinitionError, SchemaError, parse_duration, require_choice
from penstock.features.views._entity import Entity
from penstock.features.views._exact_sums import exact_mean, exact_sum
from penstock.features.views._rows import read_keys, read_moments
from penstock.features.views._tiles import TILE, make_tiles, merge_tiles
from penstock.tables import columns_of

if TYPE_CHECKING:
    import polars as pl

Aggregate: TypeAlias = Literal["count", "sum", "mean", "min", "max"]
AGGREGATES: tuple[Aggregate, ...] = ("count", "sum", "mean", "min", "max")
_MICROSECOND = timedelta(microseconds=1)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class WindowFeature:
    """An aggregate of a column over a window.

    >>> WindowFeature("amount", "sum", "1d").length
    datetime.timedelta(days=1)

    Args:
        column: Column of the events; integers or floats.
        aggregate: ``count`` (of values that are not null), ``sum`` (0 of none), ``mean``, ``min``
            or ``max`` (null of none).
        length: Length of the window; a multiple of the windows' ``every``.
    """

    column: str
    aggregate: Aggregate
    length: timedelta | str

    def __post_init__(self) -> None:
        require_choice("aggregate", self.aggregate, AGGREGATES)
        object.__setattr__(self, "length", parse_duration(self.length))


@dataclass(frozen=True, slots=True)
class Windows:
    """Aggregates of an entity's events, at regular times.

    >>> import polars as pl
    >>> from datetime import UTC, datetime
    >>> card = Entity("card", {"card_id": pl.Int64})
    >>> windows = Windows(card, {"spent_1d": WindowFeature("amount", "sum", "1d")}, every="1d")
    >>> noon = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2)]
    >>> events = pl.DataFrame({"card_id": 7, "event_time": noon, "amount": [1.5, 2.0]})
    >>> windows.rows(windows.tiles(events))["spent_1d"].to_list()
    [1.5, 2.0, 0.0]

    Args:
        entity: What the events belong to.
        features: Aggregates by feature name.
        every: Distance of the times at which windows are read; windows as long as this tumble,
            longer ones slide. Times are multiples of it since 1970, in UTC.
        event_time: Column of the events with their time.

    Raises:
        DefinitionError: If a length is no multiple of ``every``.
    """

    entity: Entity
    features: Mapping[str, WindowFeature] = field(hash=False)
    every: timedelta | str = field(kw_only=True)
    event_time: str = field(default="event_time", kw_only=True)

    def __post_init__(self) -> None:
        every = parse_duration(self.every)
        object.__setattr__(self, "every", every)
        object.__setattr__(self, "features", dict(self.features))
        for name, feature in self.features.items():
            length = cast("timedelta", feature.length)
            if every <= timedelta(0) or length < every or length % every:
                raise DefinitionError(
                    what=f"Feature {name!r} has windows of {length}, read every {every}.",
                    why="Windows are made of tiles of that length.",
                    fix="Give lengths that are multiples of every=.",
                )

    @property
    def columns(self) -> list[str]:
        """Columns of the events that are aggregated."""
        return list(dict.fromkeys(each.column for each in self.features.values()))

    def tiles(self, events: object) -> "pl.DataFrame":
        """Return what events contribute, by key and stretch of time.

        Args:
            events: A polars or pandas frame with keys, times with a zone, and the columns.

        Raises:
            SchemaError: If a column is missing or holds no numbers, or times have no zone.
            DataError: If a key or time is null.
        """
        import polars as pl

        given = {column.name: column for column in columns_of(events)}
        keys = read_keys(self.entity, given, "windows")
        moments = read_moments(given, self.event_time, "windows").rename("event_time")
        values = [_numbers(given, name) for name in self.columns]
        table = pl.DataFrame([*keys, moments, *values])
        every = cast("timedelta", self.every)
        return make_tiles(table, self.entity.key_columns, self.columns, every)

    def merge(self, first: "pl.DataFrame", second: "pl.DataFrame") -> "pl.DataFrame":
        """Return the tiles of both; the same bits in any order and grouping.

        Args:
            first: Tiles of some events; none of them may be in the other.
            second: Tiles of other events.
        """
        return merge_tiles(first, second, self.entity.key_columns, self.columns)

    def rows(
        self,
        tiles: "pl.DataFrame",
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        changed: "pl.DataFrame | None" = None,
    ) -> "pl.DataFrame":
        """Return the rows of the feature view: a row when a window gains or loses a tile.

        A stream writes after each watermark ``rows(tiles, after=last, until=watermark)``; with
        ``changed=``, the tiles of late events, also the windows that these correct. A correction has
        the same ``event_time`` and becomes known later.

        Args:
            tiles: All tiles so far.
            after: Only windows that end after this time, or are changed.
            until: Only windows that end at this time or before: the watermark.
            changed: Tiles with late events.

        Returns:
            Keys, ``event_time`` (the end of the windows) and the features.
        """
        import polars as pl

        keys = list(self.entity.key_columns)
        late: dict[Any, list[int]] = {}
        if changed is not None:
            late = {
                key: _starts(part) for key, part in changed.partition_by(keys, as_dict=True).items()
            }
        limits = _micros(after), _micros(until)
        found: list[tuple[Any, ...]] = []
        for key, part in (
            tiles.sort(TILE).partition_by(keys, as_dict=True, maintain_order=True).items()
        ):
            series = _KeyTiles(part, self)
            ends = series.ends(limits, late.get(key, []))
            found += [(*key, end, *series.values(end)) for end in ends]
        kinds = {name: self._dtype(each, tiles) for name, each in self.features.items()}
        schema = {**self.entity.dtypes, "event_time": pl.Int64(), **kinds}
        rows = pl.DataFrame(found, schema=schema, orient="row")
        return rows.with_columns(pl.col("event_time").cast(pl.Datetime("us", "UTC")))

    def _dtype(self, feature: WindowFeature, tiles: "pl.DataFrame") -> "pl.DataType":
        import polars as pl

        if feature.aggregate == "count":
            return pl.Int64()
        if feature.aggregate == "mean":
            return pl.Float64()
        return tiles.schema[f"{feature.column}.min"]


class _KeyTiles:
    """The tiles of a key, in order of time."""

    def __init__(self, part: "pl.DataFrame", windows: Windows) -> None:
        self._starts = _starts(part)
        self._columns = {
            name: {
                each: part[f"{name}.{each}"].to_list() for each in ("parts", "count", "min", "max")
            }
            for name in windows.columns
        }
        self._every = cast("timedelta", windows.every) // _MICROSECOND
        self._features = [
            (each.column, each.aggregate, cast("timedelta", each.length) // _MICROSECOND)
            for each in windows.features.values()
        ]
        self._lengths = {length for *_, length in self._features}

    def ends(self, limits: tuple[int | None, int | None], late: Sequence[int]) -> list[int]:
        """Return the ends of windows to write, in order."""
        after, until = limits
        ends = sorted({end for start in self._starts for end in self._turns(start)})
        longest = max(self._lengths)
        touched = {
            end
            for start in late
            for end in ends[
                bisect_left(ends, start + self._every) : bisect_right(
                    ends, start + longest + self._every
                )
            ]
        }
        return [
            end
            for end in ends
            if (until is None or end <= until) and (after is None or end > after or end in touched)
        ]

    def _turns(self, start: int) -> Iterator[int]:
        """Yield the ends at which a tile enters the windows, and at which it has left each."""
        yield start + self._every
        for length in self._lengths:
            yield start + length + self._every

    def values(self, end: int) -> list[Any]:
        """Return the features of the windows that end at a time."""
        last = bisect_right(self._starts, end - self._every)
        return [
            _aggregate(
                self._columns[column], aggregate, bisect_left(self._starts, end - length), last
            )
            for column, aggregate, length in self._features
        ]


def _aggregate(column: dict[str, list[Any]], aggregate: str, first: int, last: int) -> Any:
    count = sum(column["count"][first:last])
    if aggregate == "count":
        return count
    parts = [part for each in column["parts"][first:last] for part in each]
    if not count and aggregate != "sum":
        return None
    if aggregate in {"min", "max"}:
        present = [each for each in column[aggregate][first:last] if each is not None]
        # Ends of polars pass over NaN; sums keep it.
        has_nan = any(part != part for part in parts)  # noqa: PLR0124 - NaN alone does
        return math.nan if has_nan else min(present) if aggregate == "min" else max(present)
    if parts and isinstance(parts[0], int):
        return sum(parts) / count if aggregate == "mean" else _whole(sum(parts))
    return exact_mean(parts, count) if aggregate == "mean" else exact_sum(parts)


def _whole(number: int) -> int:
    if abs(number) > _LARGEST:
        raise DataError(
            what=f"A window's sum is {number}.",
            why="It does not fit into 64 bits.",
            fix="Aggregate the column as Float64.",
        )
    return number


def _numbers(given: "dict[str, pl.Series]", name: str) -> "pl.Series":
    import polars as pl

    column = given.get(name)
    if column is None or not column.dtype.is_numeric() or column.dtype.is_decimal():
        raise SchemaError(
            what=f"Column {name!r} of the events is {'missing' if column is None else column.dtype}.",
            why="Windows aggregate integers and floats.",
            fix="Convert it before.",
            column=name,
        )
    return column.cast(pl.Int64 if column.dtype.is_integer() else pl.Float64)


def _starts(part: "pl.DataFrame") -> list[int]:
    return part[TILE].to_physical().to_list()


def _micros(moment: datetime | None) -> int | None:
    import polars as pl

    if moment is None:
        return None
    return int(pl.Series([moment]).dt.cast_time_unit("us").to_physical()[0])
