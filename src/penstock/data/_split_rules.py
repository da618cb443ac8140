"""Requirements of a split: shares that add up, usable rows, and non-empty subsets."""

from typing import TYPE_CHECKING, Any

from penstock.core import DataError, with_article
from penstock.data._finding import Finding, Level
from penstock.data._moments import TimeColumn, moments_of, time_name
from penstock.data._snapshot import Snapshot
from penstock.data._table_digest import digest_table
from penstock.data._target import TargetValues, Task
from penstock.stores import ChunkedTable
from penstock.tables import read_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sized

    import numpy as np
    import polars as pl

    Rows = np.ndarray[Any, np.dtype[np.int64]]

_FEW_ROWS = 3
_CLASSES = 2
_MANY_LOST = 0.01


def chunks_of(table: Any) -> tuple[ChunkedTable, str]:
    """Return the chunks of a Snapshot, or a frame as one chunk, and the ordered digest.

    Raises:
        DataError: If the table is of the wrong type.
    """
    if isinstance(table, Snapshot):
        return table.chunks, table.ordered_digest
    frame, digest = frame_of(table)
    return ChunkedTable.of(frame), digest


def frame_of(table: Any) -> "tuple[pl.DataFrame, str]":
    """Return the polars frame of a Snapshot, a polars or a pandas frame, and the ordered digest.

    Raises:
        DataError: If the table is of the wrong type.
    """
    if isinstance(table, Snapshot):
        return table.table, table.ordered_digest
    frame = read_frame(table)
    if frame is None:
        raise DataError(
            what=f"{with_article(type(table).__name__, begins=True)} cannot be split.",
            fix="Give a polars or pandas frame, or a Snapshot.",
        )
    return frame, digest_table(frame)


def require_shares(validation: float, test: float) -> None:
    """Check that the shares leave rows to train on.

    Raises:
        DataError: If they leave none.
    """
    if test <= 0 or validation < 0 or validation + test >= 1:
        raise DataError(
            what=f"validation={validation} and test={test} are no shares of a table.",
            why="Rows must be left to train on, and some to test on.",
            fix="Give for example validation=0.15, test=0.15.",
        )


def usable_rows(
    frame: "pl.DataFrame", target: str, by_time: TimeColumn | None
) -> "tuple[Rows, list[Finding]]":
    """Return the positions of rows with a target and, where needed, a time.

    Raises:
        DataError: If fewer than three rows have them.
    """
    import numpy as np

    gone = missing_of(frame[target])
    no_target, no_time = int(gone.sum()), 0
    if by_time is not None:
        timeless = moments_of(frame, by_time).is_null().to_numpy() & ~gone
        no_time = int(timeless.sum())
        gone |= timeless
    rows = np.flatnonzero(~gone)
    findings = note_unusable(frame.height, no_target, no_time, target, by_time)
    require_few_lost(len(rows), frame.height, findings)
    return rows, findings


def note_unusable(
    rows: int, no_target: int, no_time: int, target: str, by_time: TimeColumn | None
) -> list[Finding]:
    """Return findings on rows without a target or a time.

    Args:
        rows: Number of rows.
        no_target: Rows without a target.
        no_time: Rows with a target and without a time.
        target: The target column.
        by_time: The time column.
    """
    findings = []
    if no_target:
        text = f"{no_target:,} of {rows:,} rows have no '{target}' and were left out."
        level: Level = "warn" if no_target > _MANY_LOST * rows else "info"
        findings.append(Finding(level, "no_target", target, text))
    if no_time and by_time is not None:
        name = time_name(by_time)
        text = f"{no_time:,} rows have no time in '{name}' and were left out."
        findings.append(Finding("warn", "no_time", name, text))
    return findings


def require_few_lost(usable: int, rows: int, findings: list[Finding]) -> None:
    """Check that enough rows have a target and a time.

    Raises:
        DataError: If fewer than three rows have them.
    """
    if usable < _FEW_ROWS:
        raise DataError(
            what=f"{usable} of {rows} rows can be used; a split needs {_FEW_ROWS}.",
            why=" ".join(finding.message for finding in findings),
            fix="Give more rows, for example a wider since and cutoff.",
        )


def codes_of(series: "pl.Series") -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return numbers for the distinct values from 0, in sorted order, a missing value last.

    >>> import polars as pl
    >>> codes_of(pl.Series(["b", "a", None, "b"])).tolist()
    [1, 0, 2, 1]
    """
    import numpy as np
    import polars as pl

    if series.dtype.is_nested():
        # polars does not rank nested values.
        values = [None if value is None else repr(value) for value in series.to_list()]
        series = pl.Series(series.name, values, dtype=pl.String)
    texts = series.dtype in (pl.Categorical, pl.Enum, pl.Boolean)
    ranks = (series.cast(pl.String) if texts else series).rank("dense")
    codes: np.ndarray[Any, np.dtype[np.int64]] = (
        ranks.fill_null(series.n_unique()).to_numpy().astype(np.int64) - 1
    )
    return codes


def group_codes_of(series: "pl.Series") -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return numbers for the groups from 0; each row without a group (missing, blank) is separate.

    >>> import polars as pl
    >>> group_codes_of(pl.Series(["b", None, "b", None])).tolist()
    [0, 1, 0, 2]
    """
    import numpy as np

    missing = groupless_of(series)
    codes = codes_of(series)
    known = np.unique(codes[~missing])
    codes = np.searchsorted(known, codes)
    # A shared code would put all rows without a group into the same subset.
    codes[missing] = len(known) + np.arange(int(missing.sum()))
    return codes.astype(np.int64)


def groupless_of(series: "pl.Series") -> "np.ndarray[Any, Any]":
    """Return for every value whether the value is no group: missing, or blank."""
    import polars as pl

    missing = missing_of(series)
    if series.dtype == pl.String:
        missing |= (series.str.strip_chars() == "").fill_null(value=False).to_numpy()
    return missing


def missing_of(series: "pl.Series") -> "np.ndarray[Any, Any]":
    """Return for every value whether the value is missing: null, or not a number."""
    missing = series.is_null().to_numpy().copy()
    if series.dtype.is_float():
        missing |= series.is_nan().fill_null(value=True).to_numpy()
    return missing


def require_parts(parts: "Mapping[str, Sized]") -> None:
    """Check that no subset is empty.

    Raises:
        DataError: If one is.
    """
    for name, rows in parts.items():
        if not len(rows):
            raise DataError(
                what=f"No rows are left for {name}.",
                why="The gap, the groups and the times left none.",
                fix="Give a shorter gap=, other shares, or split by one of time and group.",
            )


def require_classes(train: TargetValues, task: Task) -> None:
    """Check that the train rows contain two classes or more.

    Raises:
        DataError: If they do not.
    """
    if task != "regression" and train.distinct < _CLASSES:
        raise DataError(
            what=f"All {train.rows:,} train rows have {train.name!r} = {train.first!r}.",
            why="A model has nothing to distinguish.",
            fix="Use more rows, or a random split (it keeps each class's share).",
            target=train.name,
        )
