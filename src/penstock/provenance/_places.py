"""Places in the file system: those that count for a step, those named by texts, and contents."""

import importlib.util
import os
import re
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from penstock.provenance._stamps import kind_of

_PACKAGE = str(Path(__file__).resolve().parents[1])
_PATTERN = re.compile(r"[*?\[{]")


def named_place(text: str) -> str | None:
    """Return the place that a text names, if the place may be outside of the current folder.

    >>> named_place("/data/2024/*.csv"), named_place("file:///data/a.csv"), named_place("mean")
    ('/data/2024', '/data/a.csv', None)
    """
    text = text.removeprefix("file://")
    if text.startswith("~"):
        text = os.path.expanduser(text)  # noqa: PTH111 - hot
    if not text.startswith(("/", "..")):
        return None
    pattern = _PATTERN.search(text)
    if pattern is not None:
        text = os.path.dirname(text[: pattern.start()])  # noqa: PTH120 - hot
    return os.path.abspath(text)  # noqa: PTH100 - symbolic links stay as they are


def folder_at(number: int) -> str | None:
    """Return the path of an open folder; None for an open file of a different kind."""
    place = f"/proc/self/fd/{number}"
    return os.path.realpath(place) if kind_of(place) == "folder" else None


def files_in(folder: str) -> list[str]:
    """List the files that lie in a folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if entry.is_file())
    except OSError:
        return []


def source_of(path: str) -> str | None:
    """Return the source of a compiled file, if the source exists."""
    try:
        source = importlib.util.source_from_cache(path)
    except (ValueError, NotImplementedError):
        return None
    return source if kind_of(source) == "file" else None


def parents(path: str) -> Iterator[str]:
    """Yield the folders that contain a path, from the nearest on."""
    while (path := os.path.dirname(path)) != "/" and path:  # noqa: PTH120 - hot
        yield path


@cache
def skipped_places(project: str, skipped: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path prefixes that never count: penstock, the store, installed packages."""
    return (_PACKAGE, f"{project}/.penstock", *skipped, *_installed())


@cache
def passing_places() -> tuple[str, ...]:
    """Return the folders for short-lived files: temporary files, caches."""
    temporary = tempfile.gettempdir()
    caches = [Path.home() / ".cache" / name for name in ("matplotlib", "fontconfig", "pip", "uv")]
    return tuple(f"{place}/" for place in (temporary, os.path.realpath(temporary), *caches))


@cache
def _installed() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts", "include")
    places = {sysconfig.get_path(name) for name in names} | {sys.prefix}
    places |= {place for place in sys.path if "site-packages" in place or "dist-packages" in place}
    return tuple(place for place in places if place not in {"/", "/usr", "/usr/local"})
