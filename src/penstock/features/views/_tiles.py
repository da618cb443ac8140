"""Tiles: what a stretch of time contributes to windows; tiles merge in any order to the same bits."""

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
    """Return the tiles of events: key, start, and by column what sums and ends need.

    Args:
        events: Events with keys, ``event_time`` in UTC and the columns, as Int64 or Float64.
        keys: The key columns.
        columns: Columns that windows aggregate.
        every: Length of a tile; tiles begin at multiples of it since 1970, in UTC.
    """
    import polars as pl

    width = every // _MICROSECOND
    moments = pl.col("event_time").to_physical()
    start = (moments.floordiv(width) * width).cast(pl.Datetime("us", "UTC")).alias(TILE)
    values = [pl.col(name).drop_nulls().alias(f"{name}.parts") for name in columns]
    grouped = events.with_columns(start).group_by(*keys, TILE, maintain_order=True).agg(values)
    counts = [
        pl.col(f"{name}.parts").list.len().cast(pl.Int64).alias(f"{name}.count") for name in columns
    ]
    ends = [
        getattr(_without_sign(pl.col(f"{name}.parts")).list, end)().alias(f"{name}.{end}")
        for name in columns
        for end in ("min", "max")
    ]
    return _compact(grouped.with_columns(*counts, *ends), columns)


def merge_tiles(
    first: "pl.DataFrame", second: "pl.DataFrame", keys: Sequence[str], columns: Sequence[str]
) -> "pl.DataFrame":
    """Return the tiles of the events of both; in any order, the same bits.

    Args:
        first: Tiles of some events.
        second: Tiles of other events, with the same columns.
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


def _without_sign(lists: "pl.Expr") -> "pl.Expr":
    """Return lists with 0.0 for -0.0: which of them is smaller would depend on the order."""
    import polars as pl

    zero = pl.when(pl.element() == 0).then(pl.element().abs()).otherwise(pl.element())
    return lists.list.eval(zero)


def _compact(tiles: "pl.DataFrame", columns: Sequence[str]) -> "pl.DataFrame":
    import polars as pl

    for name in columns:
        parts = tiles[f"{name}.parts"]
        assert isinstance(parts.dtype, pl.List)
        whole = pl.Series(parts.name, [_parts(each) for each in parts.to_list()], dtype=parts.dtype)
        tiles = tiles.with_columns(whole)
    return tiles.sort(TILE)


def _parts(values: list[Any]) -> list[Any]:
    if len(values) < 2:  # noqa: PLR2004 - a single value is its sum
        return values
    if isinstance(values[0], float):
        return exact_parts(values)
    whole = sum(values)
    return [whole] if abs(whole) < 2**63 else values  # the column has 64 bits
