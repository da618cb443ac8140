"""Location of a source's files: beside the pipeline, in a folder or by a glob, ordered by name."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, TypeAlias

from penstock.core import DataError, NotFoundError, did_you_mean, find_project
from penstock.data.sources._located import GLOB_MARKS, SourceFile

Format: TypeAlias = Literal["csv", "parquet", "json", "arrow", "avro", "excel"]

FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".data": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".avro": "avro",
    ".xlsx": "excel",
    ".xls": "excel",
    ".xlsb": "excel",
    ".ods": "excel",
}
_PACKED = frozenset({".gz", ".zst", ".zstd"})


_PROJECT: ContextVar[Path | None] = ContextVar("project", default=None)


def name_from(path: str) -> str:
    """Return the name of a source: that of the file or folder.

    >>> name_from("data/trips 2016/*.csv"), name_from("https://host/rates.csv?key=${KEY}")
    ('trips-2016', 'rates')
    """
    if path.startswith(("https://", "http://")):  # elsewhere, a question mark is part of a glob
        path = path.partition("?")[0]
    plain = [part for part in path.split("/") if part and not _has_mark(part)]
    stem = plain[-1].split(".")[0] if plain else ""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-._") or "files"


def caller_folder() -> Path | None:
    """Return the folder of the file that creates a source: a pipeline's data often lies there."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to see the caller's file
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        # A dataclass's __init__ is made from text and has no file.
        if frame.f_code.co_filename != "<string>" and not name.startswith("penstock."):
            file = Path(frame.f_code.co_filename)
            return file.resolve().parent if file.is_file() else None
        frame = frame.f_back
    return None


class LocalFiles:
    """Files on this machine's disk.

    Args:
        path: File, folder or glob.
        home: Folder of the file that created the source.
    """

    def __init__(self, path: str, home: Path | None) -> None:
        self._path, self._home = path, home

    def find(self) -> list[SourceFile]:
        """List the files in the first folder that has them, in order of name.

        Raises:
            NotFoundError: If there are none, with similar names.
        """
        bases = base_folders(self._home)
        for base in bases:
            root, found = _expand(base, self._path)
            if found:
                if not (base / self._path).is_file():
                    folders = {folder for file in found for folder in file.parents}
                    inside = {folder for folder in folders if folder.is_relative_to(root)}
                    require_no_table(
                        self._path, any((one / "_delta_log").is_dir() for one in inside)
                    )
                return [
                    SourceFile(
                        str(file), Path(os.path.relpath(file, root)).as_posix(), _state(file)
                    )
                    for file in found
                ]
        raise _no_file(self._path, bases)

    def fetch(self, files: Sequence[SourceFile], folder: Path) -> list[SourceFile]:  # noqa: ARG002 - they lie here
        """Return the files where they lie; see Location.fetch."""
        return [_checked(file) for file in files]


def require_no_table(path: str, is_delta: bool) -> None:
    """Refuse to read the files of a Delta table as they lie: deleted rows would be there again.

    Raises:
        DataError: If the folder is a table.
    """
    if is_delta:
        raise DataError(
            what=f"{path} is a Delta table.",
            why="Its files hold deleted and replaced rows too; the table's log says which count.",
            fix="Read it with ps.data.DeltaSource and the folder of the table.",
            path=path,
        )


def _state(file: Path) -> dict[str, Any]:
    fact = file.stat()
    return {"size": fact.st_size, "mtime_ns": fact.st_mtime_ns}


def _checked(file: SourceFile) -> SourceFile:
    path = Path(file.key)
    if not path.is_file():
        raise DataError(
            what=f"{file.key} is gone.",
            why="The rows that it held cannot be read again from there.",
            fix="The rows of the earlier run are in its snapshot.",
            path=path,
        )
    if _state(path) != file.state:
        raise DataError(
            what=f"{file.key} changed since it was listed or recorded.",
            why="Other rows would be read.",
            fix="Run again for the rows of now; the rows of an earlier run are in its snapshot.",
            path=path,
        )
    return file.at(path, file.state)


