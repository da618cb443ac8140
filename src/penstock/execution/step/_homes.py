"""Homes: two projects in a process, each with separate modules of the same names.

``A/pipe.py`` and ``B/pipe.py`` may both import a ``helper``. The project whose pipeline is loaded
or executed has its modules in ``sys.modules`` and its folders first in ``sys.path``; the modules of
the second project are moved out of ``sys.modules`` meanwhile.
"""

import importlib
import os
import sys
import threading
from pathlib import Path
from types import ModuleType

from penstock.core import find_project
from penstock.provenance import loaded_modules

_seen: set[tuple[str, ...]] = set()
_aside: dict[str, tuple[str, ModuleType]] = {}  # by file
_in_use: Path | None = None  # the file whose project's modules are in `sys.modules`
_turn = threading.RLock()  # runs in threads begin at any time: each swap is atomic


def enter_home(path: Path) -> None:
    """Make the folders of a pipeline's file importable, before the folders of different projects.

    Args:
        path: The file; the file's folder comes first, then the project's ``src`` and the project.
    """
    folders = _folders_of(path)
    for folder in reversed(folders):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    importlib.invalidate_caches()
    _seen.add(folders)
    use_home(path)


def keep_home(path: Path) -> None:
    """Restore a pipeline's home if a different home was used since; called before steps."""
    with _turn:
        if path != _in_use:
            use_home(path)


def use_home(path: Path) -> None:
    """Replace the modules of different projects with those of a pipeline's project."""
    global _in_use  # noqa: PLW0603 - there is one `sys.modules`
    with _turn:
        if len(_seen) > 1:  # with a single project nothing can be mixed up
            _swap(_folders_of(path))
        _in_use = path


def _swap(folders: tuple[str, ...]) -> None:
    if folders not in _seen:
        return
    sys.path[:] = [*folders, *(place for place in sys.path if place not in folders)]
    homes: dict[
        str, str | None
    ] = {}  # by top-level name; once for all modules, for it asks the disk
    for name, module, file in loaded_modules():
        if _is_of_another(name, file, folders, homes):
            _aside[file] = (name, module)
            del sys.modules[name]
    for file, (name, module) in list(_aside.items()):
        if name not in sys.modules and not _is_of_another(name, file, folders, homes):
            sys.modules[name] = module
            del _aside[file]


def _folders_of(path: Path) -> tuple[str, ...]:
    project = find_project(path.parent)
    folders = [path.parent, project / "src", project]
    return tuple(dict.fromkeys(str(folder) for folder in folders if folder.is_dir()))


def _is_of_another(
    name: str, file: str, folders: tuple[str, ...], homes: dict[str, str | None]
) -> bool:
    """Return whether a loaded module's name means a different file in these folders."""
    top = name.partition(".")[0]
    if top not in homes:
        homes[top] = _find(top, folders)
    inside = homes[top]
    return inside is not None and file != inside and not file.startswith(f"{inside}{os.sep}")


def _find(top: str, folders: tuple[str, ...]) -> str | None:
    """Return the file or package folder that a top-level name means in these folders."""
    for folder in folders:
        if Path(folder, top, "__init__.py").is_file():
            return str(Path(folder, top))
        if Path(folder, f"{top}.py").is_file():
            return str(Path(folder, f"{top}.py"))
    return None
