"""Ownership of code: the user's own, or installed; and the files of modules that are not loaded."""
# ruff: noqa: PTH113, PTH114, PTH117, PTH118, PTH120

import operator
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = ("site-packages", "dist-packages")
_others: dict[str, ModuleType] = {}  # loaded modules that are not the user's
_seen: tuple[list[str], list[ModuleType], int, list[tuple[str, ModuleType]]] = ([], [], 0, [])


@cache
def is_own(path: Path) -> bool:
    """Return whether a file is the user's: neither Python's, nor installed, nor penstock's."""
    real = _real_path(str(path))
    return os.path.isfile(real) and _is_users_folder(os.path.dirname(real))


@cache
def is_own_code(file: str) -> bool:
    """Return whether code of a file is the user's; code without a file is.

    >>> is_own_code("<ipython-input-1>"), is_own_code("<frozen importlib._bootstrap>")
    (True, False)
    """
    if file.startswith("<"):
        return not file.startswith(("<frozen", "<__array_function__", "<attrs generated"))
    if not os.path.isfile(file):
        return not looks_installed(file)
    return _is_users_folder(os.path.dirname(_real_path(file)))


@cache
def own_place(file: str) -> str:
    """Return the real path of a user's file; empty if the file is not the user's.

    >>> own_place("/no/such/file.py")
    ''
    """
    path = Path(file)
    return str(path.resolve()) if is_own(path) else ""


def loaded_modules() -> Iterator[tuple[str, ModuleType, str]]:
    """Yield name, module and file of the user's loaded modules.

    A process holds thousands of foreign modules: those are examined once.
    """
    for name, module in _examined():
        file = getattr(module, "__file__", None)
        if not isinstance(file, str):  # a stand-in for a module may return anything
            continue
        if file.endswith(".py") and is_own_code(file):
            yield name, module, file
        else:
            _others[name] = module


def _examined() -> list[tuple[str, ModuleType]]:
    """List the loaded modules that are not known to be foreign; the same until a module is loaded."""
    global _seen  # noqa: PLW0603 - one process, one table of modules
    names, modules, count, unexamined = _seen
    loaded = sys.modules
    if (
        len(loaded) == len(modules)
        and len(_others) == count
        and all(map(operator.is_, list(loaded.values()), modules))
        and list(loaded) == names
    ):
        return unexamined
    count, items = len(_others), list(loaded.items())
    unexamined = [(name, module) for name, module in items if _others.get(name) is not module]
    _seen = [name for name, _ in items], [module for _, module in items], count, unexamined
    return unexamined


def is_pythons_own(file: str) -> bool:
    """Return whether a path is in Python's library, without disk access."""
    return file.startswith(_library_texts()) and "-packages" not in file


def looks_installed(file: str) -> bool:
    """Return whether a path belongs to Python, a package or penstock, without disk access."""
    return file.startswith(("<frozen", *_system_texts())) or any(
        part in file for part in _INSTALLED
    )


def is_own_module(module: ModuleType) -> bool:
    """Return whether a loaded module is the user's, or a namespace of the user's modules."""
    name = getattr(module, "__name__", "")
    top = name.partition(".")[0]
    if top == "penstock" or (top in sys.stdlib_module_names and top != "__main__"):
        return False
    if top.startswith(("_cython", "cython_runtime")):  # created by hand where Cython has compiled
        return False
    file = getattr(module, "__file__", None)
    if not (file and os.path.isabs(file)) and _is_part(module, top):
        return False
    if file:
        return file.endswith(".py") and is_own_code(file)
    if name == "__main__":
        return True
    places = [str(place) for place in getattr(module, "__path__", ())]
    if not places:  # created by hand with `types.ModuleType`
        return getattr(module, "__spec__", None) is None
    return not any(looks_installed(f"{place}/") for place in places)


def _is_part(module: ModuleType, package: str) -> bool:
    """Return whether a module is a part of an installed package, which may have made it by hand."""
    found = sys.modules.get(package, module)
    return found is not module and not is_own_module(found)


def find_own_file(name: str) -> Path | None:
    """Return the file of a user's module without importing the module; None if there is none."""
    top = name.partition(".")[0]
    if top == "penstock" or top in sys.stdlib_module_names:
        return None
    file = getattr(sys.modules.get(name), "__file__", None)
    path = Path(file) if file else _search(name)
    return path if path and path.suffix == ".py" and is_own(path) else None


def find_extension(name: str) -> Path | None:
    """Return the file of a compiled module of the user's; None if there is none."""
    file = getattr(sys.modules.get(name), "__file__", None)
    path = Path(file) if file else None
    compiled = path is not None and path.suffix in {".so", ".pyd"}
    return path if path is not None and compiled and is_own(path) else None


@lru_cache(maxsize=4096)
def has_file(file: str) -> bool:
    """Return whether code of this name is in a file, neither in a notebook nor generated."""
    return not file.startswith("<") and Path(file).is_file()


def _real_path(file: str) -> str:
    """Return a file's path without symbolic links; the folder is looked up once for all files."""
    # os.path, because each start asks about thousands of files: pathlib takes five times as long.
    if not os.path.isabs(file):
        return os.path.realpath(file)
    folder, name = os.path.split(file)
    path = os.path.join(_real_folder(folder), name)
    return os.path.realpath(path) if name in {"", ".", ".."} or os.path.islink(path) else path


@cache
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


@cache
def _is_users_folder(folder: str) -> bool:
    """Return whether files of a folder, given by the real path, are the user's."""
    path = Path(folder)
    if set(_INSTALLED) & set(path.parts):
        return False
    return not any(path.is_relative_to(place) for place in (_PACKAGE, *_system_places()))


@cache
def _system_places() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))


@cache
def _library_texts() -> tuple[str, ...]:
    places = {*map(str, _system_places()), sysconfig.get_path("stdlib")}
    return tuple(f"{place}/" for place in places)


@cache
def _system_texts() -> tuple[str, ...]:
    places = {*map(str, _system_places()), str(_PACKAGE), site.getusersitepackages()}
    places |= {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(sorted(f"{place}/" for place in places))


def _search(name: str) -> Path | None:
    parts = name.split(".")
    for place in sys.path:
        base = Path(place or ".").joinpath(*parts)
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                return path
    return None
