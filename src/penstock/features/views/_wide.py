"""Joined tables that exceed the memory: columns arrive block by block, files are written by rows.

Blocks are spilled to the disk, cut by rows; then each range of rows is joined and written.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from penstock.core import ConflictError, new_id
from penstock.features.views._plan import JoinPlan

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

_BYTES = 400 << 20  # of a stretch of rows, at eight bytes a value
_FEWEST = 1_000


def write_wide(
    folder: Path, labels: "pl.DataFrame", blocks: "Iterable[pl.DataFrame]", plan: JoinPlan
) -> "pl.LazyFrame":
    """Write labels with blocks of their features into a new folder; return the table, unread.

    Args:
        folder: The folder; appears when all files are complete.
        labels: The labels.
        blocks: Features in order of the plan's selections, with the rows of the labels.
        plan: Aggregations to compute, and columns to return.

    Raises:
        ConflictError: If the folder exists.
    """
    import polars as pl

    if folder.exists():
        raise ConflictError(
            what=f"{folder} exists.",
            why="Files of another table would stand beside the new ones.",
            fix="Name a new folder, or remove this one.",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, and so on the same disk: a move is then the last step.
    beside = folder.with_name(f".{folder.name}.{new_id()}")
    width = labels.width + sum(len(each.features) for each in plan.selections)
    height = max(_BYTES // (8 * width), _FEWEST)
    try:
        beside.mkdir()
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as aside:
            count = _put_aside(Path(aside), blocks, height)
            for number, part in enumerate(_cut(labels, height)):
                _put_together(Path(aside), part, number, count, plan).write_parquet(
                    beside / f"part-{number:05}.parquet", compression="lz4"
                )
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return pl.scan_parquet(sorted(folder.glob("part-*.parquet")), glob=False)


def _put_aside(aside: Path, blocks: "Iterable[pl.DataFrame]", height: int) -> int:
    count = 0
    for count, block in enumerate(blocks, start=1):
        for number, part in enumerate(_cut(block, height)):
            part.write_ipc(aside / f"{number}-{count - 1}.arrow")
    return count


def _put_together(
    aside: Path, labels: "pl.DataFrame", number: int, count: int, plan: JoinPlan
) -> "pl.DataFrame":
    import polars as pl

    places = [aside / f"{number}-{block}.arrow" for block in range(count)]
    table = pl.concat([labels, *(pl.read_ipc(each) for each in places)], how="horizontal")
    for each in places:
        each.unlink()
    for view in plan.on_demand:
        table = table.hstack(view.compute(table))
    return table.select(*labels.columns, *plan.output)


def _cut(table: "pl.DataFrame", height: int) -> "Iterable[pl.DataFrame]":
    """Return stretches of rows; an empty stretch for an empty table."""
    return table.iter_slices(height) if table.height else [table]
