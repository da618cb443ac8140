"""ProjectSource: where a new project's rows come from, as a source and as code of the pipeline."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from penstock.core import NotFoundError, ParameterError, did_you_mean
from penstock.data import DataSource, DeltaSource, FileSource, KafkaSource, SqlSource
from penstock.data.sources import SqlAddress, is_database, is_delta_table, open_source
from penstock.scaffolding._layout import Bracketed, BracketElement
from penstock.scaffolding._times import TimeForm
from penstock.scaffolding._writing import quote, write_list, write_tuple

_NEAR = 3
_PUBLIC = (FileSource, SqlSource, DeltaSource, KafkaSource)
_FILES = {".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".duckdb": "duckdb"}
# Names that sources derive from the place of the rows.
_DERIVED = frozenset({"name"})


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The options for reading a table beside path and URL.

    Attributes:
        table: Table of a database.
        query: A SELECT, in the place of a table.
        columns: Column names, if a file has no header.
        has_header: Whether the first line of a file contains names.
    """

    table: str | None = None
    query: str | None = None
    columns: tuple[str, ...] | None = None
    has_header: bool = True


@dataclass(frozen=True, slots=True)
class ProjectSource:
    """Where a new project's rows come from.

    Attributes:
        source: The source; local paths are absolute.
        text: The file or URL as given, for a source that a package brings.
    """

    source: DataSource
    text: str = field(default="")

    @property
    def label(self) -> str:
        """The table for people: name of the file, or of the table with the database."""
        match self.source:
            case FileSource() | DeltaSource():
                return Path(str(self.source.path).partition("?")[0]).name
            case SqlSource():
                return f"{self.source.name} in {SqlAddress.of(self.source.url).place}"
            case _:
                return self.source.name

    @property
    def can_read(self) -> bool:
        """Whether the source has a method that returns rows."""
        return isinstance(self.source, FileSource | SqlSource)

    def with_time(self, form: TimeForm | None) -> "ProjectSource":
        """Return the source with a time column.

        Raises:
            ParameterError: If there is a different time column that cannot be changed.
        """
        if form is None:
            return replace(self, source=_replace(self.source, time=None, time_format=None))
        first, *hours = form.columns
        time = (first, hours[0]) if hours else first
        if not isinstance(self.source, _PUBLIC):
            if self.source.time == time:
                return self
            raise ParameterError(
                what=f"{type(self.source).__name__} has the time column {self.source.time!r}, not"
                f" {time!r}.",
                fix="Name the time column in the URL, in the way of the package of the source.",
            )
        time_options = {"time": time, "time_format": form.time_format}
        return replace(self, source=_replace(self.source, **time_options))

    def code(self, folder: Path) -> Bracketed:
        """Return the call that creates the source in a file of a folder."""
        if not isinstance(self.source, _PUBLIC):
            return Bracketed("open_source(", [BracketElement(quote(self.text))], ")")
        items = list(_arguments(self.source, folder))
        package = "ps" if isinstance(self.source, FileSource) else "ps.data"
        return Bracketed(f"{package}.{type(self.source).__name__}(", items, ")")

    @property
    def import_line(self) -> str:
        """The import that the call needs beside penstock itself; empty if none."""
        is_public = isinstance(self.source, _PUBLIC)
        return "" if is_public else "from penstock.data.sources import open_source"


def find_source(data: str | Path, options: SourceOptions) -> ProjectSource:
    """Return the source that a path or URL names.

    >>> found = find_source("postgresql://db/shop", SourceOptions(table="rides"))
    >>> found.label, found.code(Path()).flat()
    ('rides in db/shop', 'ps.data.SqlSource("postgresql://db/shop", table="rides")')

    Args:
        data: File, folder or glob, or URL; see ``open_source``.
        options: Options beside path and URL.

    Raises:
        NotFoundError: If there is no such file.
        ParameterError: If an option does not fit the source, or no source has the URL's scheme.
    """
    text = str(data)
    if (options.table or options.query) and not is_database(text):
        text = _as_database(text, options)
    if is_database(text):
        source: DataSource = _database(text, options)
    elif "://" not in text:
        source = open_source(str(_find_file(Path(text))))
    else:
        source = DeltaSource(text) if is_delta_table(text) else open_source(text)
    if options.columns or not options.has_header:
        if not isinstance(source, FileSource):
            raise ParameterError(
                what=f"--columns and --no-header are options of a CSV file, and {text} is none.",
                why="The columns of other tables have names.",
                fix="Leave them out.",
            )
        source = replace(source, columns=options.columns, has_header=options.has_header)
    return ProjectSource(source, text)


