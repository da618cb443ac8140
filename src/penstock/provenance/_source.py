"""The project's source tree as executed: git's files with commit and diff, or a plain tree."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import ModuleType

from penstock.core import DataError, shared_folders
from penstock.provenance._own import loaded_modules, own_place

_MAX_FILE_BYTES = 1 << 20
_MAX_TOTAL_BYTES = 32 << 20
_MAX_FILES = 5_000
_MAX_FOLDERS = 2_000
_MAX_DIFF_BYTES = 256 << 10
_SUFFIXES = frozenset(
    ".py .pyi .toml .txt .yaml .yml .json .sql .md .cfg .ini .ipynb .sh .lock .in".split()  # noqa: SIM905 - read as one line
)
_NAMES = frozenset({"Makefile", "Dockerfile", "Containerfile"})
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
_SKIPPED_OUTSIDE_GIT = _SKIPPED | {"build", "dist"}
# Ignore rules of git cover the user's secrets; without rules, file names identify them.
_SECRET = re.compile(r"secret|credential|password|token|apikey|api_key", re.IGNORECASE)
_cache: dict[Path, tuple[object, "SourceTree"]] = {}


@dataclass(frozen=True, slots=True)
class SourceTree:
    """A project's source files with git's facts about them.

    Args:
        files: Bytes by path, relative to the project with ``/``, sorted.
        commit: Git commit; None outside git or before the first commit.
        branch: Git branch; None outside git or on a detached head.
        dirty: True if the files differ from the commit.
        diff: ``git diff HEAD`` for people, cut at 256 KiB; the files themselves are complete.
        left_out: Files that were not read because they are large or too many.
    """

    files: dict[str, bytes]
    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    diff: str = ""
    left_out: tuple[str, ...] = field(default=())


def capture_source(project: Path) -> SourceTree:
    """Read a project's source files.

    In git: tracked files and untracked files that are not ignored. Elsewhere: a plain walk. Only
    text-like files up to 1 MiB count; hidden folders, environments and caches are skipped. A second
    call is answered from memory while no file, folder or commit has changed.

    Args:
        project: The project's folder (see ``core.find_project``).
    """
    project = project.resolve()
    known = _cache.get(project)
    if known and known[0] == _stamp(project, known[1]):
        return known[1]
    tree = _capture(project)
    _cache[project] = (_stamp(project, tree), tree)
    return tree


def loaded_source(project: Path, script: Path | None = None) -> SourceTree:
    """Read the files of a project that are imported now, and the script that is run.

    Args:
        project: The project's folder.
        script: A file that counts, too, if inside the project.
    """
    project = project.resolve()
    names = _loaded(project)
    if script is not None and script.is_relative_to(project):
        names.add(script.relative_to(project).as_posix())
    files, left_out = _read(project, names)
    return SourceTree(files, left_out=left_out)


def restore_source(files: Mapping[str, bytes], folder: Path) -> None:
    """Write recorded source files into a folder.

    Args:
        files: Bytes by relative path, as in ``SourceTree.files``.
        folder: The target; created if absent.

    Raises:
        DataError: If a path would leave the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise DataError(
                what=f"The recorded source file {name!r} points outside the project.",
                why="Restoring it would overwrite another file.",
                fix="The manifest was tampered with: do not trust this run.",
                name=name,
            )
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def list_outside(project: Path) -> tuple[str, ...]:
    """List the user's files outside of the project that the imported code uses, sorted.

    Args:
        project: The project's folder.
    """
    inside = f"{project.resolve()}{os.sep}"
    own, others = [], {}
    for name, module, file in loaded_modules():
        if file.startswith(inside):
            own.append(module)
        elif name != "__main__" and own_place(file) and not own_place(file).startswith(inside):
            others[name] = file
    outside: set[str] = set()
    while own and others:
        for name in _modules_used(own.pop()) & others.keys() - outside:
            outside.add(name)
            own.append(sys.modules[name])
    return tuple(sorted({others[name] for name in outside}))


def import_folders(project: Path) -> list[str]:
    """List the project's folders that modules are imported from, as relative paths, in order."""
    return list(_import_folders(str(project.resolve()), tuple(sys.path), Path.cwd()))


@lru_cache(maxsize=64)
def _import_folders(project: str, places: tuple[str, ...], here: Path) -> tuple[str, ...]:
    folders = []
    for place in places:
        path = (here / place).resolve()
        inside = path != Path(project) and path.is_relative_to(project)
        if inside and "site-packages" not in path.parts:
            folders.append(path.relative_to(project).as_posix())
    return tuple(dict.fromkeys(folders))


def _modules_used(module: ModuleType) -> set[str]:
    """List the modules that a module's names come from."""
    modules: set[str] = set()
    for value in list(vars(module).values()):
        with suppress(Exception):  # a user's value may refuse inspection
            name = value.__name__ if isinstance(value, ModuleType) else value.__module__
            modules |= {name} if isinstance(name, str) else set()
    return modules


