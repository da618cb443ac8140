"""The window as a condition for readers of typed tables: for speed; ``ingest`` is the truth."""

from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.data._moments import as_moments, has_zone
from penstock.data.sources._window import Window

if TYPE_CHECKING:
    import polars as pl


def row_filter(window: Window, schema: "pl.Schema") -> "pl.Expr | None":
    """Return the condition of rows that can lie in a window; None if any row can.

    A row without a time passes, so that ``ingest`` counts it.
    """
    import polars as pl

    name = window.time
    if not window.is_limited or not isinstance(name, str) or not _is_time(schema, name):
        return None
    moment = pl.col(name)
    if has_zone(schema[name]):
        moment = moment.dt.convert_time_zone("UTC")
    else:
        moment = moment.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    inside = pl.lit(value=True)
    if window.since is not None:
        inside &= moment >= pl.lit(window.since)
    if window.cutoff is not None:
        inside &= moment < pl.lit(window.cutoff)
    return inside | pl.col(name).is_null()


def overlaps(
    window: Window,
    least: "pl.Series",
    most: "pl.Series",
    kind: "pl.DataType",
    coarse: timedelta = timedelta(0),
) -> "pl.Series":
    """Return for each part of a table whether it can have rows of a window.

    Args:
        window: The window.
        least: Least time of each part; missing where it is not known.
        most: Greatest time of each part.
        kind: Type of the column; times of other types tell nothing.
        coarse: How much later the true end may be.
    """
    import polars as pl

    can = pl.Series([True] * len(least))
    if kind != pl.Date and not isinstance(kind, pl.Datetime):
        return can
    if window.since is not None:
        can &= (as_moments(most) + coarse >= window.since).fill_null(value=True)
    if window.cutoff is not None:
        can &= (as_moments(least) < window.cutoff).fill_null(value=True)
    return can


def _is_time(schema: "pl.Schema", name: str) -> bool:
    import polars as pl

    kind = schema.get(name)
    return kind == pl.Date or isinstance(kind, pl.Datetime)
