"""Readers by format: files of a format to the rows of a window, with findings and reading rules."""

import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, NotFoundError, did_you_mean, require, summarize_error
from penstock.data._finding import Finding
from penstock.data._moments import time_columns
from penstock.data.sources._blocks import NotInBlocksError
from penstock.data.sources._csv import CsvForm, read_csv
from penstock.data.sources._file_rows import FileRows
from penstock.data.sources._json_blocks import read_json_blocks
from penstock.data.sources._json_lines import MixedTypesError, read_json
from penstock.data.sources._json_mixed import may_be_mixed, mixed_fields, read_objects
from penstock.data.sources._partitions import add_partition
from penstock.data.sources._same_form import require_same_columns, require_same_types
from penstock.data.sources._text import is_packed, read_bytes
from penstock.data.sources._text_blocks import read_blocks
from penstock.data.sources._text_rows import TextRows
from penstock.data.sources._typing import TypeOptions, type_columns, without_marks
from penstock.data.sources._window import Window
from penstock.tables.reading import ReadingRule, read_iso, time_rule

if TYPE_CHECKING:
    import polars as pl


_LOG = logging.getLogger(__name__)
_LARGE = 1 << 25  # bytes, in the files or in memory; fewer are read at once
_BATCH_BYTES = 1 << 26
_BATCH_ROWS = 1 << 18
_FIRST_ROWS = 1 << 10
_LARGE_TEXT = 1 << 26
_PACKED = 8  # bytes of text in a byte of a packed file, about


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read.

    Args:
        window: The requested rows.
        partitions: Values of the files' folders (``day=…``), a row per file; without columns if
            there are none.
        form: Form of CSV files.
        declared: Types of CSV columns by name.
        decimal: Decimal mark of CSV numbers.
        remembered: Reading rules of the last reading.
        sheet: Sheet of an Excel file; None for the first.
        as_written: Columns for who judges each value; see ``FileSource.as_written``.
        spill: Folder for the rows of text files too large for memory, until they have been read.
    """

    window: Window
    partitions: "pl.DataFrame"
    form: CsvForm
    declared: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    remembered: Mapping[str, ReadingRule] = field(default_factory=dict)
    sheet: str | None = None
    as_written: frozenset[str] = frozenset()
    spill: Path | None = None

    def add_partition(self, frame: Any, columns: Sequence[str], place: int) -> Any:
        """Add a file's partition values as columns."""
        if not self.partitions.width:
            return frame
        for name in time_columns(self.window.time) if self.window.is_limited else ():
            if name in columns and name in self.partitions.columns:
                raise DataError(
                    what=f"The time column {name!r} stands in the files and in their folders' names.",
                    why="Files were left out by their folders' names; rows that belong into the"
                    " window by the other could be lost.",
                    fix="Name the column in the files differently, or read all files without since"
                    " and cutoff.",
                    column=name,
                )
        return add_partition(frame, columns, self.partitions, place)

    def partition(self, rows: TextRows, place: int) -> TextRows:
        """Add a file's partition values to its texts."""
        if rows.held is not None:
            return TextRows.of(self.add_partition(rows.held, rows.names, place))
        self.add_partition(rows.head(0), rows.names, place)  # refuses a time column of both
        return rows.adding(
            {series.name: series[place] for series in self.partitions.iter_columns()}
        )


def read_files(format_name: str, files: Sequence[Path], options: ReadOptions) -> FileRows:
    """Read files of a format, in order.

    Raises:
        DataError: If a file is not of the format.
        SchemaError: If files have different columns or types.
    """
    return _READERS[format_name](files, options)


def _read_csv(files: Sequence[Path], options: ReadOptions) -> FileRows:
    import polars as pl

    window, missing = options.window, tuple(options.form.missing)
    spill = options.spill if _are_large(files) else None
    parts = [read_csv(file, options.form, spill) for file in files]
    require_same_columns(
        [(file, list(part.rows.names)) for file, part in zip(files, parts, strict=True)]
    )
    # Partition values are texts too: they are typed by the same rules.
    texts = ReadOptions(window, options.partitions.cast(pl.String), options.form)
    raw = TextRows.concat([texts.partition(part.rows, place) for place, part in enumerate(parts)])
    notes = dict.fromkeys(finding for part in parts for finding in part.findings)
    typing = TypeOptions(
        missing=missing,
        declared=options.declared,
        decimal=options.decimal,
        remembered=options.remembered,
        separator=parts[0].separator,
        as_written=options.as_written,
    )
    read = read_blocks(raw, window, typing) if raw.held is None else _type(raw.held, window, typing)
    return FileRows(read.batches, [*notes, *read.findings], read.rules)


