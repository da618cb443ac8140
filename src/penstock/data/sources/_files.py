"""FileSource: rows from a file, a folder or a glob, on the disk, in a bucket or on the web."""

import copy
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from penstock.core import DataError, ParameterError, did_you_mean, digest_file, require_type
from penstock.data._moments import Moment, TimeColumn
from penstock.data.sources._arguments import (
    require_address,
    require_facts,
    require_mapping,
    require_names,
    require_texts,
    settle_time,
)
from penstock.data.sources._batches import collect
from penstock.data.sources._csv import CsvForm
from penstock.data.sources._formats import ReadOptions, read_files
from penstock.data.sources._located import Location, SourceFile, naming_files
from penstock.data.sources._objects import BUCKET_SCHEMES, Bucket
from penstock.data.sources._partitions import partitions_of, prune, type_partitions
from penstock.data.sources._paths import (
    FORMATS,
    Format,
    LocalFiles,
    caller_folder,
    format_of,
    name_from,
)
from penstock.data.sources._protocol import Reading, Scan
from penstock.data.sources._references import require_no_secrets
from penstock.data.sources._typing import TYPES
from penstock.data.sources._web import WEB_SCHEMES, WebFile
from penstock.data.sources._window import Window
from penstock.tables.reading import MARKS, ReadingRule

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class FileSource:
    """Rows from a file, from all files of a folder, or from a glob, in the order of their names.

    >>> source = FileSource("trips/*.csv", time="started_at")
    >>> source.name, source.time
    ('trips', 'started_at')

    A relative path is looked up beside the file that created the source, in the project's folder
    and in the working folder, however the run is started; PENSTOCK_PROJECT sets different folders
    than the last two. A URL (``s3://``, ``gs://``, ``az://``, ``https://``) names objects; their
    credentials come from the environment, and their versions or ETags are recorded.

    Args:
        path: File, folder or glob, or the URL of one. ``.gz`` or ``.zst`` may follow the ending.
            Folders named ``column=value`` give their rows that column.
        name: Name in lineage; by default from the path.
        time: Column with the time of a row, or a date column and an hour column.
        time_format: Format of that column in strftime codes, if neither ISO nor epoch.
        available_at: Column with the time at which a row became known, if that was later.
        format: ``csv``, ``parquet``, ``json`` (an object per line), ``arrow``, ``avro`` or
            ``excel``; by default from the ending.
        columns: Column names of a CSV file without a header; a first line with just these names
            still counts as a header.
        has_header: Whether the first CSV line contains names; ignored if ``columns`` is passed.
        missing: CSV text or texts that mean "no value"; the default texts only outside of quotes.
        separator: CSV separator; by default the candidate of ``, ; tab |`` that cuts most lines
            alike.
        types: Types of CSV columns, by name: ``text``, ``integer``, ``number``, ``boolean``,
            ``date``, ``datetime`` or strftime codes; the rest is inferred.
        decimal: Decimal mark of a CSV file's numbers, ``.`` or ``,``; by default inferred.
        sheet: Sheet of an Excel file; by default the first.
    """

    path: str | os.PathLike[str]
    name: str = field(default="", kw_only=True)
    time: TimeColumn | None = field(default=None, kw_only=True)
    time_format: str | None = field(default=None, kw_only=True)
    available_at: str | None = field(default=None, kw_only=True)
    format: Format | None = field(default=None, kw_only=True)
    columns: Sequence[str] | None = field(default=None, kw_only=True)
    has_header: bool = field(default=True, kw_only=True)
    missing: str | Sequence[str] = field(default=MARKS, kw_only=True)
    separator: str | None = field(default=None, kw_only=True)
    types: Mapping[str, str] = field(default_factory=dict, kw_only=True, hash=False)
    decimal: str | None = field(default=None, kw_only=True)
    sheet: str | None = field(default=None, kw_only=True)
    _home: Path | None = field(default=None, init=False, repr=False, compare=False)
    _rules: Mapping[str, ReadingRule] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _pinned: tuple[SourceFile, ...] | None = field(
        default=None, init=False, repr=False, compare=False
    )
    _as_written: frozenset[str] = field(default=frozenset(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = require_address(
            "FileSource", "path", self.path, 'FileSource("rides.csv")', paths=True
        )
        text = text if _scheme(text) else Path(text).as_posix()
        _require_texts(self)
        marks = (self.missing,) if isinstance(self.missing, str) else self.missing
        columns = self.columns
        settle = {
            "path": text,
            "name": self.name or name_from(text),
            "columns": None
            if columns is None
            else require_names("FileSource", "columns", columns, '["id", "at"]'),
            "missing": require_names("FileSource", "missing", marks, '["", "NA"]'),
            "types": require_mapping("FileSource", "types", self.types, '{"id": "text"}'),
            "time": settle_time("FileSource", self.time),
            "_home": caller_folder(),
        }
        for key, value in settle.items():
            object.__setattr__(self, key, value)
        _require_settings(self)

    @property
    def is_traced(self) -> bool:
        """Whether the trace of a step sees the reading: local files are opened by the step."""
        return not _scheme(self.path)

    def describe(self) -> dict[str, Any]:
        """Return the source's description as plain JSON, without the files' state."""
        later = {"available_at": self.available_at, "sheet": self.sheet}
        return {
            **{name: value for name, value in later.items() if value is not None},
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
        self, since: Moment | None = None, cutoff: Moment | None = None
    ) -> dict[str, Any] | None:
        """Return the files' state: the description, and the state of each file by name.

        Of local files that is the SHA-256, of objects version or ETag. Files whose partition
        (``day=…``) lies outside the window do not count. None if a server tells no state.

        Raises:
            NotFoundError: If there is no such file.
        """
        files = self._files(Window.of(self, since, cutoff) if self.time else None)
        if not _scheme(self.path):
            # By their place below the folder: a part of the name may be a column (day=…).
            states: dict[str, Any] = {file.name: digest_file(Path(file.key)) for file in files}
        elif all(file.state for file in files):
            states = {file.name: dict(file.state) for file in files}
        else:
            return None
        return {**self.describe(), "files": states}

    def stamp(self) -> dict[str, Any]:
        """Return the recorded state of each file: cheap, and different whenever that differs.

        Raises:
            NotFoundError: If there is no such file.
        """
        return {file.key: list(file.state.values()) for file in self._files()}

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

    def as_written(self, names: Iterable[str]) -> Self:
        """Return a copy that leaves a CSV column as text where some of its values cannot be read.

        For who judges each value: otherwise a few such values become missing, and a column of many
        becomes text. The reading's rule is that of the values that can be read. A column of a JSON
        file whose values are of several types holds them as JSON, with a rule that says so.

        Args:
            names: The columns.
        """
        copied = copy.copy(self)
        object.__setattr__(copied, "_as_written", frozenset(names))
        return copied

    def pinned(self, facts: Mapping[str, Any]) -> Self:
        """Return a copy that reads the recorded files in their recorded state; see PinnedSource.

        An object's earlier version is read where the bucket keeps versions. A file that changed or
        is gone is named when it is read.
        """
        copied, facts = copy.copy(self), require_facts(self.name, facts, "files")
        files = tuple(SourceFile.from_json(file) for file in facts["files"])
        object.__setattr__(copied, "_pinned", files)
        return copied

    def scan(self, since: Moment | None = None, cutoff: Moment | None = None) -> Scan:
        """Read like ``read``, with findings about names, types and rows without a time."""
        window = Window.of(self, since, cutoff)
        with ExitStack() as kept:
            folder = kept.enter_context(tempfile.TemporaryDirectory(prefix="penstock-"))
            files = self._fetch(self._files(window), Path(folder), window)
            places = [file.path for file in files if file.path is not None]
            options = ReadOptions(
                window,
                type_partitions(partitions_of(files)),
                CsvForm(
                    self.separator,
                    self.has_header,
                    None if self.columns is None else tuple(self.columns),
                    tuple(self.missing),
                ),
                self.types,
                self.decimal,
                self._rules,
                self.sheet,
                self._as_written,
                Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="penstock-rows-"))),
            )
            with naming_files(files):
                rows = read_files(self.format or format_of(str(self.path), places), places, options)
            facts = {"files": [file.to_json() for file in files]}
            reading = Reading(facts, rows.findings, dict(rows.rules))
            if isinstance(rows.batches, list):
                self._require_rows(rows.batches)
                return Scan(rows.batches, reading)
            # Files from elsewhere stay until the last batch.
            kept.enter_context(naming_files(files))
            return Scan(self._until_read(rows.batches, kept.pop_all()), reading)

    def _until_read(
        self, batches: "Iterable[pl.DataFrame]", kept: ExitStack
    ) -> "Iterator[pl.DataFrame]":
        with kept:
            has_rows = False
            for batch in batches:
                has_rows |= batch.height > 0
                yield batch
            if not has_rows:
                self._require_rows([])

    def _require_rows(self, batches: "Sequence[pl.DataFrame]") -> None:
        if any(batch.height for batch in batches):
            return
        raise DataError(
            what=f"{self.path} has no rows.",
            why="There is nothing to learn from.",
            fix="Give a file with rows.",
            path=self.path,
        )

    def _fetch(self, files: Sequence[SourceFile], folder: Path, window: Window) -> list[SourceFile]:
        location = self._location()
        if isinstance(location, Bucket):
            names = [Path(file.key) for file in files]
            is_parquet = (self.format or format_of(str(self.path), names)) == "parquet"
            return location.fetch(files, folder, window if is_parquet else None)
        return location.fetch(files, folder)

    def _location(self) -> Location:
        scheme = _scheme(self.path)
        if scheme in BUCKET_SCHEMES:
            return Bucket(str(self.path))
        if scheme in WEB_SCHEMES:
            return WebFile(str(self.path))
        return LocalFiles(str(self.path), self._home)

    def _files(self, window: Window | None = None) -> list[SourceFile]:
        if self._pinned is not None:
            return list(self._pinned)
        files = self._location().find()
        return files if window is None else prune(files, window, partitions_of(files))


