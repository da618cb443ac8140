"""Columns with test values entirely beyond the train values, as a split by time produces."""

from typing import TYPE_CHECKING

from penstock.data import Split
from penstock.scaffolding._notes import ColumnNote

if TYPE_CHECKING:
    import polars as pl

_MOSTLY = 0.5


def note_new_in_test(split: Split) -> list[ColumnNote]:
    """List features with test values never seen in train, for a split by time.

    A month after all train months, or a counter that only rises: a tree predicts for them as for
    the last known value, which is worse than without the feature.

    Args:
        split: A split by time; for splits at random there are no notes.
    """
    if split.by_time is None:
        return []
    notes = []
    for column in split.schema:
        if column.kind not in {"integer", "number", "date", "datetime"}:
            continue
        train, test = split.train.table[column.name], split.test.table[column.name]
        if column.kind in {"date", "datetime"}:
            share, what = _share_of_new_months(train, test), "months"
        else:
            share, what = _share_beyond(train, test), "values"
        if share > _MOSTLY:
            reason = f"its {what} in the test are new to the model ({round(100 * share)} %)"
            notes.append(ColumnNote(column.name, "new", reason))
    return notes


def _share_of_new_months(train: "pl.Series", test: "pl.Series") -> float:
    known = train.drop_nulls().dt.month().unique(maintain_order=True)
    months = test.drop_nulls().dt.month()
    return 1 - _mean(months.is_in(known.implode()), empty=1.0)


def _share_beyond(train: "pl.Series", test: "pl.Series") -> float:
    low, high = train.min(), train.max()
    values = test.drop_nulls()
    if low is None or high is None:
        return 0.0
    return _mean((values < low) | (values > high), empty=0.0)


def _mean(flags: "pl.Series", *, empty: float) -> float:
    share = flags.mean()
    return float(share) if isinstance(share, int | float) else empty
