"""MlflowSource: what an import reads, in the form of MLflow's protocol, wherever it is kept."""

import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from penstock.core import ParameterError

Entry = dict[str, Any]
Fetch = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a run, a logged model or a version.

    Args:
        name: The name under the artifact URI, with slashes.
        stamp: What changes with the file, such as its size and time; to see whether it was read.
        fetch: Copies the file to a path of this machine.
        lost: Why it cannot be read; empty if it can.
    """

    name: str
    stamp: str
    fetch: Fetch
    lost: str = ""


class MlflowSource(Protocol):
    """A store of MLflow's; every method reads."""

    @property
    def name(self) -> str:
        """The place, for people."""
        ...

    def experiments(self) -> Iterator[Entry]:
        """Yield experiments, deleted ones too."""
        ...

    def runs(self, experiment_id: str) -> Iterator[Entry]:
        """Yield the runs of an experiment with inputs and outputs, deleted ones too."""
        ...

    def history(self, run_id: str, key: str) -> Sequence[tuple[int, int, float]]:
        """Return a metric's points: time in milliseconds, step, value."""
        ...

    def logged_models(self, experiment_id: str) -> Iterator[Entry]:
        """Yield the logged models of an experiment."""
        ...

    def registered_models(self) -> Iterator[Entry]:
        """Yield registered models."""
        ...

    def versions(self, name: str) -> Sequence[Entry]:
        """Return the versions of a model, by number."""
        ...

    def files(self, uri: str) -> Iterator[ListedFile]:
        """Yield the files under an artifact URI.

        Raises:
            LookupError: If the place cannot be read from here; the error says why.
        """
        ...

    def lost(self) -> Sequence[str]:
        """Return what the source has that has no place in penstock, as sentences."""
        ...


def local_folder(uri: str, root: Path | None, beside: Path) -> Path:
    """Return the folder that an artifact URI means on this machine.

    Args:
        uri: A path, a ``file:`` URI, or an ``mlflow-artifacts:`` URI.
        root: Folder of the server's artifacts.
        beside: Folder that relative paths begin at.

    Raises:
        LookupError: If it means none.
    """
    parsed = urllib.parse.urlparse(uri)
    if parsed.scheme == "mlflow-artifacts":
        if root is None:
            message = f"{uri}: give the folder of the server's artifacts with --artifacts"
            raise LookupError(message)
        place = root / parsed.path.lstrip("/")
        if not place.resolve().is_relative_to(root.resolve()):
            message = f"{uri} is outside of {root}"
            raise LookupError(message)
        return place
    if parsed.scheme in {"", "file"} and parsed.netloc in {"", "localhost"}:
        return beside / urllib.parse.unquote(parsed.path)
    message = f"{uri} is not on this machine"
    raise LookupError(message)


def walk(folder: Path) -> Iterator[ListedFile]:
    """Yield the files of a folder; links that lead out of it, and what is no file, as lost.

    Raises:
        LookupError: If neither the folder nor the one that holds its run is on this machine: then
            nobody knows whether there were any.
    """
    if not folder.is_dir():
        if not folder.parent.parent.is_dir():
            message = f"{folder} is not on this machine"
            raise LookupError(message)
        return
    top = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name, lost, stamp = path.relative_to(folder).as_posix(), "", ""
        if path.is_dir():
            lost = "it is a link to a folder"
        elif not path.resolve().is_relative_to(top):
            lost = "it is a link that leads out of its folder"
        elif not path.is_file():
            lost = "it is no file"
        else:
            facts = path.stat()
            stamp = f"{facts.st_size}:{facts.st_mtime_ns}"
        yield ListedFile(name, stamp, _copier(path), lost)


def _copier(path: Path) -> Fetch:
    def fetch(target: Path) -> None:
        with path.open("rb") as source, target.open("wb") as file:
            while part := source.read(1 << 20):
                file.write(part)

    return fetch


def no_source(text: str) -> ParameterError:
    """Return the refusal of a place that is no store of MLflow's."""
    return ParameterError(
        what=f"{text!r} is no store of MLflow's.",
        why="An import reads a SQLite database, an mlruns folder or a running server.",
        fix="Use for example: penstock import mlflow sqlite:///mlflow.db",
        source=text,
    )