def format_of(path: str, files: Sequence[Path]) -> Format:
    """Return the format by the files' endings.

    Raises:
        DataError: If the endings are unknown, or differ.
    """
    formats = {_by_ending(file) for file in files}
    only = formats.pop() if len(formats) == 1 else None
    if only is not None:
        return only
    endings = ", ".join(sorted({file.suffix or file.name for file in files})[:5])
    raise DataError(
        what=f"The format of {path} cannot be told from its ending ({endings}).",
        fix=f"Give format= ({', '.join(dict.fromkeys(FORMATS.values()))}), or a glob such as"
        ' "folder/*.csv".',
        path=path,
    )


@contextmanager
def resolving_in(project: Path) -> Iterator[None]:
    """Resolve relative paths as a run in a project's folder does, whatever the working folder."""
    before = _PROJECT.set(project)
    try:
        yield
    finally:
        _PROJECT.reset(before)


def base_folders(home: Path | None) -> list[Path]:
    """List the folders in which a relative path is looked up, the same for every way to start.

    The folder of the file that created the source comes first: independent of user and working
    folder. A restored copy of that file, which `verify` executes, lies in none of the folders named
    by PENSTOCK_PROJECT; those come first then.
    """
    named, project = os.environ.get("PENSTOCK_PROJECT"), _PROJECT.get()
    folders = [Path(folder) for folder in named.split(os.pathsep)] if named else []
    if project is not None:
        folders = [project]
    if not folders:
        folders, named = [find_project(), Path.cwd()], None
    if home is None:
        return list(dict.fromkeys(folders))
    inside = any(home.is_relative_to(folder.resolve()) for folder in folders)
    first, last = ([home], []) if inside or not named else ([], [home])
    return list(dict.fromkeys([*first, *folders, *last]))


def _expand(base: Path, path: str) -> tuple[Path, list[Path]]:
    """Return the folder that partitions are read below, and the files."""
    whole = base / path
    if whole.is_file():
        return whole.parent, [whole]
    if whole.is_dir():
        root = whole
        files = [file for file in whole.rglob("*") if _by_ending(file)]
    elif _has_mark(path):
        parts = Path(path).parts
        first = next(place for place, part in enumerate(parts) if _has_mark(part))
        root = base.joinpath(*parts[:first])
        files = list(root.glob("/".join(parts[first:])))
    else:
        return whole, []
    seen = [file for file in files if file.is_file() and not file.name.startswith((".", "_"))]
    return root, sorted(seen, key=lambda file: file.as_posix())


def _has_mark(text: str) -> bool:
    return any(mark in text for mark in GLOB_MARKS)


def _by_ending(file: Path) -> Format | None:
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() not in _PACKED]
    return FORMATS.get(suffixes[-1]) if suffixes else None


def _no_file(path: str, bases: list[Path]) -> NotFoundError:
    places = list(dict.fromkeys((base / path).parent for base in bases))
    inner = [place for place in places if _is_inside(place, bases)]
    near = {f.name for place in inner if place.is_dir() for f in place.iterdir() if _by_ending(f)}
    hint = did_you_mean(Path(path).name, near)
    folder = next((base / path for base in bases if (base / path).is_dir()), None)
    if folder is not None:
        return NotFoundError(
            what=f"The folder {path} has no data files.",
            why="A folder is read by the endings of its files.",
            fix=f"Name the file, or a folder with files that end in {', '.join(FORMATS)}.",
            path=path,
        )
    return NotFoundError(
        what=f"There is no file {path}.",
        why=f"Looked in {', '.join(os.path.normpath(place) for place in places)}.",
        # A list of the other files there would carry foreign names into logs and hooks.
        fix=hint if hint.startswith("Did") else "Check the path.",
        path=path,
    )


def _is_inside(place: Path, bases: list[Path]) -> bool:
    return any(place.resolve().is_relative_to(base.resolve()) for base in bases)
