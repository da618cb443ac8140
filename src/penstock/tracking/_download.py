"""Artifacts of a run to files, whatever their names say."""

import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from penstock.core import ArtifactRecord, ParameterError, StoreError, new_id

if TYPE_CHECKING:
    from penstock.stores import Store

_DRIVE = re.compile(r"^[A-Za-z]:")


def safe_path(folder: Path, name: str, *, ending: str = "") -> Path:
    """Give the place of an artifact below a folder.

    >>> safe_path(Path("out"), "plots/roc.png").as_posix()
    'out/plots/roc.png'

    Raises:
        ParameterError: If its name would lead out of the folder; it came from someone's run.
    """
    parts = PurePosixPath(name).parts
    odd = "\\" in name or "\0" in name or _DRIVE.match(name) is not None
    if not parts or odd or name.startswith("/") or any(part in {"..", "."} for part in parts):
        raise ParameterError(
            what=f"The artifact {name!r} has a name that leads out of {folder}.",
            why="Names come from whoever logged the run.",
            fix="Load it by name with run.artifact(name), or rename it where it is logged.",
            name=name,
        )
    return folder.joinpath(*parts[:-1], parts[-1] + ending)


def write_artifact(store: "Store", record: ArtifactRecord, path: Path) -> None:
    """Write an artifact's stored bytes to a file, checked; what was there is replaced at the end.

    Raises:
        StoreError: If the bytes are gone or damaged, or the file cannot be written.
    """
    beside = path.with_name(f".{new_id()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if record.inline is not None:
            beside.write_bytes(store.read_bytes(record, check=True))
        else:
            store.artifacts.fetch(record.digest, beside)
        beside.replace(path)
    except OSError as error:
        raise StoreError(
            what=f"{path} cannot be written ({error.strerror or error}).",
            fix="Name another folder, or free some space.",
            path=path,
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()
