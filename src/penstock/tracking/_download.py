"""Artifacts of a run as files in a folder, and nowhere else, whatever they are called."""

import logging
import mimetypes
import sys
import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from penstock.core import ArtifactRecord, ParameterError, PenstockError, StoreError, new_id

if TYPE_CHECKING:
    from penstock.stores import Store

_AT_ONCE = 4
_ENDINGS = {
    "cloudpickle": ".pkl",
    "figure": ".plotly.json",
    "lightgbm": ".txt",
    "xgboost": ".json",
}
_MEDIA_ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "audio/flac": ".flac",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
}
_TEXT_ENDINGS = {"text/plain": ".txt", "text/markdown": ".md", "text/html": ".html"}
_AS_NAMED = frozenset({"bytes", "file"})
# Drives and streams of Windows, and what a terminal or a shell would take for something else.
_REFUSED = frozenset('\\:*?"<>|')
_LONGEST, _ROOM, _CUT = 255, 16, 200  # bytes of a file's name; for an ending; of a long one
_SHOWN = 3
_log = logging.getLogger("penstock")


def download(store: "Store", named: Mapping[str, ArtifactRecord], folder: Path) -> list[Path]:
    """Write artifacts to files below a folder, a part at a time and checked.

    A name that cannot be a file's everywhere has what is in the way as escapes, ``12%3A30.txt``,
    and is told by the logger ``penstock``. What cannot be written keeps nothing else from it.

    Args:
        store: Where the bytes are.
        named: What to write by its name, in which ``/`` separates folders. A composite value
            becomes a folder of its parts; a value's file gets the ending of its format.
        folder: Made if it is not there; files in it are replaced.

    Returns:
        The files in the order of the names.

    Raises:
        StoreError: If bytes are gone or damaged, or a file cannot be written; all others are.
        ParameterError: If a link in the folder leads out of it; all others are written.
    """
    files = {name: record for place, found in named.items() for name, record in
             _files_of(store, place, found)}  # fmt: skip
    called = {name: file_name(name, record) for name, record in files.items()}
    # "rows" becomes rows.parquet, but not where another artifact has that name.
    wanted = {n: n if file != n and file in files else file for n, file in called.items()}
    targets = {name: folder / place for name, place in places_of(wanted).items()}

    def write(name: str) -> PenstockError | None:
        try:
            _require_inside(folder, targets[name], name)
            _write(store, files[name], targets[name])
        except PenstockError as error:
            return error
        return None

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers = dict(zip(files, threads.map(write, files), strict=True))
    _tell_renamed({n: targets[n].relative_to(folder).as_posix() for n in files}, wanted)
    _raise_failed({name: error for name, error in answers.items() if error}, len(files), folder)
    return list(targets.values())


