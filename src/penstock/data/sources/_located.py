"""SourceFile: a file or an object of a source, with its state and its place on the disk."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from penstock.core import PenstockError

GLOB_MARKS = "*?["


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file or an object that rows are read from.

    Args:
        key: Path or key by which it is fetched.
        name: The key relative to the source's root.
        state: What distinguishes its content: size, ETag, version, time.
        path: Place on the disk; None until it is fetched.
    """

    key: str
    name: str
    state: Mapping[str, Any]
    path: Path | None = None

    def at(self, path: Path, state: Mapping[str, Any]) -> "SourceFile":
        """Return the file as it was fetched."""
        return replace(self, path=path, state=state)

    def to_json(self) -> dict[str, Any]:
        """Return key, name and state as plain JSON, for the facts of a reading."""
        return {"key": self.key, "name": self.name, **self.state}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "SourceFile":
        """Create a file from the result of to_json."""
        state = {name: fact for name, fact in value.items() if name not in {"key", "name"}}
        return cls(value["key"], value["name"], state)


@contextmanager
def naming_files(files: Sequence[SourceFile]) -> Iterator[None]:
    """Let errors of readers name files as the source does.

    Each folder may have a file of the same name, and the place of a fetched copy says nothing.

    Args:
        files: The files that are read, with their places.
    """
    try:
        yield
    except PenstockError as error:
        known = {file.path: file for file in files}
        named = [
            known.get(path) for path in getattr(error, "files", [getattr(error, "path", None)])
        ]
        error.what = _named(error.what, [file for file in named if file is not None])
        raise


def _named(text: str, files: Sequence[SourceFile]) -> str:
    """Return a text with the names of files, in the order in which it names them."""
    done = ""
    for file in files:
        place = str(file.path)
        form = place if place in text else Path(place).name
        before, found, text = text.partition(form)
        # A file that lies here keeps its whole path where that was told.
        shown = place if form == place == file.key else file.name
        done += before + (shown if found else "")
    return done + text


class Location(Protocol):
    """Where a source's files lie."""

    def find(self) -> list[SourceFile]:
        """List the files, in order of their names.

        Raises:
            NotFoundError: If there are none.
        """
        ...

    def fetch(self, files: Sequence[SourceFile], folder: Path) -> list[SourceFile]:
        """Bring files to the disk, in the state that is given.

        Args:
            files: Files as they were listed or recorded.
            folder: An empty folder.

        Raises:
            DataError: If a file changed or is gone.
        """
        ...


def is_hidden(name: str) -> bool:
    """Return whether a file is left out of folders and globs: hidden, or a mark of a tool.

    >>> is_hidden("day=1/_SUCCESS"), is_hidden("_temporary/0/part.csv"), is_hidden("day=1/part.csv")
    (True, True, False)
    """
    return any(part.startswith((".", "_")) and "=" not in part for part in name.split("/"))


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Return the pattern of a glob: ``*`` stays in a folder, ``**`` does not.

    >>> bool(glob_pattern("a/**/*.csv").fullmatch("a/b/c/d.csv"))
    True
    >>> bool(glob_pattern("a/*.csv").fullmatch("a/b/c.csv"))
    False
    """
    pattern, place = "", 0
    while place < len(glob):
        if glob.startswith("**/", place):
            pattern, place = pattern + "(?:[^/]+/)*", place + 3
        elif glob.startswith("**", place):
            pattern, place = pattern + ".*", place + 2
        elif glob[place] == "*":
            pattern, place = pattern + "[^/]*", place + 1
        elif glob[place] == "?":
            pattern, place = pattern + "[^/]", place + 1
        elif glob[place] == "[" and "]" in glob[place + 2 :]:
            end = glob.index("]", place + 2)
            inner = glob[place + 1 : end].replace("\\", "\\\\")
            pattern += f"[{'^' + inner[1:] if inner.startswith('!') else inner}]"
            place = end + 1
        else:
            pattern, place = pattern + re.escape(glob[place]), place + 1
    return re.compile(pattern, re.DOTALL)
