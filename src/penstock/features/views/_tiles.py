"""Tiles: contributions of a stretch of time to windows; tiles merge in any order to the same bits."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from penstock.features.views._exact_sums import exact_parts

if TYPE_CHECKING:
    import polars as pl

TILE = "tile"
_MICROSECOND = timedelta(microseconds=1)


def make_tiles(
    events: "pl.DataFrame", keys: Sequence[str], columns: Sequence[str], every: timedelta
) -> "pl.DataFrame":
    """Return the tiles of events: key, start, and by column the parts of sums, counts, minima and maxima.

    Args:
        events: Events with keys, ``event_time`` in UTC and the columns, as Int64 or Float64.
        keys: The key columns.
        columns: Columns that windows aggregate.
        every: Length of a tile; tiles begin at multiples of this length since 1970, in UTC.
    """
    import polars as pl

    width = every // _MICROSECOND
    moments = pl.col("event_time").to_physical()
    start = (moments.floordiv(width) * width).cast(pl.Datetime("us", "UTC")).alias(TILE)
    contributions = []
    for name in columns:
        value = pl.col(name)
        # 0.0 for -0.0: which of them is smaller would depend on the order.
        unsigned = pl.when(value == 0).then(value.abs()).otherwise(value)
        contributions += [
            value.drop_nulls().alias(f"{name}.parts"),
            value.count().cast(pl.Int64).alias(f"{name}.count"),
            unsigned.min().alias(f"{name}.min"),
            unsigned.max().alias(f"{name}.max"),
        ]
    grouped = events.with_columns(start).group_by(*keys, TILE, maintain_order=True)
    return _compact(grouped.agg(contributions), columns)


def merge_tiles(
    first: "pl.DataFrame", second: "pl.DataFrame", keys: Sequence[str], columns: Sequence[str]
) -> "pl.DataFrame":
    """Return the tiles of the events of both; in any order, the same bits.

    Args:
        first: Tiles of some events.
        second: Tiles of further events, with the same columns.
        keys: The key columns.
        columns: Columns that windows aggregate.
    """
    import polars as pl

    added: list[pl.Expr] = []
    for name in columns:
        added += [
            pl.col(f"{name}.parts").explode().drop_nulls(),
            pl.col(f"{name}.count").sum(),
            pl.col(f"{name}.min").min(),
            pl.col(f"{name}.max").max(),
        ]
    both = pl.concat([first, second]).group_by(*keys, TILE, maintain_order=True).agg(added)
    return _compact(both.select(first.columns), columns)


def _compact(tiles: "pl.DataFrame", columns: Sequence[str]) -> "pl.DataFrame":
    """Return tiles with as few parts of sums as possible."""
    import polars as pl

    for name in columns:
        parts = tiles[f"{name}.parts"]
        several = (parts.list.len() > 1).arg_true()
        if len(several):
            added = [_parts(each) for each in parts.gather(several).to_list()]
            new = pl.Series(parts.name, added, dtype=parts.dtype)
            places = pl.int_range(len(parts), eager=True)
            places = places.scatter(several, pl.int_range(len(added), eager=True) + len(parts))
            tiles = tiles.with_columns(pl.concat([parts, new]).gather(places))
    return tiles


def _parts(values: list[Any]) -> list[Any]:
    if isinstance(values[0], float):
        return exact_parts(values)
    whole = sum(values)
    return [whole] if abs(whole) < 2**63 else values  # the column has 64 bits
