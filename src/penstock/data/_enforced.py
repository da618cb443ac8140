"""Enforcement of the window: ingest accepts no rows outside ``since <= time < cutoff``."""

from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.data._finding import Finding
from penstock.data._moments import moments_of, time_columns, time_name
from penstock.data.sources import DataSource, Reading, Window

if TYPE_CHECKING:
    import polars as pl

    from penstock.data._moments import Moment


def window_of(source: DataSource, since: "Moment | None", cutoff: "Moment | None") -> Window:
    """Return the window that a source's rows must lie in.

    Raises:
        DataError: If a limit cannot be read, or the source has no time column to compare with.
    """
    return Window.of(source.name, source.time, getattr(source, "time_format", None), since, cutoff)


def enforce_window(reading: Reading, source: DataSource, window: Window) -> Reading:
    """Check that every row lies in the window, whatever the source.

    A source whose ``cut_by_ingest`` is True leaves the cut to ingest: rows outside are removed and
    counted. For all remaining sources a row outside is an error, and nothing is stored.

    Raises:
        NotFoundError: If the time column does not exist.
        DataError: If rows lie outside the window, or have no time.
    """
    if source.time is None:
        return reading
    window.require_columns(reading.table.columns)
    if window.since is None and window.cutoff is None:
        return reading
    if getattr(source, "cut_by_ingest", False):
        return _cut(reading, window)
    moments = moments_of(reading.table, source.time, window.time_format)
    outside = ~window.contains(moments)
    count = int(outside.sum())
    if count:
        raise _outside(reading.table, outside, source, window, count)
    return reading


def _cut(reading: Reading, window: Window) -> Reading:
    table, findings = window.keep(reading.table)
    lost = reading.table.height - table.height
    if lost:
        text = f"{lost:,} of {reading.table.height:,} rows lay {window.words} and were removed."
        findings = (*findings, Finding("info", "window", time_name(window.time or ""), text))
    return reading.with_table(table, findings)


def _outside(
    table: "pl.DataFrame", outside: "pl.Series", source: DataSource, window: Window, count: int
) -> DataError:
    first = int(outside.arg_max() or 0)
    names = time_columns(source.time)
    value: Any = table[names[0]][first]
    shown = "no time" if value is None else repr(str(value))
    return DataError(
        what=f"Source '{source.name}' returned {count:,} of {table.height:,} rows {window.words}: "
        f"the first is row {first}, column {names[0]!r}: {shown}.",
        why="A model that is trained on rows after its cutoff has seen the future. Nothing was stored.",
        fix="Let read() return since <= time < cutoff, or declare cut_by_ingest = True on the "
        "source: then ingest removes the others and counts them.",
        column=names[0],
        row=first,
        rows=count,
    )
