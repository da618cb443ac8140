"""Enforcement of the window: ingest accepts no rows outside ``since <= time < cutoff``."""

from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.data._finding import Finding
from penstock.data._moments import ends_of, has_zone, moments_of, time_columns, time_name
from penstock.data.sources import DataSource, Reading, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    import polars as pl


class WindowGuard:
    """Check of every batch of a reading, whatever the source.

    A source whose ``cut_by_ingest`` is True leaves the cut to ingest: rows outside are removed and
    counted. For all remaining sources a row outside is an error, told after the last batch with the
    count of all.

    Args:
        source: The source that is read.
        window: The requested rows.
    """

    def __init__(self, source: DataSource, window: Window) -> None:
        self._source, self._window = source, window
        self._cuts = bool(getattr(source, "cut_by_ingest", False))
        self._rows = self._outside = 0
        self._first: tuple[int, str, Any] | None = None  # row, column, value
        self._ends: list[datetime] = []

    def check(self, batch: "pl.DataFrame") -> "pl.DataFrame":
        """Return the rows of a batch that may be kept.

        Raises:
            NotFoundError: If a time column does not exist.
            DataError: If a value is not a time.
        """
        if self._source.time is None:
            return batch
        self._window.require_columns(batch.columns)
        if self._cuts:
            return self._cut(batch)
        if not self._window.is_limited:
            return batch
        outside = self._window.outside(batch)
        if outside is not None:
            column, rows = outside
            if self._first is None:
                row = int(rows.arg_max() or 0)
                self._first = self._rows + row, column, batch[column][row]
            self._outside += int(rows.sum())
        self._rows += batch.height
        # After a row outside nothing is kept, so that a large reading holds no memory.
        return batch if self._first is None else batch.clear()

    def finish(self, reading: Reading) -> None:
        """Report the removed rows.

        Raises:
            DataError: If rows lie outside the window, or have no time.
        """
        if self._first is not None:
            raise self._error(*self._first)
        if self._cuts and self._rows and self._outside == self._rows:
            raise self._window.none_left(
                min(self._ends, default=None), max(self._ends, default=None)
            )
        if self._cuts and self._outside:
            text = f"{self._outside:,} of {self._rows:,} rows lay {self._window.words} and were removed."
            name = time_name(self._window.time or "")
            reading.findings.append(Finding("info", "window", name, text))

    def batches(self, batches: "Iterable[pl.DataFrame]") -> "Iterator[pl.DataFrame]":
        """Check batches in order; all have times of one type.

        Raises:
            DataError: See `check`; or if only some times have a zone.
        """
        if not self._cuts:
            yield from map(self.check, batches)
            return
        # A batch of days and one of times, or one without any time, would not go together.
        kept = [self.check(batch) for batch in batches]
        main, known = time_columns(self._source.time)[:1], self._window.available_at
        for name in [*main, *([known] if main and known else [])]:
            if len({batch.schema[name] for batch in kept}) > 1:
                kept = _with_one_type(kept, name, self._source.name)
        yield from kept

    def _cut(self, batch: "pl.DataFrame") -> "pl.DataFrame":
        kept, _ = self._window.keep(batch, is_part=True)
        self._rows += batch.height
        ends = ends_of(moments_of(batch, self._source.time or "", self._window.time_format))
        self._ends += [moment for moment in ends if moment is not None]
        self._outside += batch.height - kept.height
        return kept

    def _error(self, row: int, column: str, value: Any) -> DataError:
        shown = "no time" if value is None else repr(str(value))
        is_late = column not in time_columns(self._source.time)
        words = (
            f"not known before {self._window.cutoff:%Y-%m-%d %H:%M}"
            if is_late
            else self._window.words
        )
        return DataError(
            what=f"Source '{self._source.name}' returned {self._outside:,} of {self._rows:,} rows "
            f"{words}: the first is row {row}, column {column!r}: {shown}.",
            why="A model that is trained on rows after its cutoff has seen the future. Nothing was stored.",
            fix="Let scan() give since <= time < cutoff, or declare cut_by_ingest = True on the "
            "source: then ingest removes the others and counts them.",
            column=column,
            row=row,
            rows=self._outside,
        )


def _with_one_type(batches: "list[pl.DataFrame]", name: str, source: str) -> "list[pl.DataFrame]":
    import polars as pl

    dtypes = {batch.schema[name] for batch in batches if batch[name].null_count() < batch.height}
    zones = {has_zone(kind) for kind in dtypes}
    if len(zones) > 1:
        raise DataError(
            what=f"Some times of '{name}' in source '{source}' have a zone, and others have none.",
            why="They cannot be placed in one order.",
            fix="Write all of them with a zone, or all without.",
            column=name,
        )
    kind = dtypes.pop() if len(dtypes) == 1 else pl.Datetime("us", "UTC" if True in zones else None)
    return [batch.with_columns(pl.col(name).cast(kind)) for batch in batches]
