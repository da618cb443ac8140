"""Windows: sums, counts, means and ends over the last hour or month, at regular times, exact.

A window of length L at time t has the events with t - L <= event_time < t. Values are read at
multiples of ``every``, and made of tiles of that length: a batch over all events, and a stream that
merges tiles as events arrive, late ones too, end in the same bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from penstock.core import DefinitionError, SchemaError, parse_duration, require_choice
from penstock.features.views._entity import Entity
from penstock.features.views._fold import in_order
from penstock.features.views._rows import read_keys, read_moments
from penstock.features.views._tiles import TILE, make_tiles, merge_tiles
from penstock.features.views._window_values import Ends, WindowValues
from penstock.tables import columns_of

if TYPE_CHECKING:
    import polars as pl

Aggregate: TypeAlias = Literal["count", "sum", "mean", "min", "max"]
AGGREGATES: tuple[Aggregate, ...] = ("count", "sum", "mean", "min", "max")
_MICROSECOND = timedelta(microseconds=1)


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
        entity: Owner of the events.
        features: Aggregates by feature name.
        every: Distance of the times at which windows are read; windows as long as this tumble,
            longer ones slide. Times are multiples of this since 1970, in UTC.
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
        """Return the contributions of events, by key and stretch of time.

        Args:
            events: A polars or pandas frame with keys, times with a zone, and the columns.

        Raises:
            SchemaError: If a column is missing or holds no numbers, or times have no zone.
            DataError: If a key or time is null.
        """
        import polars as pl

        columns = {column.name: column for column in columns_of(events)}
        keys = read_keys(self.entity, columns, "windows")
        moments = read_moments(columns, self.event_time, "windows").rename("event_time")
        values = [_numbers(columns, name) for name in self.columns]
        table = pl.DataFrame([*keys, moments, *values])
        every = cast("timedelta", self.every)
        return make_tiles(table, self.entity.key_columns, self.columns, every)

    def merge(self, first: "pl.DataFrame", second: "pl.DataFrame") -> "pl.DataFrame":
        """Return the tiles of both; the same bits in any order and grouping.

        Args:
            first: Tiles of some events.
            second: Tiles of further events; no event may be in both.
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

        ordered = in_order(tiles, [*self.entity.key_columns, TILE])
        spans = [
            (each.column, each.aggregate, cast("timedelta", each.length) // _MICROSECOND)
            for each in self.features.values()
        ]
        values = WindowValues(ordered, self.entity.key_columns, self.columns)
        every = cast("timedelta", self.every) // _MICROSECOND
        ends = Ends(every, {span for *_, span in spans}, _micros(after), _micros(until))
        owners, moments, aggregates = values.of(spans, ends, changed)
        names = zip(self.features, aggregates, strict=True)
        return pl.DataFrame(
            [
                *ordered.select(self.entity.key_columns)[owners],
                pl.Series("event_time", moments, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
                *(
                    pl.Series(name, column, dtype=self._dtype(self.features[name], tiles))
                    for name, column in names
                ),
            ]
        )

    def _dtype(self, feature: WindowFeature, tiles: "pl.DataFrame") -> "pl.DataType":
        import polars as pl

        if feature.aggregate == "count":
            return pl.Int64()
        if feature.aggregate == "mean":
            return pl.Float64()
        return tiles.schema[f"{feature.column}.min"]


def _numbers(columns: "dict[str, pl.Series]", name: str) -> "pl.Series":
    import polars as pl

    column = columns.get(name)
    if column is None or not column.dtype.is_numeric() or column.dtype.is_decimal():
        raise SchemaError(
            what=f"Column {name!r} of the events is {'missing' if column is None else column.dtype}.",
            why="Windows aggregate integers and floats.",
            fix="Convert the column.",
            column=name,
        )
    return column.cast(pl.Int64 if column.dtype.is_integer() else pl.Float64)


def _micros(moment: datetime | None) -> int | None:
    import polars as pl

    if moment is None:
        return None
    return int(pl.Series([moment]).dt.cast_time_unit("us").to_physical()[0])
