"""Artifacts of a run as files in a folder: whatever their names, no file outside of the folder."""

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
# Drives and streams of Windows, and characters with a meaning to terminals and shells.
_REFUSED = frozenset('\\:*?"<>|')
_LONGEST, _ROOM, _CUT = 255, 16, 200  # bytes of a file's name; for an ending; of a long one
_SHOWN = 3
_log = logging.getLogger("penstock")


def download(store: "Store", named: Mapping[str, ArtifactRecord], folder: Path) -> list[Path]:
    """Write artifacts to files below a folder, in chunks and with checked digests.

    In a name that is not a legal file name everywhere, the illegal characters become escapes,
    ``12%3A30.txt``, and the logger ``penstock`` reports the new name. An artifact that cannot be
    written does not stop the rest.

    Args:
        store: The store of the bytes.
        named: The artifacts by name, in which ``/`` separates folders. A composite value becomes a
            folder of the parts; a value's file gets the ending of the format.
        folder: Created if absent; files there are replaced.

    Returns:
        The files in the order of the names.

    Raises:
        StoreError: If bytes are gone or damaged, or a file cannot be written; the rest is.
        ParameterError: If a link in the folder leads out of the folder; the rest is written.
    """
    files = {name: record for place, records in named.items() for name, record in
             _files_of(store, place, records)}  # fmt: skip
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
    _warn_renamed({n: targets[n].relative_to(folder).as_posix() for n in files}, wanted)
    _raise_failed({name: error for name, error in answers.items() if error}, len(files), folder)
    return list(targets.values())


def _write(store: "Store", record: ArtifactRecord, path: Path) -> None:
    text = logged_text(record, store=store)
    if text is None:
        store.fetch(record, path)
        return
    beside = path.with_name(f".{path.name[:16]}-{new_id()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(text)
        beside.replace(path)  # also of a link: its target stays unchanged
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StoreError(
            what=f"{path} cannot be written ({error.strerror or error}).",
            fix="Choose another folder.",
            path=path,
        ) from error


def logged_text(record: ArtifactRecord, *, store: "Store") -> bytes | None:
    """Return a text stored by `log_text` as the bytes of the file: without JSON's quotes.

    Args:
        record: Any artifact; None is returned for artifacts of a different kind.
        store: The store of the bytes.

    Raises:
        StoreError: If the bytes are gone or damaged.
    """
    if _text_ending(record) is None:
        return None
    return str(store.load(record)).encode("utf-8", "surrogatepass")


def _text_ending(record: ArtifactRecord) -> str | None:
    if record.type_name != "text" or record.format != "json":
        return None
    return _TEXT_ENDINGS.get(str(record.metadata.get("media")))


def _warn_renamed(places: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    renamed = [f"{name!r} is {places[name]!r}" for name in places if places[name] != wanted[name]]
    if renamed:
        more = f", and {len(renamed) - _SHOWN} more" if len(renamed) > _SHOWN else ""
        _log.warning(
            "Names that are not legal on every system were changed: %s%s.",
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
    """Return a file name with the ending of the value's format, as programs go by endings."""
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
    """Return the ending that a logged file had, or that belongs to the picture or sound."""
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
    """Compute a distinct path for each artifact that is legal as a file on every system.

    >>> places_of({"plots": "plots", "a": "plots/roc 12:30.txt", "b": "../x"})
    {'plots': 'plots~', 'a': 'plots/roc 12%3A30.txt', 'b': '%2E%2E/x'}

    Args:
        names: The wanted file name by artifact name.
    """
    paths = {name: "/".join(map(_as_file_name, text.split("/"))) for name, text in names.items()}
    folders = {_same(parent.as_posix()) for path in paths.values()
               for parent in PurePosixPath(path).parents}  # fmt: skip
    taken = set[str]()
    # Unchanged names first: a name that had to be changed must not take the place of one that did
    # not.
    for name in sorted(paths, key=lambda name: paths[name] != names[name]):
        while _same(paths[name]) in taken | folders:
            paths[name] += "~"
        taken.add(_same(paths[name]))
    return paths


def _same(path: str) -> str:
    """Return the form of a path that is equal for all paths of the same file on this system."""
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
    # A link that exists in the folder already must not lead out of it.
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise ParameterError(
            what=f"The artifact {name[:200]!r} would be written outside of {folder}.",
            why="A folder in there is a link to another place.",
            fix="Choose a new folder.",
            name=name,
        )
