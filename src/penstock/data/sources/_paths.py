"""Where a source's files are: beside the pipeline, in a folder, or by a glob, in order of name."""

import os
import re
import sys
from pathlib import Path
from typing import Literal, TypeAlias

from penstock.core import DataError, NotFoundError, did_you_mean, find_project

Format: TypeAlias = Literal["csv", "parquet", "json"]

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
}


_MARKS = "*?["


def name_from(path: str) -> str:
    """Name a source after its file or folder.

    >>> name_from("data/trips 2016/*.csv")
    'trips-2016'
    """
    plain = [part for part in path.split("/") if part and not _has_mark(part)]
    stem = plain[-1].split(".")[0] if plain else ""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-._") or "files"


def caller_folder() -> Path | None:
    """Find the folder of the file that makes a source: a pipeline's data often lies beside it."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to see the caller's file
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        # A dataclass's __init__ is made from text and has no file.
        if frame.f_code.co_filename != "<string>" and not name.startswith("penstock."):
            file = Path(frame.f_code.co_filename)
            return file.resolve().parent if file.is_file() else None
        frame = frame.f_back
    return None


def find_files(path: str, home: Path | None) -> list[Path]:
    """Find a source's files in the first place that has them, in order of name.

    Raises:
        NotFoundError: If there are none, with the names that come near.
    """
    bases = _bases(home)
    for base in bases:
        found = _expand(base, path)
        if found:
            return found
    raise _no_file(path, bases)


def format_of(path: str, files: list[Path]) -> Format:
    """Tell the format by the files' endings.

    Raises:
        DataError: If they have none that is known, or several.
    """
    formats = {_by_ending(file) for file in files}
    only = formats.pop() if len(formats) == 1 else None
    if only is not None:
        return only
    endings = ", ".join(sorted({file.suffix or file.name for file in files})[:5])
    raise DataError(
        what=f"The format of {path} cannot be told from its ending ({endings}).",
        fix='Give format="csv", "parquet" or "json", or a glob such as "folder/*.csv".',
        path=path,
    )


def _bases(home: Path | None) -> list[Path]:
    folders = os.environ.get("PENSTOCK_PROJECT")
    if folders:
        return [Path(folder) for folder in folders.split(os.pathsep)]
    return list(dict.fromkeys([Path.cwd(), *([home] if home else []), find_project()]))


def _expand(base: Path, path: str) -> list[Path]:
    whole = base / path
    if whole.is_file():
        return [whole]
    if whole.is_dir():
        files = [file for file in whole.rglob("*") if _by_ending(file)]
    elif _has_mark(path):
        parts = Path(path).parts
        first = next(place for place, part in enumerate(parts) if _has_mark(part))
        files = list(base.joinpath(*parts[:first]).glob("/".join(parts[first:])))
    else:
        return []
    seen = [file for file in files if file.is_file() and not file.name.startswith((".", "_"))]
    return sorted(seen, key=lambda file: file.as_posix())


def _has_mark(text: str) -> bool:
    return any(mark in text for mark in _MARKS)


def _by_ending(file: Path) -> Format | None:
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    return FORMATS.get(suffixes[-1]) if suffixes else None


def _no_file(path: str, bases: list[Path]) -> NotFoundError:
    places = list(dict.fromkeys((base / path).parent for base in bases))
    near = {f.name for place in places if place.is_dir() for f in place.iterdir() if _by_ending(f)}
    return NotFoundError(
        what=f"There is no file {path}.",
        why=f"Looked in {', '.join(str(place) for place in places)}.",
        fix=did_you_mean(Path(path).name, near) or "Check the path.",
        path=path,
    )
