"""Settings: arguments > environment > pyproject.toml > defaults, each with an origin."""

import os
import sys
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from penstock.core._errors import NotFoundError, SettingsError

# Folders of programs: penstock, Python's own library.
_PROGRAMS = (Path(__file__).resolve().parents[1], Path(os.__file__).resolve().parent)
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - they are only compared
_MARKS = ("pyproject.toml", ".git", ".penstock")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and the value's origin, for `penstock doctor` and error messages."""

    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The location of the store: the metadata URL and the artifacts folder or bucket."""

    store: Setting
    artifacts: Setting
    project: Path


def find_project(start: Path | None = None) -> Path:
    """Return the project folder: the nearest upwards with pyproject.toml, .git or .penstock.

    Falls back to the starting folder, so that a script in a bare folder is a separate project.
    Marks in the home folder, the root and the folder for temporary files count for files directly
    in them only: the folders below have nothing in common.

    Args:
        start: The starting folder; by default the current folder, and where that is in no project,
            the folder of the running script.

    Raises:
        NotFoundError: If the current folder has been removed.
    """
    if start is not None:
        return _marked(start) or start.resolve()
    try:
        here = Path.cwd()
    except FileNotFoundError as error:
        raise NotFoundError(
            what="The current folder is not there any more.",
            why="The project is looked for from there.",
            fix="Change into a folder that exists.",
        ) from error
    marked = _marked(here)
    if marked is not None:
        return marked
    script = _script_folder()
    return here.resolve() if script is None else _marked(script) or script


def _marked(start: Path) -> Path | None:
    """Return the nearest folder upwards with a mark; None if there is none."""
    here, shared = start.resolve(), shared_folders()
    for folder in (here, *here.parents):
        if folder in shared and folder != here:
            return None
        if any(_is_there(folder / mark) for mark in _MARKS):
            return folder
    return None


def _is_there(path: Path) -> bool:
    """Return whether a path exists; a folder that this user may not enter holds no project of hers."""
    try:
        return path.exists()
    except PermissionError:
        return False


def shared_folders() -> frozenset[Path]:
    """Return the folders that hold many unrelated things: root, home, temporary files."""
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    folders = {Path(folder).resolve() for folder in (os.sep, *_TEMPORARY, *filter(None, named))}
    with suppress(RuntimeError, OSError):  # a user without a home
        folders.add(Path.home().resolve())
    return frozenset(folders)


def _script_folder() -> Path | None:
    """Return the folder of the user's script that this process runs; None for a program."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not file or not file.endswith(".py"):
        return None
    path = Path(file).resolve()
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    places = (*_PROGRAMS, Path(sys.prefix) / "bin")
    if installed or any(path.is_relative_to(place) for place in places) or not path.is_file():
        return None
    return path.parent


def settings(
    store: str | None = None, artifacts: str | None = None, *, project: Path | None = None
) -> Settings:
    """Return the location of the store.

    Args:
        store: Metadata URL given by the caller, or None.
        artifacts: Artifacts folder or s3:// URL given by the caller, or None.
        project: The project's folder; by default the result of `find_project`.

    Raises:
        SettingsError: If pyproject.toml cannot be read.
    """
    project = project or find_project()
    table = _tool_table(project / "pyproject.toml", _stamp(project / "pyproject.toml"))
    chosen = (
        _from_argument(store)
        or _environment("PENSTOCK_STORE")
        or _from_table(table, "store")
        or Setting(f"sqlite:///{project / '.penstock' / 'penstock.db'}", "default")
    )
    place = (
        _from_argument(artifacts)
        or _environment("PENSTOCK_ARTIFACTS")
        or _from_table(table, "artifacts")
        or Setting("", "beside the store")
    )
    return Settings(chosen, place, project)


def limit_of(name: str, project: Path) -> int:
    """Return a concurrency limit: ``[tool.penstock.limits]``, by default 1.

    Args:
        name: Name of the limit there and in ``@step(concurrency_limit=…)``.
        project: The project folder.

    Raises:
        SettingsError: If pyproject.toml cannot be read, or the limit is not a whole number above 0.
    """
    path = project / "pyproject.toml"
    limits = _tool_table(path, _stamp(path)).get("limits", {})
    most = limits.get(name, 1) if isinstance(limits, dict) else limits
    if isinstance(most, int) and most > 0:
        return most
    raise SettingsError(
        what=f"[tool.penstock.limits] in {path} says {name} = {most!r}.",
        why="It is the number of steps that may use the limit at once.",
        fix=f"Write for example {name} = 2.",
    )


def allowed_hosts(project: Path | None = None) -> frozenset[str]:
    """Return the hosts that events may be posted to though they are private or not encrypted.

    They are PENSTOCK_HOOK_HOSTS, separated by commas, else ``[tool.penstock] hook-hosts``.

    Raises:
        SettingsError: If pyproject.toml cannot be read, or has no list of texts there.
    """
    given = os.environ.get("PENSTOCK_HOOK_HOSTS")
    if given is not None:
        return frozenset(host.strip() for host in given.split(",") if host.strip())
    path = (project or find_project()) / "pyproject.toml"
    hosts = _tool_table(path, _stamp(path)).get("hook-hosts", [])
    if isinstance(hosts, list) and all(isinstance(host, str) for host in hosts):
        return frozenset(hosts)
    raise SettingsError(
        what=f"[tool.penstock] hook-hosts in {path} is {hosts!r}.",
        why="It is the list of hosts that events may be posted to without encryption.",
        fix='Write for example hook-hosts = ["localhost:5000"].',
    )


def online_store_url(project: Path | None = None) -> str | None:
    """Return the URL of the online store of features; None if none is set.

    This is PENSTOCK_ONLINE_STORE, else ``[tool.penstock] online_store``.

    Raises:
        SettingsError: If pyproject.toml cannot be read, or has no text there.
    """
    path = (project or find_project()) / "pyproject.toml"
    url = _environment("PENSTOCK_ONLINE_STORE") or _from_table(
        _tool_table(path, _stamp(path)), "online_store"
    )
    return None if url is None else url.value


def _from_argument(value: str | None) -> Setting | None:
    return Setting(value, "argument") if value else None


def _environment(name: str) -> Setting | None:
    value = os.environ.get(name)
    return Setting(value, f"environment variable {name}") if value else None


def _from_table(table: dict[str, object], key: str) -> Setting | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise SettingsError(
            what=f"[tool.penstock] {key} in pyproject.toml is {value!r}.",
            why="It must be text, for example a store URL.",
            fix=f'Write {key} = "…".',
        )
    return Setting(value, "[tool.penstock] in pyproject.toml")


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=8)
def _tool_table(path: Path, stamp: int) -> dict[str, object]:
    if not stamp:
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            what=f"{path} cannot be read: {error}.",
            why="The store may be named there.",
            fix="Correct the file, or set PENSTOCK_STORE.",
        ) from error
    table = document.get("tool", {}).get("penstock", {})
    return table if isinstance(table, dict) else {}
