"""The files of a folder to be logged: their artifact names, and the entries that are left out."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from penstock.core import ParameterError, StoreError, require_label

_log = logging.getLogger("penstock")
_SHOWN = 5


def files_of(folder: Path, top: str) -> dict[str, Path]:
    r"""List the files of a folder and its subfolders by the artifact name of each.

    Links are followed where they stay in the folder. An entry that is not a file, leads out of the
    folder or nowhere is left out and reported. A name that is not UTF-8 is written with escapes for
    the bytes, ``caf\\xe9``.

    Args:
        folder: The folder.
        top: Artifact name of the folder.

    Raises:
        ParameterError: If there is no file in the folder, or two names become equal.
        StoreError: If the folder cannot be read: a folder is logged whole or not at all.
    """
    left_out: list[str] = []
    try:
        root = os.path.realpath(folder)
        files = sorted(_walk(str(folder), root, "", frozenset({root}), left_out))
    except OSError as error:
        raise StoreError(
            what=f"The folder {error.filename} cannot be read ({error.strerror or error}).",
            why="A folder is logged completely or not at all.",
            fix="Check its permissions, or log a part of it.",
            path=error.filename,
        ) from error
    if left_out:
        more = f" and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
        _log.warning(
            "Skipped in the folder %s: %s%s.",
            folder,
            ", ".join(left_out[:_SHOWN]),
            more,
        )
    if not files:
        raise ParameterError(
            what=f"The folder {folder} has no files.",
            why="Artifacts are files; an empty folder cannot be stored.",
            fix="Check the path, or log it once its files are written.",
            path=folder,
        )
    return _named(files, top)


def readable_name(name: str) -> str:
    r"""Write a file's name as text; bytes that are not UTF-8 as escapes.

    >>> print(readable_name(os.fsdecode(b"caf\xe9")))
    caf\xe9
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _named(files: list[tuple[str, str]], top: str) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for label, path in files:
        name = require_label(f"{top}/{readable_name(label)}", "artifact")
        if name in named:
            raise ParameterError(
                what=f"{path!r} and {str(named[name])!r} would both be stored as {name!r}.",
                fix="Rename one of them.",
                name=name,
            )
        named[name] = Path(path)
    return named


def _walk(
    folder: str, root: str, within: str, above: frozenset[str], left_out: list[str]
) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            label = within + entry.name
            if entry.is_dir():
                place = os.path.realpath(entry.path)
                if why := _why_not(entry, place, root, above):
                    left_out.append(f"{label!r} ({why})")
                else:
                    yield from _walk(entry.path, root, f"{label}/", above | {place}, left_out)
            elif entry.is_file():
                yield label, entry.path
            else:
                why = "a link to nothing" if entry.is_symlink() else "not a file"
                left_out.append(f"{label!r} ({why})")


def _why_not(entry: "os.DirEntry[str]", place: str, root: str, above: frozenset[str]) -> str:
    if place in above:
        return "a link to a folder that it is in"
    if entry.is_symlink() and os.path.commonpath((place, root)) != root:
        return "a link to a folder elsewhere"
    return ""
