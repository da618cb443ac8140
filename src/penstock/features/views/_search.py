"""As-of search: the last row of a key that is known at a time; separate because the search needs no meaning of rows.

Rows stand in order of keys and time, labels in any order: a hash join finds
the rows of each label's key, and a binary search the time in these, all labels at once. Compared with a join of
sorted tables, labels need not be sorted there and back, which costs more than the search.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_FIRST, _END = "__first", "__end"


def last_known(
    labels: "pl.DataFrame",
    at: "pl.Series",
    rows: "pl.DataFrame",
    known: "pl.Series",
    keys: Sequence[str],
    *,
    included: bool,
) -> "pl.Series":
    """Return the place of the row that each label finds; null where there is none.

    Args:
        labels: The labels, with the key columns.
        at: The time of each label.
        rows: Rows in order of the keys and of ``known``.
        known: The time since when each row is known.
        keys: The key columns.
        included: Whether a row counts that is known exactly at the label's time.
    """
    import polars as pl

    if rows.is_empty() or labels.is_empty():
        return pl.Series([None], dtype=pl.UInt32).new_from_index(0, labels.height)
    groups = _groups(rows, keys)
    matched = labels.select(keys).join(groups, on=keys, how="left", maintain_order="left")
    first, end = (matched[name].fill_null(0).to_numpy() for name in (_FIRST, _END))
    moments = at.to_physical().to_numpy()
    ends = _insert_after(
        known.to_physical().to_numpy(), moments if included else moments - 1, first, end
    )
    places = pl.DataFrame({"place": ends - 1, "is_found": ends > first})
    return places.select(
        pl.when("is_found").then(pl.col("place").clip(0).cast(pl.UInt32))
    ).to_series()


def _groups(rows: "pl.DataFrame", keys: Sequence[str]) -> "pl.DataFrame":
    """Return each key with the place of the first row and the place behind the last."""
    import polars as pl

    starts = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in keys)
    first = rows.select(starts.arg_true().alias(_FIRST)).to_series().cast(pl.Int64)
    ends = np.append(first.to_numpy()[1:], rows.height)
    return rows.select(keys)[first].with_columns(first, pl.Series(_END, ends))


def _insert_after(known: Any, moments: Any, first: Any, end: Any) -> Any:
    """Return for each moment the place behind the last time in the range that is not later."""
    low, high = first.copy(), end.copy()
    last = len(known) - 1
    for _ in range(int((high - low).max()).bit_length()):
        middle = (low + high) >> 1
        passes = (known[np.minimum(middle, last)] <= moments) & (low < high)
        low = np.where(passes, middle + 1, low)
        high = np.where(passes, high, np.minimum(middle, high))
    return low
