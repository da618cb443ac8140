"""Which of two rows of a key wins, and what it is worth at a time: one order for every store.

Of two rows the larger (event_time, available_at, seq) wins: a total order, as seq is unique. So the
winner of a set of rows depends on neither the order nor the batches in which they arrive.
"""

from typing import TYPE_CHECKING

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
        rows: Rows of one or many keys, in any order.
        keys: The key columns.
    """
    return rows.sort(*ORDER).unique(subset=list(keys), keep="last", maintain_order=True)


def leading(rows: "pl.DataFrame", keys: "Sequence[str]") -> "pl.DataFrame":
    """Return the rows that win over all that were known before them, in order of knowledge.

    After each of them the fold of the key is that row, until the next one is known: the history as
    a step function of time.

    Args:
        rows: Rows in which no ``event_time`` is after ``available_at``.
        keys: The key columns.

    Returns:
        Rows in order of ``available_at``; of a key at equal times, the winner is the last.
    """
    import polars as pl

    ordered = rows.sort(AVAILABLE_AT, EVENT_TIME, SEQ)
    # Later in this order and not older means larger: an equal event was known later, or has a
    # larger seq. So the running maximum of event_time finds all that lead.
    leads = pl.col(EVENT_TIME) >= pl.col(EVENT_TIME).cum_max().over(*keys)
    return ordered.filter(leads)


def is_missing(view: FeatureView, at: "pl.Expr") -> "pl.Expr":
    """Return whether a winner has no values at a time: it is a delete, or expired.

    Args:
        view: The view.
        at: The time; null where no row was found.
    """
    import polars as pl

    gone = pl.col(IS_DELETED)
    if view.ttl_us is None:
        return gone
    return gone | (at - pl.col(EVENT_TIME) > pl.duration(microseconds=view.ttl_us))


def values_at(
    view: FeatureView,
    winners: "pl.DataFrame",
    at: "pl.Expr",
    features: "Sequence[str] | None" = None,
) -> "pl.DataFrame":
    """Return winners with their features at a time: null where deleted or expired."""
    import polars as pl

    missing = winners.select(is_missing(view, at)).to_series()
    if not missing.any():
        return winners
    return winners.with_columns(
        pl.when(~missing).then(pl.col(name)).alias(name) for name in features or view.feature_names
    )
