"""What may be logged: values made JSON-like, files and values made artifact records."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, NotFoundError, ParameterError, digest_json, require_label
from penstock.tracking._folder import files_of, readable_name

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


def value_records(store: "Store", value: Any, name: str) -> dict[str, list[ArtifactRecord]]:
    """Store a value; give its records by name.

    Raises:
        ParameterError: If the name cannot be stored.
    """
    return {require_label(name, "artifact"): store.pack(value)}


def file_records(store: "Store", path: Path, name: str | None) -> dict[str, list[ArtifactRecord]]:
    """Store a file or the files of a folder; give the records by name.

    Raises:
        NotFoundError: If there is no such file or folder.
        ParameterError: If a name cannot be stored, or a folder is empty.
    """
    if not _exists(path):
        raise NotFoundError(
            what=f"There is no file or folder {str(path)[:200]!r} to log.",
            why="A text is taken as a path.",
            fix="Check the path; log a text itself with log_text(text, name).",
            path=path,
        )
    top = name or readable_name(path.resolve().name)
    if not path.is_dir():
        return {require_label(top, "artifact"): [store.pack_file(path)]}
    named = files_of(path, require_label(top, "artifact"))
    records = store.pack_files(list(named.values()))
    return {label: [record] for label, record in zip(named, records, strict=True)}


def as_path(value: Any) -> Path | None:
    """Give the path that an argument means; None if it is a value.

    Raises:
        ParameterError: If it is an empty text.
    """
    if not isinstance(value, str | PathLike):
        return None
    if isinstance(value, str) and not value.strip():
        raise ParameterError(
            what=f"{value!r} names no file to log.",
            why="A text is taken as a path.",
            fix="Give the path; log a text itself with log_text(text, name).",
        )
    return Path(value)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
