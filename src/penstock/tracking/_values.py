"""What may be logged: values made JSON-like, files and values made artifact records."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, NotFoundError, ParameterError, digest_json, now

if TYPE_CHECKING:
    from penstock.stores import Store

_LONGEST = 2000
_FILE = "file"
_AT_ONCE = 8


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
    if not path.is_dir():
        return {name or path.name: [_file_record(store, path)]}
    top = name or path.name
    files = sorted(file for file in path.rglob("*") if file.is_file())
    # Several at once: most of a small file's time is waiting for the disk.
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        records = list(threads.map(lambda file: _file_record(store, file), files))
    return {
        f"{top}/{file.relative_to(path).as_posix()}": [record]
        for file, record in zip(files, records, strict=True)
    }


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


def _file_record(store: "Store", path: Path) -> ArtifactRecord:
    digest, inline, size = store.keep_file(path)
    return ArtifactRecord(
        digest=digest,
        content_digest=digest_json([_FILE, digest]),
        format="bytes",
        type_name=_FILE,
        size_bytes=size,
        created_at=now(),
        inline=inline,
        metadata={"file": path.name},
    )
