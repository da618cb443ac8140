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
    target: str,
    by_time: str | tuple[str, str] | None = None,
    by_group: str | None = None,
    validation: float = 0.0,
    test: float = 0.2,
    gap: str | timedelta | None = None,
    drop: str | Sequence[str] = (),
    stratify: str | None = None,
    task: Literal["binary", "multiclass", "regression"] | None = None,
    seed: int = 0,
    positive: str | bool | float | None = None,
) -> Split:
    """Split rows into train, validation and test, and check at once that they are apart.

    Args:
        table: The rows: a Snapshot or a frame.
        target: The column to predict; rows without it are left out and counted.
        by_time: Column to split by time, or a date and an hour column: the newest rows become the
            test.
        by_group: Column whose values stay whole: no group stands on both sides.
        validation: Share of rows for validation, 0 to 1.
        test: Share of rows for the test, 0 to 1.
        gap: Time left out between the parts, for example ``"7d"``; needs ``by_time``.
        drop: Columns that are no features.
        stratify: Column whose shares are kept in a random split; by default the target.
        task: What to predict, where the values do not say it.
        seed: Seed of a random split.
        positive: The class of a binary target that counts as yes, where the labels do not say it
            (``"yes"``, ``1``, ``"fraud"`` beside ``"legit"`` do).

    Raises:
        LeakageError: If rows, groups or times stand on both sides.
        DataError: If the target has one class, or too few rows are left.
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
