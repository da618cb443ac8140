"""MlflowSource: what an import reads, in the form of MLflow's protocol, wherever it is kept."""

import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from penstock.core import ParameterError

Entry = dict[str, Any]
Fetch = Callable[[Path], None]


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

    def files(self, uri: str) -> Iterator[tuple[str, Fetch]]:
        """Yield the files under an artifact URI: the name there, and a function that fetches it.

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


def walk(folder: Path) -> Iterator[tuple[str, Fetch]]:
    """Yield the files of a folder; links that lead out of it are left out."""
    if not folder.is_dir():
        return
    top = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.resolve().is_relative_to(top):
            yield path.relative_to(folder).as_posix(), _copier(path)


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
