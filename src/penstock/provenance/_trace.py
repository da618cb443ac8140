"""Trace: files and variables that a step read and wrote, and whether they are unchanged.

The step key covers the code, arguments and inputs of a step. The look-ups that the step makes by
itself cannot be known before: files, folders, environment variables, code that is loaded while the
step runs. They are recorded while the step runs, and a recorded result is reused only if all of
them are unchanged: a verifying trace, as in Build Systems à la Carte (Mokhov, Mitchell, Peyton
Jones 2018).
"""

import base64
import hashlib
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.provenance._stamps import MISSING, file_digest, is_settled, kind_of, stamp_of
from penstock.provenance._variables import all_variables

_MANY = 50  # files of a folder; more are recorded as a single entry
_VANISHING = frozenset({"__pycache__", ".penstock", ".git", ".pytest_cache", ".ipynb_checkpoints"})
_BESIDE = (
    "-wal",
    "-shm",
    "-journal",
    "-journals",
    ".pyc",
)  # files that SQLite and Python create beside their files

CWD = "the current folder"
real_getcwd = os.getcwd  # the replacement during a trace must not see our own calls

FileState = list[Any]  # digest, inode, size, time of writing, time of change, time of this reading


@dataclass(slots=True)
class Trace:
    """The look-ups and products of a step, with the observed states.

    Paths are relative to the project where they are below, so that a copy of the project with
    the store can continue with the trace.

    Args:
        files: State by path of files that were read.
        code: State by path of files that were imported while the step ran.
        folders: Of files read in large numbers, by folder: names and digests (compressed), a digest
            of them, a digest of their stamps, and the newest of these.
        lists: Digest of the names in a folder that was listed.
        exists: ``file``, ``folder`` or ``missing`` of paths whose existence alone was checked.
        stats: Size and time of files whose size or time was read.
        links: Targets of symbolic links that were followed by name.
        cwd: The current folder, where relative paths begin, if a relative path was looked up.
        env: Digest of variables of the environment; None for an unset variable.
        whole_env: Digests of all variables, where code went through all of them.
        written: State by path of files and folders that the step made.
        never: Reasons why the result cannot be reused; empty if reusable.
        limits: Limits of the observation.
    """

    files: dict[str, FileState] = field(default_factory=dict)
    code: dict[str, FileState] = field(default_factory=dict)
    folders: dict[str, list[Any]] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    exists: dict[str, str] = field(default_factory=dict)
    stats: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    cwd: dict[str, str] = field(default_factory=dict)
    env: dict[str, str | None] = field(default_factory=dict)
    whole_env: dict[str, str] = field(default_factory=dict)
    written: dict[str, FileState] = field(default_factory=dict)
    never: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the trace as plain JSON without empty fields."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name))}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Trace":
        """Return the trace of a `to_json` value; fields of later versions are ignored."""
        return cls(**{name: value[name] for name in cls.__slots__ if name in value})

    def compress(self) -> "Trace":
        """Merge many files of a folder into a single entry."""
        by_folder: dict[str, list[str]] = {}
        for path in self.files:
            by_folder.setdefault(path.rpartition("/")[0], []).append(path)
        for folder, paths in by_folder.items():
            if len(paths) > _MANY and folder not in self.folders:
                members = {path.rpartition("/")[2]: self.files.pop(path) for path in paths}
                digests = {name: state[0] for name, state in members.items()}
                stamps = {name: _stamp_text(state[1:5]) for name, state in members.items()}
                newest = max((state[1:] for state in members.values()), key=lambda known: known[3])
                known = [_packed(digests), _digest_of(digests), _digest_of(stamps), *newest]
                self.folders[folder] = known
        return self


