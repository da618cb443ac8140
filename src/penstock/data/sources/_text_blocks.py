"""Rows in blocks to the typed rows of a window: as if they were in memory, a block at a time.

What decides on rows and types is asked of all blocks first; then each block is read once more.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from penstock.data._finding import Finding
from penstock.data._moments import ends_of, moments_of, time_columns
from penstock.data.sources._file_rows import FileRows
from penstock.data.sources._text_rows import TextRows
from penstock.data.sources._typing import (
    TypeOptions,
    require_declared,
    type_texts,
    without_marks,
)
from penstock.data.sources._window import Window
from penstock.tables.reading import ReadingRule, times_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import polars as pl

Change: TypeAlias = "Callable[[pl.DataFrame], pl.DataFrame]"


@dataclass(frozen=True)
class WindowBlocks:
    """The rows of a window, in blocks.

    Attributes:
        rows: The rows, with times as they are in the file.
        times: Names of the columns that are read as times.
        read_times: Replaces them in a block.
        rules: Rule of the main time column, by its name.
        findings: Findings on rows without a time.
    """

    rows: TextRows
    times: frozenset[str]
    read_times: Change
    rules: dict[str, ReadingRule]
    findings: tuple[Finding, ...]


def read_blocks(raw: TextRows, window: Window, options: TypeOptions) -> FileRows:
    """Convert texts in blocks to the typed rows of a window.

    Raises:
        DataError: If no row is left, or too many values do not have the declared type.
        NotFoundError: If a column does not exist.
    """
    # Missing marks first: the window would refuse them as times.
    bare = _without_marks(raw, window, options)
    part = keep_blocks(raw, window, bare)
    require_declared(raw.names, options)
    columns = {
        name: part.rows.column(name).map(bare[name]) if name in bare else part.rows.column(name)
        for name in raw.names
        if name not in part.times
    }
    typed = type_texts(list(columns.values()), options)

    def batches() -> "Iterator[pl.DataFrame]":
        for block in part.rows.blocks():
            changed = block.with_columns(read(block[name]) for name, read in bare.items())
            read = [column.read(changed[name]).rename(name) for name, column in typed.items()]
            yield part.read_times(changed).with_columns(read)

    rules = {name: column.rule for name, column in typed.items() if column.rule is not None}
    findings = [finding for column in typed.values() for finding in column.findings]
    return FileRows(batches(), [*part.findings, *findings], {**rules, **part.rules})


def keep_blocks(
    rows: TextRows,
    window: Window,
    bare: "dict[str, Callable[[pl.Series], pl.Series]] | None" = None,
) -> WindowBlocks:
    """Select the rows of a window; see ``Window.keep``.

    Args:
        rows: All rows.
        window: The window.
        bare: Changes of columns before they are read as times.

    Raises:
        DataError: If no row is left.
    """
    if window.time is None:
        return WindowBlocks(rows, frozenset(), lambda block: block, {}, ())
    window.require_columns(rows.names)
    main, bare = time_columns(window.time)[0], bare or {}
    readers, rules = {}, {}
    for name in dict.fromkeys([main, *([window.available_at] if window.available_at else [])]):
        column = rows.column(name)
        column = column.map(bare[name]) if name in bare else column
        readers[name], rules[name] = times_reader(column, window.time_format)

    def read(block: "pl.DataFrame") -> "pl.DataFrame":
        return block.with_columns(
            reader(block[name]).rename(name) for name, reader in readers.items()
        )

    def prepared(block: "pl.DataFrame") -> "pl.DataFrame":
        return read(block.with_columns(change(block[name]) for name, change in bare.items()))

    kept, findings = _select(rows, window, prepared)
    return WindowBlocks(kept, frozenset(readers), read, {main: rules[main]}, findings)


def _select(
    rows: TextRows, window: Window, prepared: Change
) -> tuple[TextRows, tuple[Finding, ...]]:
    import polars as pl

    assert window.time is not None
    names = [*time_columns(window.time), *([window.available_at] if window.available_at else [])]
    masks, ends, unknown, late = [], list["datetime | None"](), 0, 0
    for block in rows.blocks(list(dict.fromkeys(names))):
        times = prepared(block)
        moments = moments_of(times, window.time)
        numbered = times.with_columns(pl.int_range(times.height, eager=True).alias(_row_of(names)))
        kept, without, unknown_yet = window.select(numbered, moments)
        masks.append(pl.int_range(times.height, eager=True).is_in(kept[_row_of(names)].implode()))
        ends += ends_of(moments)
        unknown, late = unknown + without, late + unknown_yet
    if not window.is_limited:
        return rows, window.notes(unknown, late)
    found = rows.having(masks)
    if found.height + late == 0 and rows.height:
        known = [end for end in ends if end is not None]
        raise window.none_left(min(known, default=None), max(known, default=None))
    return found, window.notes(unknown, late)


def _row_of(names: list[str]) -> str:
    """Return a name that no column has."""
    return "row" + "".join(names)


def _without_marks(
    rows: TextRows, window: Window, options: TypeOptions
) -> "dict[str, Callable[[pl.Series], pl.Series]]":
    times = [name for name in time_columns(window.time) if name in rows.names]
    return {name: partial(without_marks, missing=options.missing) for name in times}
