"""Homes: two projects in one process, each with its own modules of the same names.

``A/pipe.py`` and ``B/pipe.py`` may both import a ``helper``. The one whose pipeline is loaded or
executed has its modules in ``sys.modules`` and its folders first in ``sys.path``; those of the other
are put aside meanwhile.
"""

import importlib
import sys
import threading
from pathlib import Path
from types import ModuleType

from penstock.core import find_project
from penstock.provenance import is_own

_seen: set[tuple[str, ...]] = set()
_aside: dict[str, tuple[str, ModuleType]] = {}  # by file
_in_use: Path | None = None  # whose modules are in place
_turn = threading.RLock()  # runs in threads begin at any time: each move is whole


def enter_home(path: Path) -> None:
    """Make the folders of a pipeline's file importable, before those of other projects.

    Args:
        path: The file; its own folder comes first, then the project's ``src`` and the project.
    """
    folders = _folders_of(path)
    for folder in reversed(folders):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    importlib.invalidate_caches()
    _seen.add(folders)
    use_home(path)


def keep_home(path: Path) -> None:
    """Use a pipeline's home, unless nobody has used another one since: before each step."""
    with _turn:
        if path != _in_use:
            use_home(path)


def use_home(path: Path) -> None:
    """Put the modules of a pipeline's project in the place of those of others."""
    global _in_use  # noqa: PLW0603 - there is one `sys.modules`
    with _turn:
        if len(_seen) > 1:  # with one project nothing can be mixed up
            _swap(_folders_of(path))
        _in_use = path


def _swap(folders: tuple[str, ...]) -> None:
    if folders not in _seen:
        return
    sys.path[:] = [*folders, *(place for place in sys.path if place not in folders)]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and _is_of_another(name, file, folders):
            _aside[file] = (name, module)
            del sys.modules[name]
    for file, (name, module) in list(_aside.items()):
        if name not in sys.modules and not _is_of_another(name, file, folders):
            sys.modules[name] = module
            del _aside[file]


def _folders_of(path: Path) -> tuple[str, ...]:
    project = find_project(path.parent)
    found = [path.parent, project / "src", project]
    return tuple(dict.fromkeys(str(folder) for folder in found if folder.is_dir()))


def _is_of_another(name: str, file: str, folders: tuple[str, ...]) -> bool:
    """Say whether the name of a loaded module means another file in these folders."""
    if not is_own(Path(file)):
        return False
    top = name.partition(".")[0]
    for folder in folders:
        for place in (Path(folder, top, "__init__.py"), Path(folder, f"{top}.py")):
            if place.is_file():
                inside = place.parent if place.name == "__init__.py" else place
                return not Path(file).is_relative_to(inside)
    return False
