"""What may be logged: values made JSON-like, files and values made artifact records."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, NotFoundError, ParameterError, StoreError, digest_json

if TYPE_CHECKING:
    from penstock.stores import Store

_LONGEST = 2000


def json_like(value: Any) -> Any:
    """Give the value if the store can keep it as it is, else its text.

    >>> json_like([1, "a"]), json_like(int)
    ([1, 'a'], "<class 'int'>")
    """
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()
    try:
        digest_json(value)
    except (TypeError, RecursionError):
        return str(value)[:_LONGEST]
    return value


def artifact_records(
    store: "Store", value: Any, name: str | None
) -> dict[str, list[ArtifactRecord]]:
    """Store a file, the files of a folder or a value; give the records by name."""
    path = _as_path(value, name)
    if path is None:
        if name is None:
            raise ParameterError(
                what=f"The {type(value).__name__} to log has no name.",
                why="Artifacts of a run are found by name.",
                fix='Write log_artifact(value, name="…").',
            )
        return {name: store.pack(value)}
    top = name or path.resolve().name
    if not path.is_dir():
        return {top: [store.pack_file(path)]}
    try:
        files = sorted(_files_in(path))
    except OSError as error:
        raise StoreError(
            what=f"The folder {error.filename} cannot be read ({error.strerror or error}).",
            why="A folder is kept whole or not at all.",
            fix="Check its permissions, or log a part of it.",
            path=error.filename,
        ) from error
    records = store.pack_files([Path(place) for _, place in files])
    return {f"{top}/{inner}": [record] for (inner, _), record in zip(files, records, strict=True)}


def _files_in(folder: str | Path, within: str = "") -> Iterator[tuple[str, str]]:
    """Find the files of a folder and below: their path in it, and their place."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_in(entry.path, f"{within}{entry.name}/")
            elif entry.is_file():  # not a pipe, a socket or a link to a folder
                yield within + entry.name, entry.path


def _as_path(value: Any, name: str | None) -> Path | None:
    if not isinstance(value, str | Path):
        return None
    # A text with a name may be meant as text; without one it can only be a file.
    may_be_text = isinstance(value, str) and name is not None
    try:
        exists = Path(value).exists()
    except (OSError, ValueError):
        exists = False
    if exists:
        return Path(value)
    if may_be_text:
        return None
    raise NotFoundError(
        what=f"There is no file {str(value)[:200]!r} to log.",
        fix='Check the path; to log a text itself, give it a name: log_artifact(text, name="…").',
        path=value,
    )