def _database(text: str, options: SourceOptions) -> SqlSource:
    url_options = [name for name in ("table", "query") if f"{name}=" in text.partition("?")[2]]
    named_options = {
        name: value for name in ("table", "query") if (value := getattr(options, name))
    }
    if len(url_options) + len(named_options) != 1:
        said = " and ".join([*url_options, *named_options])
        raise ParameterError(
            what=f"The database has many tables, and {said or 'no table'} is named.",
            why="A pipeline begins with the rows of one table or query.",
            fix='Name one: --table rides, or --query "SELECT …".',
        )
    place = text
    if SqlAddress.of(text).kind.is_file:
        scheme, _, rest = text.partition(":///")
        path, mark, others = rest.partition("?")
        place = f"{scheme}:///{_find_file(Path(path))}{mark}{others}"
    if url_options:
        return SqlSource.from_url(place)
    return SqlSource(place, **named_options)


def _as_database(text: str, options: SourceOptions) -> str:
    """Return the URL of a database in a file."""
    scheme = _FILES.get(Path(text).suffix.lower())
    if scheme is None:
        option = "--table" if options.table else "--query"
        raise ParameterError(
            what=f"{option} is an option of a database, and {text} is none.",
            why="A file or folder is a single table.",
            fix="Leave it out, or give a database: postgresql://host/shop, sqlite:///shop.db.",
        )
    return f"{scheme}:///{text}"


def _find_file(path: Path) -> Path:
    path = path.expanduser().absolute()
    if path.exists() or any(mark in str(path) for mark in "*?["):
        return path
    near = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = did_you_mean(path.name, near)
    raise NotFoundError(
        what=f"There is no file {path}.",
        fix=hint if hint.startswith("Did") else "Check the path.",
        path=str(path),
    )


def _replace(source: DataSource, **changes: Any) -> DataSource:
    if not isinstance(source, _PUBLIC):
        return source
    changed = replace(source, **changes)
    assert isinstance(changed, DataSource)
    return changed


def _arguments(source: Any, folder: Path) -> list[BracketElement]:  # Any: each a dataclass
    """Return the arguments that differ from the defaults; local paths start from the folder."""
    place, *others = [each for each in fields(source) if each.init]
    items = [BracketElement(quote(_path_for(str(getattr(source, place.name)), folder)))]
    for each in others:
        value = getattr(source, each.name)
        default = each.default if each.default is not MISSING else _made(each.default_factory)
        if each.name in _DERIVED or value == default or value in ((), None):
            continue
        # A file's names make its header's presence no matter.
        if each.name == "has_header" and getattr(source, "columns", None):
            continue
        items.append(_argument(each.name, value))
    return items


def _made(factory: Any) -> Any:
    return None if factory is MISSING else factory()


def _argument(name: str, value: Any) -> BracketElement:
    match value:
        case tuple() if name == "time":
            return BracketElement(f"{name}=", write_tuple(value))
        case str():
            return BracketElement(f"{name}={quote(value)}")
        case Mapping():
            pairs = [BracketElement(f"{quote(key)}: {quote(one)}") for key, one in value.items()]
            return BracketElement(f"{name}=", Bracketed("{", pairs, "}"))
        case Sequence():
            return BracketElement(f"{name}=", write_list(value))
        case _:
            return BracketElement(f"{name}={value!r}")


def _path_for(place: str, folder: Path) -> str:
    """Return a near path relative to the project, so that both can be moved together."""
    scheme, mark, rest = place.partition(":///")
    if mark:  # a database in a file
        path, question, others = rest.partition("?")
        return f"{scheme}:///{_relative(path, folder)}{question}{others}"
    return place if "://" in place else _relative(place, folder)


def _relative(path: str, folder: Path) -> str:
    relative = Path(os.path.relpath(path, folder))
    near = sum(part == ".." for part in relative.parts) < _NEAR
    return relative.as_posix() if near else Path(path).as_posix()
