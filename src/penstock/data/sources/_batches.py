"""Batches of a scan as polars frames, with equal columns, whatever the source gave."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, SchemaError, did_you_mean
from penstock.tables import read_frame

if TYPE_CHECKING:
    import polars as pl


def read_batches(scan: Iterable[Any], name: str) -> "Iterator[pl.DataFrame]":
    """Convert the batches of a scan to frames, one at a time.

    Args:
        scan: A Scan, or frames and Arrow tables.
        name: Name of the source, for messages.

    Raises:
        DataError: If the source gave something that is no table.
        SchemaError: If a batch has different columns or types than the first.
    """
    if read_frame(scan) is not None or not isinstance(scan, Iterable):
        raise DataError(
            what=f"Source '{name}' returned {type(scan).__name__} from scan(), not batches.",
            fix="Let scan() yield frames: `yield frame`, or return [frame].",
        )
    first: pl.Schema | None = None
    for place, batch in enumerate(scan):
        frame = _frame(batch, name)
        if not frame.width and not frame.height:
            continue
        if first is None:
            first = frame.schema
        elif frame.schema != first:
            raise _changed(name, place, first, frame.schema)
        yield frame


def collect(scan: Iterable[Any], name: str) -> "pl.DataFrame":
    """Return all rows of a scan as a frame; see read_batches for the errors."""
    import polars as pl

    batches = list(read_batches(scan, name))
    return pl.concat(batches) if batches else pl.DataFrame()


def _frame(batch: Any, name: str) -> "pl.DataFrame":
    import polars as pl

    frame = read_frame(batch)
    if frame is None and hasattr(batch, "__arrow_c_stream__"):
        frame = pl.DataFrame(batch)
    elif frame is None and hasattr(batch, "__arrow_c_array__"):  # a record batch: one struct
        frame = pl.DataFrame(pl.Series(batch).struct.unnest())
    if frame is not None:
        return frame
    raise DataError(
        what=f"Source '{name}' returned {type(batch).__name__}, which is no table.",
        fix="Let scan() yield polars or pandas frames, or Arrow tables.",
    )


def _changed(name: str, place: int, first: "pl.Schema", other: "pl.Schema") -> SchemaError:
    column = next(
        (
            known
            for known in [*first, *other]
            if known not in first or known not in other or first[known] != other[known]
        ),
        "",
    )
    if column in first and column in other:
        what = f"column {column!r} is {other[column]} in batch {place} and {first[column]} before."
    elif column in first:
        what = f"batch {place} has no column {column!r}."
    elif column:
        what = f"batch {place} has a new column {column!r}."
    else:
        what = f"batch {place} has the columns in another order."
    hint = did_you_mean(column, list(other)) if column in first and column not in other else ""
    return SchemaError(
        what=f"Source '{name}': {what}",
        why="The batches of a reading are one table.",
        fix=hint if hint.startswith("Did") else "Let scan() give every batch the same columns.",
        column=column,
    )