def _type(raw: "pl.DataFrame", window: Window, options: TypeOptions) -> FileRows:
    """Convert rows in memory to the typed rows of a window."""
    times = [name for name in time_columns(window.time) if name in raw.columns]
    # Missing marks first: the window would refuse them as times.
    raw = raw.with_columns(without_marks(raw[name], options.missing) for name in times)
    table, found = window.keep(raw)
    # After the cut: no type may depend on rows outside of the window.
    typed = type_columns(table, options)
    rules = {**typed.rules, **_rule_of_time(window, raw, table)}
    return FileRows.of(typed.table, (*found, *typed.findings), rules)


def _are_large(files: Sequence[Path]) -> bool:
    return sum(_text_bytes(file) for file in files) > _LARGE_TEXT


def _text_bytes(file: Path) -> int:
    size = file.stat().st_size
    return size * _PACKED if is_packed(file) else size


def _rule_of_time(
    window: Window, raw: "pl.DataFrame", table: "pl.DataFrame"
) -> dict[str, ReadingRule]:
    """Return the rule of the main time column, from before the window read the column."""
    if window.time is None:
        return {}
    name = time_columns(window.time)[0]
    return {name: time_rule(raw[name], table[name], window.time_format)}


def _read_json(files: Sequence[Path], options: ReadOptions) -> FileRows:
    if options.spill is not None and _are_large(files):
        try:
            return read_json_blocks(files, options, options.spill)
        except NotInBlocksError:
            _LOG.warning("%s is read whole: its types need all of it.", files[0])
    return _read_json_whole(files, options)


def _read_json_whole(files: Sequence[Path], options: ReadOptions) -> FileRows:
    import polars as pl

    read, mixed = _read_as_written(files, options.as_written)
    parts = [
        options.add_partition(part, part.columns, place)
        for place, (part, _) in enumerate(read)
        if part.width
    ]
    notes = dict.fromkeys(finding for _, found in read for finding in found)
    if not parts:
        return FileRows.of(pl.DataFrame())
    # Objects may lack a field, and files differ in which fields their objects have.
    raw = pl.concat(parts, how="diagonal_relaxed")
    table, findings = options.window.keep(raw)
    rules = _rule_of_time(options.window, raw, table)
    rules |= {name: ReadingRule("json") for name in mixed}
    typed = table.with_columns(_read_iso_columns(table.drop(mixed)))
    return FileRows.of(typed, (*notes, *findings), rules)


def _read_as_written(
    files: Sequence[Path], names: frozenset[str]
) -> "tuple[list[tuple[pl.DataFrame, list[Finding]]], frozenset[str]]":
    """Read JSON files, and return the columns that hold JSON as their values are of several types.

    Args:
        files: The files.
        names: Columns that may; see ``FileSource.as_written``.
    """
    try:
        read = [read_json(file) for file in files]
        if not may_be_mixed([table for table, _ in read], names):
            return read, frozenset()
    except MixedTypesError:
        read = []
        if not names:
            raise
    mixed = mixed_fields((each for file in files for each in read_objects(file)), names)
    if read and not mixed:
        return read, mixed
    return [read_json(file, mixed) for file in files], mixed