def merge_traces(traces: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the traces of a map's items; differing observations are never reused."""
    whole: dict[str, Any] = {}
    for trace in traces:
        for name, value in trace.items():
            if isinstance(value, list):
                known = whole.setdefault(name, [])
                known += [text for text in value if text not in known]
                continue
            known = whole.setdefault(name, {})
            for key, state in value.items():
                if key in known and _seen(known[key]) != _seen(state) and name != "written":
                    reason = f"{key} changed while the items ran"
                    whole.setdefault("never", []).append(reason)
                known[key] = state
    return Trace.from_json(whole).compress().to_json() if whole else {}


def find_change(trace: Mapping[str, Any], project: Path, *, products: bool = True) -> str | None:
    """Return the first item of a recorded trace that has changed.

    >>> find_change({"env": {"A_VARIABLE_THAT_IS_NOT_SET": None}}, Path.cwd())
    >>> find_change({"exists": {"no/such/file": "file"}}, Path.cwd())
    'no/such/file is not there any more'

    Args:
        trace: Result of `Trace.to_json`.
        project: The folder that the trace's paths are relative to.
        products: False to ignore the files that the step has written.

    Returns:
        A sentence without the full stop; None if all is unchanged.
    """
    changes = (
        change
        for name, check in _CHECKS.items()
        if name in trace and (products or name != "written")
        for change in check(trace[name], project)
    )
    return next(changes, None)


def changed_products(trace: Mapping[str, Any], value: Any, folder: Path) -> list[str]:
    """Return the files that a value names by path whose bytes differ from the record.

    Args:
        trace: The trace recorded when the step returned the value.
        value: A path, or a container of paths, returned now.
        folder: The folder that stands for the project now.
    """
    written = trace.get("written") or {}
    changed = []
    for path in _paths_in(value) if written else ():
        full = os.path.abspath(folder / path)  # noqa: PTH100 - symbolic links stay as they are
        state = written.get(full.removeprefix(f"{folder}/"))
        if state is not None and kind_of(full) != MISSING and file_digest(full) != state[0]:
            changed.append(full.removeprefix(f"{folder}/"))
    return changed


def _paths_in(value: Any, depth: int = 3) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif depth and isinstance(value, list | tuple | set | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _paths_in(item, depth - 1)


def state_of(path: str, *, as_code: bool = False) -> FileState:
    """Return a file's digest with the stamp and the time."""
    at = time.time_ns()
    stamp = stamp_of(path) or (0, 0, 0, 0)
    return [file_digest(path, as_code=as_code), *stamp, at]


def variable_digest(name: str, value: str | None) -> str | None:
    """Compute the digest of a variable's value; including the name hides equality of values."""
    if value is None:
        return None
    text = f"{name}={value}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]


def list_digest(folder: str) -> str:
    """Compute the digest of the names in a folder, without those that tools create."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is needed
    except OSError:
        return MISSING
    kept = [name for name in names if name not in _VANISHING and not name.endswith(_BESIDE)]
    return hashlib.sha256("\0".join(kept).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def size_and_time(path: str) -> str:
    """Return a file's size and time of writing as text."""
    stamp = stamp_of(path)
    return MISSING if stamp is None else f"{stamp[1]} {stamp[2]}"


def current_folder(project: str) -> str:
    """Return the current folder, relative to the project if inside the project."""
    try:
        folder = real_getcwd()
    except OSError:  # the folder has been removed
        return MISSING
    if folder == project:
        return "."
    return folder.removeprefix(f"{project}/")


def _changed_cwd(known: Mapping[str, str], project: Path) -> Iterator[str]:
    if known.get(CWD) != current_folder(str(project)):
        yield "the current folder is another one, and the step looks up paths from it"


def _changed_env(known: Mapping[str, str | None], _project: Path) -> Iterator[str]:
    now = all_variables()
    for name, digest in known.items():
        if variable_digest(name, now.get(name)) != digest:
            yield f"environment variable {name} changed"


def _changed_whole_env(known: Mapping[str, str], _project: Path) -> Iterator[str]:
    now = {name: variable_digest(name, value) for name, value in all_variables().items()}
    for name in sorted({*known, *now} - UNSTEADY):
        if known.get(name) != now.get(name):
            yield f"environment variable {name} changed, and the step reads all of them"


def _changed_existence(known: Mapping[str, str], project: Path) -> Iterator[str]:
    for path, kind in known.items():
        if kind_of(_full(path, project)) != kind:
            yield f"{path} is there now" if kind == MISSING else f"{path} is not there any more"


def _changed_stats(known: Mapping[str, str], project: Path) -> Iterator[str]:
    for path, state in known.items():
        if size_and_time(_full(path, project)) != state:
            yield f"size or time of {path} changed"


def _changed_links(known: Mapping[str, str], project: Path) -> Iterator[str]:
    for path, target in known.items():
        full = Path(_full(path, project))
        if not full.is_symlink() or str(full.readlink()) != target:
            yield f"{path} leads elsewhere"


def _changed_files(known: Mapping[str, FileState], project: Path) -> Iterator[str]:
    for path, state in known.items():
        if not _holds(_full(path, project), state):
            yield _describe_change(path, project)


def _changed_code(known: Mapping[str, FileState], project: Path) -> Iterator[str]:
    for path, state in known.items():
        if not _holds(_full(path, project), state, as_code=True):
            yield _describe_change(path, project)


def _changed_folders(known: Mapping[str, Sequence[Any]], project: Path) -> Iterator[str]:
    for folder, state in known.items():
        changed = _changed_file(_full(folder, project), *state)
        if changed:
            yield f"{folder}/{changed} changed"


def _changed_lists(known: Mapping[str, str], project: Path) -> Iterator[str]:
    for path, digest in known.items():
        if list_digest(_full(path, project)) != digest:
            yield f"the names in {path or 'the project'} changed"


def _changed_products(known: Mapping[str, FileState], project: Path) -> Iterator[str]:
    for path, state in known.items():
        if not _holds(_full(path, project), state):
            yield f"{_describe_change(path, project)} since the step wrote it"


_CHECKS: dict[str, Callable[[Any, Path], Iterator[str]]] = {
    "cwd": _changed_cwd,
    "env": _changed_env,
    "whole_env": _changed_whole_env,
    "exists": _changed_existence,
    "stats": _changed_stats,
    "links": _changed_links,
    "files": _changed_files,
    "code": _changed_code,
    "folders": _changed_folders,
    "lists": _changed_lists,
    "written": _changed_products,
}


def _holds(path: str, state: Sequence[Any], *, as_code: bool = False) -> bool:
    digest, *stamp, at = state
    # An equal settled stamp proves equal bytes without reading them.
    if is_settled(stamp, at) and stamp_of(path) == tuple(stamp):
        return True
    return bool(file_digest(path, as_code=as_code) == digest)


def _describe_change(path: str, project: Path) -> str:
    there = kind_of(_full(path, project)) != MISSING
    return f"{path} changed" if there else f"{path} is not there any more"


def _full(path: str, project: Path) -> str:
    return path if path.startswith("/") else f"{project}/{path}" if path else str(project)


def _seen(state: Any) -> Any:
    return state[0] if isinstance(state, list) else state


def _packed(states: Mapping[str, str]) -> str:
    text = "\n".join(f"{name}\0{digest}" for name, digest in sorted(states.items()))
    data = zlib.compress(text.encode("utf-8", "surrogateescape"))
    return base64.b64encode(data).decode()


def _digest_of(states: Mapping[str, str]) -> str:
    text = "\n".join(f"{name}\0{digest}" for name, digest in sorted(states.items()))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _changed_file(folder: str, packed: str, digest: str, stamps: str, *newest: int) -> str | None:
    text = zlib.decompress(base64.b64decode(packed)).decode("utf-8", "surrogateescape")
    was = dict(line.split("\0") for line in text.split("\n"))
    # The newest stamp decides for all: the older files were changed earlier.
    if is_settled(newest[:4], newest[4]):
        now_stamps = {name: _stamp_text(stamp_of(f"{folder}/{name}") or ()) for name in was}
        if _digest_of(now_stamps) == stamps:
            return None
    now = {name: file_digest(f"{folder}/{name}") for name in was}
    if _digest_of(now) == digest:
        return None
    return next(name for name in was if was[name] != now[name])


def _stamp_text(stamp: Sequence[int]) -> str:
    return " ".join(map(str, stamp))


UNSTEADY = frozenset(
    "_ SHLVL COLUMNS LINES OLDPWD PYTEST_CURRENT_TEST CUBLAS_WORKSPACE_CONFIG PENSTOCK_WORKERS".split()  # noqa: SIM905 - read as one line
)
"""Variables set by a shell, a terminal or penstock, left out where all are read."""
