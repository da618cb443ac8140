"""Paths among values: a path counts by the bytes of the file, or of all files in the folder."""

import time
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from penstock.core import digest_file

_UNSETTLED_S = 3.0
_SKIPPED = frozenset({"__pycache__"})


def path_record(path: PurePath, project: Path) -> tuple[Any, ...]:
    """Return the record of a path: the name, and the content of the file or folder.

    A folder that contains the project itself counts by name only: files that a step opens in the
    folder are recorded at that moment.

    Args:
        path: The path; a relative path is looked up from the current folder.
        project: The project's folder: paths inside are relative to this folder.
    """
    name = _name(path, project)
    head = ("path", type(path).__name__.removeprefix("Pure").replace("Windows", "Posix"), name)
    if type(path).__name__.startswith("Pure") or not isinstance(path, Path):
        return ("pure", type(path).__name__, path.as_posix())
    try:
        if path.is_file():
            return (*head, "file", file_digest(path))
        if path.is_dir() and not project.resolve().is_relative_to(path.resolve()):
            return (*head, "folder", folder_content(path))
    except OSError as error:
        return (*head, "unreadable", error.errno)
    return (*head, "name")


def folder_content(folder: Path) -> tuple[tuple[str, str], ...]:
    """List name and digest of every file in a folder and below, sorted."""
    files = sorted(item for item in folder.rglob("*") if item.is_file())
    return tuple(
        (item.relative_to(folder).as_posix(), file_digest(item))
        for item in files
        if not _SKIPPED & set(item.parts)
    )


def file_digest(path: Path) -> str:
    """Compute the digest of a file; a file unchanged since the last call is not read again."""
    facts = path.stat()
    if time.time() - max(facts.st_mtime, facts.st_ctime) < _UNSETTLED_S:
        return digest_file(path)  # clocks of file systems are coarse: the file may change once more
    return _digest(
        str(path.resolve()), facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
    )


@lru_cache(maxsize=4096)
def _digest(path: str, *_: int) -> str:
    return digest_file(Path(path))


def _name(path: PurePath, project: Path) -> str:
    if path.is_absolute() and path.is_relative_to(project):
        return path.relative_to(project).as_posix()
    return path.as_posix()