def _read_iso_columns(table: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    texts = [series for series in table.iter_columns() if series.dtype == pl.String]
    times = [read_iso(series) for series in texts]
    return table.with_columns([series for series in times if series is not None])


def _read_lazily(files: Sequence[Path], options: ReadOptions, kind: str, scan: Any) -> FileRows:
    """Read Parquet or Arrow: of files that store times as times, only what can lie inside."""
    import polars as pl

    try:
        scans = [scan(file) for file in files]
        schemas = [scan.collect_schema() for scan in scans]
    except _unreadable() as error:
        raise _not_of(kind, files, error) from error
    require_same_columns([(f, s.names()) for f, s in zip(files, schemas, strict=True)])
    require_same_types(list(files), schemas)
    scans = [
        options.add_partition(scan, schema.names(), place)
        for place, (scan, schema) in enumerate(zip(scans, schemas, strict=True))
    ]
    whole = pl.concat(scans)
    schema = whole.collect_schema()
    if options.window.reads_in_batches(schema) and (
        rows := _rows_at_once(whole, schema, options.window, kind, files)
    ):
        findings: list[Finding] = []
        batches = options.window.keep_batches(whole, schema, findings, rows)
        return FileRows(_readable(batches, kind, files), findings)
    try:
        table, found = options.window.keep_lazily(whole, schema)
    except _unreadable() as error:
        raise _not_of(kind, files, error) from error
    return FileRows.of(table, found)


def _rows_at_once(
    scan: "pl.LazyFrame", schema: "pl.Schema", window: Window, kind: str, files: Sequence[Path]
) -> int | None:
    """Return the rows of a batch; None if the files are small enough to be read at once.

    Compressed texts may take a hundred times as much memory as their file, so that the first rows
    of the window are looked at: the other parts of an object may not be here.
    """
    import polars as pl

    size = sum(file.stat().st_size for file in files)
    try:
        # The streaming engine stops at the last of these rows.
        first = window.narrowed(scan, schema).head(_FIRST_ROWS).collect(engine="streaming")
        rows = scan.select(pl.len()).collect().item()
    except _unreadable() as error:
        raise _not_of(kind, files, error) from error
    of_row = max(float(first.estimated_size()) / max(first.height, 1), 1.0)
    if max(size, of_row * rows) <= _LARGE:
        return None
    return int(min(_BATCH_ROWS, max(_FIRST_ROWS, _BATCH_BYTES / of_row)))


def _readable(
    batches: "Iterator[pl.DataFrame]", kind: str, files: Sequence[Path]
) -> "Iterator[pl.DataFrame]":
    try:
        yield from batches
    except _unreadable() as error:
        raise _not_of(kind, files, error) from error


def _read_parquet(files: Sequence[Path], options: ReadOptions) -> FileRows:
    import polars as pl

    # A file's name may contain characters of a glob.
    return _read_lazily(
        files,
        options,
        "Parquet",
        lambda file: pl.scan_parquet(file, glob=False, hive_partitioning=False),
    )


def _read_arrow(files: Sequence[Path], options: ReadOptions) -> FileRows:
    import polars as pl

    def scan(file: Path) -> "pl.LazyFrame":
        content = file.read_bytes()  # in memory: a mapped file could change under the rows
        read = pl.read_ipc if content[:6] == b"ARROW1" else pl.read_ipc_stream
        return read(io.BytesIO(content)).lazy()

    return _read_lazily(files, options, "Arrow IPC", scan)


def _read_avro(files: Sequence[Path], options: ReadOptions) -> FileRows:
    import polars as pl

    return _read_lazily(
        files, options, "Avro", lambda file: pl.read_avro(io.BytesIO(read_bytes(file))).lazy()
    )


def _read_excel(files: Sequence[Path], options: ReadOptions) -> FileRows:
    findings: list[Finding] = []

    def scan(file: Path) -> "pl.LazyFrame":
        frame, found = _read_sheet(file, options.sheet)
        findings.extend(found)
        return frame.lazy()

    rows = _read_lazily(files, options, "an Excel file", scan)
    return FileRows(rows.batches, [*dict.fromkeys(findings), *rows.findings])


def _read_sheet(file: Path, sheet: str | None) -> "tuple[pl.DataFrame, list[Finding]]":
    import polars as pl

    excel = require("fastexcel", extra="files", purpose="rows from Excel files")
    try:
        names = excel.read_excel(file).sheet_names
    except Exception as error:
        raise _not_of("an Excel file", [file], error) from error
    if sheet is not None and sheet not in names:
        raise NotFoundError(
            what=f"{file.name} has no sheet {sheet!r}.", fix=did_you_mean(sheet, names), path=file
        )
    frame = pl.read_excel(file, sheet_name=sheet or names[0], infer_schema_length=None)
    if sheet is not None or len(names) == 1:
        return frame, []
    others = ", ".join(repr(name) for name in names[1:6])
    text = f"{file.name}: sheet {names[0]!r} was read; sheet= reads another ({others})."
    return frame, [Finding("info", "sheet", "", text)]


def _unreadable() -> tuple[type[BaseException], ...]:
    """Return the errors of polars on files that it cannot read; some end in a panic."""
    import polars as pl

    return (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)


def _not_of(kind: str, files: Sequence[Path], error: BaseException) -> DataError:
    return DataError(
        what=f"{files[0] if len(files) == 1 else f'One of {len(files)} files, from {files[0].name},'}"
        f" is not {kind}, or not all of it can be read: {summarize_error(error).rstrip('.')}.",
        fix="Give format= if the ending misleads; write columns of a type that is not read as text"
        " or numbers.",
        path=files[0],
    )


_READERS: dict[str, Callable[[Sequence[Path], ReadOptions], FileRows]] = {
    "csv": _read_csv,
    "parquet": _read_parquet,
    "json": _read_json,
    "arrow": _read_arrow,
    "avro": _read_avro,
    "excel": _read_excel,
}
