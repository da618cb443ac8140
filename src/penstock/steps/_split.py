"""The split step: Table -> Split, with overlap of rows, groups and times checked at once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import polars as pl

from penstock.data import Snapshot, Split, split_table
from penstock.pipelines import step
from penstock.steps._listed import as_tuple


@step
def split(
    table: Snapshot | pl.DataFrame,
    *,
    target: str | Sequence[str],
    by_time: str | tuple[str, str] | None = None,
    by_group: str | None = None,
    validation: float = 0.0,
    test: float = 0.2,
    gap: str | timedelta | None = None,
    drop: str | Sequence[str] = (),
    stratify: str | None = None,
    task: Literal["binary", "multiclass", "regression", "multilabel"] | None = None,
    seed: int = 0,
    positive: str | bool | float | None = None,
) -> Split:
    """Split rows into train, validation and test, and check at once that they do not overlap.

    Args:
        table: The rows: a Snapshot or a frame.
        target: The column to predict; rows without a target are left out and counted. Several
            labels per row are a column of lists, or the names of several 0-1 columns.
        by_time: Column to split by time, or a date and an hour column: the newest rows become the
            test subset.
        by_group: Column whose values stay whole: no group is in two subsets.
        validation: Share of rows for validation, 0 to 1.
        test: Share of rows for test, 0 to 1.
        gap: Time left out between the subsets, for example ``"7d"``; needs ``by_time``.
        drop: Columns that are no features.
        stratify: Column whose shares are preserved in a random split; by default the target.
        task: Kind of prediction, where the values do not tell.
        seed: Seed of a random split.
        positive: The positive class of a binary target, where the labels do not tell (``"yes"``,
            ``1``, ``"fraud"`` beside ``"legit"`` do).

    Raises:
        LeakageError: If rows, groups or times are in two subsets.
        DataError: If the target has a single class, or too few rows are left.
    """
    return split_table(
        table,
        target=target,
        by_time=by_time,
        by_group=by_group,
        validation=validation,
        test=test,
        gap=gap,
        drop=as_tuple(drop),
        stratify=stratify,
        task=task,
        seed=seed,
        positive=positive,
    )
