"""The order of a key's rows, and the values of the winner at a time: the same for every store.

Of two rows the larger (event_time, available_at, seq) wins: a total order, as seq is unique. So the
winner of a set of rows depends on neither the order nor the batches in which they arrive.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.features.views._view import AVAILABLE_AT, EVENT_TIME, IS_DELETED, SEQ, FeatureView

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

ORDER = (EVENT_TIME, AVAILABLE_AT, SEQ)
"""Columns whose largest tuple wins."""


def fold(rows: "pl.DataFrame", keys: "Sequence[str]") -> "pl.DataFrame":
    """Return the winner of each key.

    >>> import polars as pl
    >>> rows = pl.DataFrame(
    ...     {"id": [7, 7], "event_time": [2, 1], "available_at": [2, 3], "seq": [0, 1]}
    ... )
    >>> fold(rows, ["id"])["event_time"].to_list()
    [2]

    Args:
        rows: Rows of any number of keys, in any order.
        keys: The key columns.
    """
    ordered = leading(rows, keys)
    return ordered.filter(_differs_from(ordered, keys, -1))


def leading(
    rows: "pl.DataFrame", keys: "Sequence[str]", *, event_time_only: bool = False
) -> "pl.DataFrame":
    """Return the rows that win over all that were known before them: the history in steps.

    Once such a row is known, the row is the fold of the key, until the next leading row is known.

    Args:
        rows: Rows in which no ``event_time`` is after ``available_at``.
        keys: The key columns.
        event_time_only: Whether rows count as known when they happen.

    Returns:
        Rows in order of keys and of the time since when they are known; of rows that are known at
        the same time, the winner is the last.
    """
    if event_time_only:
        return in_order(rows, [*keys, *ORDER])
    ordered = in_order(rows, [*keys, AVAILABLE_AT, EVENT_TIME, SEQ])
    # Later in this order and not older means larger: an equal event was known later, or has a
    # larger seq. So a row leads if no earlier one of its key has a later event.
    events = ordered[EVENT_TIME].to_physical()
    starts = _differs_from(ordered, keys, 1)
    if (starts | (events >= events.shift())).all():
        return ordered
    groups = np.cumsum(starts.to_numpy())
    # Numbers that grow from key to key, so that one running maximum serves all keys.
    ranks = groups * ordered.height + events.rank("dense").to_numpy()
    return ordered.filter(ranks == np.maximum.accumulate(ranks))


def in_order(rows: "pl.DataFrame", columns: "Sequence[str]") -> "pl.DataFrame":
    """Return rows in the order of columns; those in order already are not sorted again."""
    import polars as pl

    rising = pl.lit(value=False)
    for name in reversed(columns):
        column, before = pl.col(name), pl.col(name).shift()
        rising = (column > before) | ((column == before) & rising)
    # The first row has none before it: its null counts for neither.
    return rows if rows.select(rising.all()).item() else rows.sort(columns)


def is_missing(view: FeatureView, at: "pl.Expr") -> "pl.Expr":
    """Return whether a winner has no values at a time: a delete, or expired.

    Args:
        view: The view.
        at: The time; null where no row was found.
    """
    import polars as pl

    gone = pl.col(IS_DELETED)
    if view.ttl_us is None:
        return gone
    expired: pl.Expr = is_expired(pl.col(EVENT_TIME), at, pl.duration(microseconds=view.ttl_us))
    return gone | expired


def is_expired(event_time: Any, at: Any, ttl: Any) -> Any:
    """Return whether a value is too old at a time; of columns, or of numbers in microseconds.

    >>> is_expired(10, 20, 10), is_expired(9, 20, 10)
    (False, True)
    """
    return at - event_time > ttl


def values_at(view: FeatureView, winners: "pl.DataFrame", at: "pl.Expr") -> "pl.DataFrame":
    """Return winners with their features at a time: null where deleted or expired."""
    import polars as pl

    missing = winners.select(is_missing(view, at)).to_series()
    if not missing.any():
        return winners
    return winners.with_columns(
        pl.when(~missing).then(pl.col(name)).alias(name) for name in view.feature_names
    )


def _differs_from(ordered: "pl.DataFrame", keys: "Sequence[str]", shift: int) -> "pl.Series":
    """Return whether a row's key differs from the key of the row before (1) or after (-1)."""
    import polars as pl

    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(shift)) for name in keys)
    return ordered.select(differs.alias("differs")).to_series()