def _scheme(path: str | os.PathLike[str]) -> str:
    """Return the scheme of a URL; empty for a path.

    >>> _scheme("s3://bucket/a.csv"), _scheme("data/a.csv")
    ('s3', '')
    """
    scheme, mark, _ = str(path).partition("://")
    return scheme.lower() if mark and scheme.isalnum() else ""


def _require_texts(source: FileSource) -> None:
    require_texts(
        "FileSource",
        name=source.name,
        time_format=source.time_format,
        available_at=source.available_at,
        separator=source.separator,
        sheet=source.sheet,
    )
    require_type("has_header= of FileSource", source.has_header, bool, "Give True or False.")
    if source.separator is not None and len(source.separator) != 1:
        raise ParameterError(
            what=f"separator= of FileSource is {source.separator!r}.",
            fix='Give the one character between values, such as ";" or "\\t".',
        )


def _require_settings(source: FileSource) -> None:
    scheme = _scheme(source.path)
    if scheme and scheme not in BUCKET_SCHEMES | WEB_SCHEMES:
        raise DataError(
            what=f"{scheme}:// is no place of files.",
            fix=did_you_mean(scheme, sorted(BUCKET_SCHEMES | WEB_SCHEMES)),
        )
    if scheme:
        require_no_secrets("FileSource", str(source.path))
    if source.format is not None and source.format not in FORMATS.values():
        raise DataError(
            what=f"format={source.format!r} is not known.",
            fix=did_you_mean(str(source.format), FORMATS.values()),
        )
    for column, declared in source.types.items():
        if declared not in TYPES and "%" not in str(declared):
            raise DataError(
                what=f"types= says that {column!r} is {declared!r}, which is no type.",
                fix=did_you_mean(str(declared), TYPES),
                column=column,
            )
    if source.decimal not in (None, ".", ","):
        raise DataError(
            what=f"decimal={source.decimal!r} is no decimal mark.", fix='Give "." or ",".'
        )
