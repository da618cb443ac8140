"""Artifacts of a run as files in a folder, and nowhere else, whatever they are called."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import ArtifactRecord, ParameterError

if TYPE_CHECKING:
    from penstock.stores import Store

_AT_ONCE = 4
_ENDINGS = {
    "cloudpickle": ".pkl",
    "figure": ".plotly.json",
    "lightgbm": ".txt",
    "xgboost": ".json",
}
_AS_NAMED = frozenset({"bytes", "file"})
# Drives and streams of Windows, and what a terminal or a shell would take for something else.
_REFUSED = frozenset('\\:*?"<>|')
_LONGEST = 255


def download(store: "Store", named: Mapping[str, ArtifactRecord], folder: Path) -> list[Path]:
    """Write artifacts to files below a folder, a part at a time and checked.

    Args:
        store: Where the bytes are.
        named: What to write by its name, in which ``/`` separates folders. A composite value
            becomes a folder of its parts; a value's file gets the ending of its format.
        folder: Made if it is not there; files in it are replaced.

    Returns:
        The files in the order of the names.

    Raises:
        ParameterError: If a name leads out of the folder; nothing is written then.
        StoreError: If bytes are gone or damaged, or a file cannot be written.
    """
    files = {name: record for place, found in named.items() for name, record in
             _files_of(store, place, found)}  # fmt: skip
    called = {name: file_name(name, record) for name, record in files.items()}
    # "rows" becomes rows.parquet, but not where another artifact has that name.
    targets = [
        _target(folder, name if file != name and file in files else file)
        for name, file in called.items()
    ]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(store.fetch, files.values(), targets))
    return targets


def file_name(name: str, record: ArtifactRecord) -> str:
    """Give a value's file its format's ending, so that other programs know it."""
    ending = _ENDINGS.get(record.format, f".{record.format}")
    as_named = record.format in _AS_NAMED or name.endswith(ending)
    return name if as_named else name + ending


def _files_of(
    store: "Store", name: str, record: ArtifactRecord
) -> Iterator[tuple[str, ArtifactRecord]]:
    parts = store.parts(record)
    for inner, part in parts.items():
        yield from _files_of(store, f"{name}/{inner}", part)
    if not parts:
        yield name, record


def _target(folder: Path, name: str) -> Path:
    words = name.split("/")
    if not all(map(_is_file_name, words)):
        raise ParameterError(
            what=f"The artifact {name[:200]!r} cannot become a file of its name.",
            why="It would stand outside of the folder, or have a name that not every system allows.",
            fix="Read it with run.artifact(name) and write it where you want it.",
            name=name,
        )
    target = folder.joinpath(*words)
    # A link that stands in the folder already must not lead out of it either.
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise ParameterError(
            what=f"The artifact {name[:200]!r} would be written outside of {folder}.",
            why="A folder in there is a link to another place.",
            fix="Choose a new folder.",
            name=name,
        )
    return target


def _is_file_name(word: str) -> bool:
    return (
        word not in {"", ".", ".."}
        and len(word.encode("utf-8", "replace")) <= _LONGEST
        and word.isprintable()
        and not _REFUSED & set(word)
    )