def _capture(project: Path) -> SourceTree:
    if project in shared_folders():  # files there have nothing in common with the script
        files, left_out = _read(project, _loaded(project))
        return SourceTree(files, left_out=left_out)
    status = _git(project, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=no")
    listed = status and _git(
        project, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"
    )
    if status is None or listed is None:
        files, left_out = _read(project, _walk(project))
        return SourceTree(files, left_out=left_out)
    facts = dict(
        line[2:].split(" ", 1) for line in status.split("\0") if line.startswith("# branch.")
    )
    commit, branch = facts.get("branch.oid"), facts.get("branch.head")
    committed = commit is not None and commit != "(initial)"
    changed = any(line and not line.startswith("#") for line in status.split("\0"))
    names = {name for name in listed.split("\0") if name}
    files, left_out = _read(project, names | _loaded(project))
    if not files:  # the whole project is ignored by a repository around it
        files, left_out = _read(project, _walk(project))
        return SourceTree(files, left_out=left_out)
    return SourceTree(
        files,
        commit=commit if committed else None,
        branch=None if branch == "(detached)" else branch,
        dirty=changed or not committed or _has_untracked(project, files),
        diff=_diff(project) if changed and committed else "",
        left_out=left_out,
    )


def _loaded(project: Path) -> set[str]:
    """List the project's imported files: executed code counts, also where ignored by git."""
    folder = f"{project}{os.sep}"
    places = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return {
        Path(place).relative_to(project).as_posix()
        for place in places
        if isinstance(place, str) and place.startswith(folder)
    }


def _has_untracked(project: Path, files: Mapping[str, bytes]) -> bool:
    listed = _git(project, "ls-files", "-z", "--others", "--exclude-standard") or ""
    return any(name in files for name in listed.split("\0"))


def _diff(project: Path) -> str:
    text = _git(project, "diff", "HEAD", "--no-ext-diff", "--no-color") or ""
    if len(text) <= _MAX_DIFF_BYTES:
        return text
    return text[:_MAX_DIFF_BYTES] + "\n[cut here; the stored files are complete]\n"


def _git(project: Path, *arguments: str) -> str | None:
    """Return git's output, or None without git; ``.git`` is checked first: a process costs ms."""
    if not any((folder / ".git").exists() for folder in (project, *project.parents)):
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "--no-optional-locks", *arguments],  # noqa: S607 - the user's git
            cwd=project,
            capture_output=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def _walk(project: Path) -> Iterator[str]:
    folders, seen = [project], 0
    while folders and seen < _MAX_FOLDERS:
        folder = folders.pop(0)
        seen += 1
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            path = Path(entry.path)
            if entry.is_dir():
                if entry.name not in _SKIPPED_OUTSIDE_GIT and not (path / "pyvenv.cfg").exists():
                    folders.append(path)
            elif path.suffix == ".py" or not _SECRET.search(entry.name):
                yield path.relative_to(project).as_posix()


def _read(project: Path, names: Iterable[str]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    files: dict[str, bytes] = {}
    left_out: list[str] = []
    total = 0
    # Code first, and the nearest first: if files must be left out, then rather the rest.
    for path in sorted(
        (PurePosixPath(name) for name in names if _is_source(PurePosixPath(name))),
        key=lambda path: (path.suffix != ".py", len(path.parts), path),
    ):
        try:
            facts = (project / path).stat()
            if not stat.S_ISREG(facts.st_mode) or _is_lock(project / path, facts.st_size):
                continue
            total += facts.st_size
            if (
                facts.st_size > _MAX_FILE_BYTES
                or total > _MAX_TOTAL_BYTES
                or len(files) >= _MAX_FILES
            ):
                left_out.append(path.as_posix())
                continue
            files[path.as_posix()] = (project / path).read_bytes()
        except OSError:  # deleted in the working tree, or not readable
            continue
    return dict(sorted(files.items())), tuple(left_out[:20])


def _is_source(path: PurePosixPath) -> bool:
    if any(part.startswith(".") or part in _SKIPPED for part in path.parts[:-1]):
        return False
    return path.suffix in _SUFFIXES or path.name in _NAMES


def _is_lock(path: Path, size: int) -> bool:
    """Return whether a file is a store's lock: empty, beside the database.

    The database itself must not be opened here: when a process closes any descriptor of the file,
    all locks that SQLite holds in this process are gone.
    """
    return path.suffix == ".lock" and not size and path.with_suffix("").is_file()


def _stamp(project: Path, tree: SourceTree) -> object:
    """Return the state of every file, every folder with a file, and git's index and head."""
    folders = {PurePosixPath(name).parent.as_posix() for name in tree.files} | {"."}
    names = (*tree.files, *sorted(folders), ".git/HEAD", ".git/index")
    return tuple(_state(project / name) for name in names)


def _state(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except OSError:
        return (0, 0)
    return (facts.st_mtime_ns, facts.st_size)