def _write(store: "Store", record: ArtifactRecord, path: Path) -> None:
    text = logged_text(store, record)
    if text is None:
        store.fetch(record, path)
        return
    beside = path.with_name(f".{path.name[:16]}-{new_id()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(text)
        beside.replace(path)  # also of a link: what it leads to stays as it is
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StoreError(
            what=f"{path} cannot be written ({error.strerror or error}).",
            fix="Choose another folder.",
            path=path,
        ) from error


def logged_text(store: "Store", record: ArtifactRecord) -> bytes | None:
    """Return a text that `log_text` kept as a file of it is: without JSON's quotes around it.

    Args:
        store: Where its bytes are.
        record: Any artifact; None is returned for one that is no such text.

    Raises:
        StoreError: If its bytes are gone or damaged.
    """
    if _text_ending(record) is None:
        return None
    return str(store.load(record)).encode("utf-8", "surrogatepass")


def _text_ending(record: ArtifactRecord) -> str | None:
    if record.type_name != "text" or record.format != "json":
        return None
    return _TEXT_ENDINGS.get(str(record.metadata.get("media")))


def _tell_renamed(places: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    renamed = [f"{name!r} is {places[name]!r}" for name in places if places[name] != wanted[name]]
    if renamed:
        more = f", and {len(renamed) - _SHOWN} more" if len(renamed) > _SHOWN else ""
        _log.warning(
            "Names that cannot be files' everywhere were changed: %s%s.",
            ", ".join(renamed[:_SHOWN]),
            more,
        )


def _raise_failed(failed: Mapping[str, PenstockError], count: int, folder: Path) -> None:
    if not failed:
        return
    first = next(iter(failed.values()))
    if len(failed) == count:
        raise first
    names = ", ".join(map(repr, list(failed)[:_SHOWN]))
    raise StoreError(
        what=f"{len(failed)} of {count} artifacts could not be written: {names}. {first.what}",
        why=f"All others are in {folder}.",
        fix=first.fix,
        names=list(failed),
    ) from first


def file_name(name: str, record: ArtifactRecord) -> str:
    """Give a value's file its format's ending, so that other programs know it."""
    text_ending = _text_ending(record)
    if text_ending is not None:
        return name if mimetypes.guess_type(name)[0] else name + text_ending
    if record.format in _AS_NAMED:
        ending = _own_ending(record)
        known = mimetypes.guess_type(name)[0]
        if known is not None and known == mimetypes.guess_type(f"x{ending}")[0]:
            return name  # roc.jpeg is a .jpg by another name
    else:
        ending = _ENDINGS.get(record.format, f".{record.format}")
    return name if name.lower().endswith(ending.lower()) else name + ending


def _own_ending(record: ArtifactRecord) -> str:
    """Give the ending that a logged file had, or that its picture or sound has."""
    own = PurePosixPath(str(record.metadata.get("file") or "")).suffix
    return own or _MEDIA_ENDINGS.get(str(record.metadata.get("media")), "")


def _files_of(
    store: "Store", name: str, record: ArtifactRecord
) -> Iterator[tuple[str, ArtifactRecord]]:
    parts = store.parts(record)
    for inner, part in parts.items():
        yield from _files_of(store, f"{name}/{inner}", part)
    if not parts:
        yield name, record


def places_of(names: Mapping[str, str]) -> dict[str, str]:
    """Give each artifact a path of its own that is a file's on every system.

    >>> places_of({"plots": "plots", "a": "plots/roc 12:30.txt", "b": "../x"})
    {'plots': 'plots~', 'a': 'plots/roc 12%3A30.txt', 'b': '%2E%2E/x'}

    Args:
        names: What each would be called, by its name.
    """
    paths = {name: "/".join(map(_as_file_name, text.split("/"))) for name, text in names.items()}
    folders = {_same(parent.as_posix()) for path in paths.values()
               for parent in PurePosixPath(path).parents}  # fmt: skip
    taken = set[str]()
    # As they are first: what had to be changed must not take the name of what did not.
    for name in sorted(paths, key=lambda name: paths[name] != names[name]):
        while _same(paths[name]) in taken | folders:
            paths[name] += "~"
        taken.add(_same(paths[name]))
    return paths


def _same(path: str) -> str:
    """Give what a path has in common with those that are the same file here."""
    if sys.platform in {"win32", "darwin"}:
        return unicodedata.normalize("NFC", path).casefold()
    return path


def _as_file_name(word: str) -> str:
    if word in {"", ".", ".."}:
        return "%2E" * len(word) or "%"
    safe = "".join(c if c.isprintable() and c not in _REFUSED else _escaped(c) for c in word)
    if len(safe.encode()) <= _LONGEST:
        return safe
    stem, dot, ending = safe.rpartition(".")
    ending = dot + ending if stem and len(ending) <= _ROOM else ""
    short = safe.encode()[:_CUT].decode("utf-8", "ignore")
    return f"{short}~{zlib.crc32(word.encode('utf-8', 'surrogatepass')):08x}{ending}"


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _require_inside(folder: Path, target: Path, name: str) -> None:
    # A link that stands in the folder already must not lead out of it.
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise ParameterError(
            what=f"The artifact {name[:200]!r} would be written outside of {folder}.",
            why="A folder in there is a link to another place.",
            fix="Choose a new folder.",
            name=name,
        )
