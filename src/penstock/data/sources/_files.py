"""FileSource: rows from a CSV, Parquet or JSON-lines file, a folder of files, or a glob."""

import copy
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from penstock.core import DataError, did_you_mean, digest_file
from penstock.data._finding import Finding
from penstock.data._moments import Moment, TimeColumn, time_columns
from penstock.data.sources._batches import collect
from penstock.data.sources._csv import CsvForm, read_csv
from penstock.data.sources._paths import (
    FORMATS,
    Format,
    caller_folder,
    find_files,
    format_of,
    name_from,
)
from penstock.data.sources._protocol import Scan
from penstock.data.sources._same_form import require_same_columns, require_same_types
from penstock.data.sources._text import read_bytes
from penstock.data.sources._typing import TYPES, TypeOptions, type_columns, without_marks
from penstock.data.sources._window import Window
from penstock.tables.reading import MARKS, ReadingRule, read_iso, time_rule

if TYPE_CHECKING:
    import polars as pl


class _Rows(NamedTuple):
    table: "pl.DataFrame"
    findings: tuple[Finding, ...] = ()
    rules: Mapping[str, ReadingRule] = {}


@dataclass(frozen=True)
class FileSource:
    """Rows from a file, from all files of a folder, or from a glob, in the order of their names.

    >>> source = FileSource("trips/*.csv", time="started_at")
    >>> source.name, source.time
    ('trips', 'started_at')

    A relative path is looked up beside the file that created the source, in the project's folder
    and in the working folder, however the run is started; PENSTOCK_PROJECT sets different folders
    than the last two.

    Args:
        path: File, folder or glob. ``.gz`` may follow the format's ending.
        name: Name in lineage; by default from the path.
        time: Column with the time of a row, or a date column and an hour column.
        time_format: Format of that column in strftime codes, if neither ISO nor epoch.
        available_at: Column with the time at which a row became known, if that was later.
        format: ``csv``, ``parquet`` or ``json`` (an object per line); by default from the ending.
        columns: Column names of a CSV file without a header; a first line with just these names
            still counts as a header.
        has_header: Whether the first CSV line contains names; ignored if ``columns`` is passed.
        missing: CSV texts that mean "no value"; the default texts only outside of quotes.
        separator: CSV separator; by default the candidate of ``, ; tab |`` that cuts most lines
            alike.
        types: Types of CSV columns, by name: ``text``, ``integer``, ``number``, ``boolean``,
            ``date``, ``datetime`` or strftime codes; the rest is inferred.
        decimal: Decimal mark of a CSV file's numbers, ``.`` or ``,``; by default inferred.
    """

    path: str | os.PathLike[str]
    name: str = field(default="", kw_only=True)
    time: TimeColumn | None = field(default=None, kw_only=True)
    time_format: str | None = field(default=None, kw_only=True)
    available_at: str | None = field(default=None, kw_only=True)
    format: Format | None = field(default=None, kw_only=True)
    columns: Sequence[str] | None = field(default=None, kw_only=True)
    has_header: bool = field(default=True, kw_only=True)
    missing: Sequence[str] = field(default=MARKS, kw_only=True)
    separator: str | None = field(default=None, kw_only=True)
    types: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    decimal: str | None = field(default=None, kw_only=True)
    _home: Path | None = field(default=None, init=False, repr=False, compare=False)
    _rules: Mapping[str, ReadingRule] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        text = Path(self.path).as_posix()
        settle = {
            "path": text,
            "name": self.name or name_from(text),
            "columns": None if self.columns is None else tuple(self.columns),
            "missing": tuple(self.missing),
            "types": dict(self.types),
            "time": self.time
            if self.time is None or isinstance(self.time, str)
            else tuple(self.time),
            "_home": caller_folder(),
        }
        for key, value in settle.items():
            object.__setattr__(self, key, value)
        _require_settings(self)

    @property
    def is_traced(self) -> bool:
        """Whether the trace of a step sees the reading: the files are opened by the step."""
        return True

    def describe(self) -> dict[str, Any]:
        """Return the source's description as plain JSON, without the files' state."""
        known = {} if self.available_at is None else {"available_at": self.available_at}
        return {
            **known,
            "type": "FileSource",
            "name": self.name,
            "path": str(self.path),
            "time": list(self.time) if isinstance(self.time, tuple) else self.time,
            "time_format": self.time_format,
            "format": self.format,
            "columns": None if self.columns is None else list(self.columns),
            "has_header": self.has_header,
            "missing": list(self.missing),
            "separator": self.separator,
            "types": dict(self.types),
            "decimal": self.decimal,
        }

    def fingerprint(
        self,
        since: Moment | None = None,  # noqa: ARG002 - which file has rows of the window is not known
        cutoff: Moment | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Return the files' state: the description, and the SHA-256 of each file by name.

        Raises:
            NotFoundError: If there is no such file.
        """
        files = self._files()
        root = files[0].parent
        return {
            **self.describe(),
            "files": {os.path.relpath(file, root): digest_file(file) for file in files},
        }

    def stamp(self) -> dict[str, Any]:
        """Return size and time of each file: cheap, and different whenever the state differs.

        Raises:
            NotFoundError: If there is no such file.
        """
        facts = {str(file): file.stat() for file in self._files()}
        return {name: [fact.st_size, fact.st_mtime_ns] for name, fact in facts.items()}

    def read(self, since: Moment | None = None, cutoff: Moment | None = None) -> "pl.DataFrame":
        """Read the rows with ``since <= time < cutoff``.

        Raises:
            NotFoundError: If the file or the time column does not exist.
            DataError: If a file cannot be read, or no row is left.
        """
        return collect(self.scan(since, cutoff), self.name)

    def remembering(self, rules: Mapping[str, ReadingRule]) -> Self:
        """Return a copy whose known columns keep their types; see RememberingSource."""
        copied = copy.copy(self)
        object.__setattr__(copied, "_rules", dict(rules))
        return copied

    def scan(self, since: Moment | None = None, cutoff: Moment | None = None) -> Scan:
        """Read like ``read``, with findings about names, types and rows without a time."""
        window = Window.of(self, since, cutoff)
        files = self._files()
        readers: dict[str, Callable[[list[Path], Window], _Rows]] = {
            "csv": self._read_csv,
            "parquet": self._read_parquet,
            "json": self._read_json,
        }
        reading = readers[self.format or format_of(str(self.path), files)](files, window)
        if not reading.table.height:
            raise DataError(
                what=f"{self.path} has no rows.",
                why="There is nothing to learn from.",
                fix="Give a file with rows.",
                path=self.path,
            )
        return Scan.of(reading.table, reading.findings, reading.rules)

    def _read_csv(self, files: list[Path], window: Window) -> _Rows:
        import polars as pl

        names = None if self.columns is None else tuple(self.columns)
        form = CsvForm(self.separator, self.has_header, names, tuple(self.missing))
        parts = [read_csv(file, form) for file in files]
        require_same_columns(
            [(file, part.table.columns) for file, part in zip(files, parts, strict=True)]
        )
        raw = pl.concat([part.table for part in parts])
        times = [name for name in time_columns(self.time) if name in raw.columns]
        # Missing marks first: the window would refuse them as times.
        raw = raw.with_columns(without_marks(raw[name], tuple(self.missing)) for name in times)
        table, found = window.keep(raw)
        options = TypeOptions(
            missing=tuple(self.missing),
            declared=self.types,
            decimal=self.decimal,
            remembered=self._rules,
            separator=parts[0].separator,
        )
        # After the cut: no type may depend on rows outside of the window.
        typed = type_columns(table, options)
        notes = (finding for part in parts for finding in part.findings)
        rules = {**typed.rules, **self._rule_of_time(raw, table)}
        return _Rows(typed.table, (*dict.fromkeys(notes), *found, *typed.findings), rules)

    def _rule_of_time(self, raw: "pl.DataFrame", table: "pl.DataFrame") -> dict[str, ReadingRule]:
        """Return the rule of the main time column, from before the window read the column."""
        if self.time is None:
            return {}
        name = time_columns(self.time)[0]
        return {name: time_rule(raw[name], table[name], self.time_format)}

    def _read_json(self, files: list[Path], window: Window) -> _Rows:
        import polars as pl

        parts = [part for part in map(_read_json_file, files) if part.width]
        if not parts:
            return _Rows(pl.DataFrame())
        # Objects may lack a field, and files differ in which fields their objects have.
        raw = pl.concat(parts, how="diagonal_relaxed")
        table, findings = window.keep(raw)
        return _Rows(_read_iso_columns(table), findings, self._rule_of_time(raw, table))

    def _read_parquet(self, files: list[Path], window: Window) -> _Rows:
        import polars as pl

        try:
            # A file's name may contain characters of a glob.
            scans = [pl.scan_parquet(file, glob=False) for file in files]
            schemas = [scan.collect_schema() for scan in scans]
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(
                what=f"{self.path} is not Parquet: {str(error).splitlines()[0]}",
                fix="Give format= if the ending misleads.",
                path=self.path,
            ) from error
        require_same_columns([(f, s.names()) for f, s in zip(files, schemas, strict=True)])
        require_same_types(files, schemas)
        table, findings = window.keep_lazily(pl.concat(scans), schemas[0])
        return _Rows(table, findings)

    def _files(self) -> list[Path]:
        return find_files(str(self.path), self._home)


def _require_settings(source: FileSource) -> None:
    if source.format is not None and source.format not in FORMATS.values():
        raise DataError(
            what=f"format={source.format!r} is not known.",
            fix=did_you_mean(str(source.format), FORMATS.values()),
        )
    pair = source.time
    if isinstance(pair, tuple) and len(pair) != 2:  # noqa: PLR2004 - a date and an hour
        raise DataError(
            what=f"time={pair!r} names {len(pair)} columns.",
            fix='Name one column, or a date column and an hour column: time=("day", "hour").',
        )
    for column, declared in source.types.items():
        if declared not in TYPES and "%" not in declared:
            raise DataError(
                what=f"types= says that {column!r} is {declared!r}, which is no type.",
                fix=did_you_mean(declared, TYPES),
                column=column,
            )
    if source.decimal not in (None, ".", ","):
        raise DataError(
            what=f"decimal={source.decimal!r} is no decimal mark.", fix='Give "." or ",".'
        )


def _read_json_file(file: Path) -> "pl.DataFrame":
    import polars as pl

    content = read_bytes(file)
    if not content.strip():
        return pl.DataFrame()
    try:
        if content.lstrip().startswith(b"["):
            return pl.read_json(io.BytesIO(content), infer_schema_length=None)
        return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            what=f"{file.name} is not JSON lines: {str(error).splitlines()[0]}",
            fix='Write one object a line: {"a": 1, "b": "x"}.',
            path=file,
        ) from error


def _read_iso_columns(table: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    texts = [series for series in table.iter_columns() if series.dtype == pl.String]
    times = [read_iso(series) for series in texts]
    return table.with_columns([series for series in times if series is not None])
