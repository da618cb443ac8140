"""Imports between the user's loaded modules, read from their code."""

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from penstock.provenance._bytecode import ImportUse, top_level_uses
from penstock.provenance._cells import cells_code
from penstock.provenance._loaded import file_code, is_late, module_code
from penstock.provenance._own import (
    is_own_code,
    is_own_module,
    loaded_modules,
    looks_installed,
    own_place,
)

_DEEPEST = 20  # re-exports in a chain
_MISSING: Any = object()


class Origins:
    """Finder of a name's first definition: a change is reported there."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, str], tuple[Mapping[str, Any], str]] = {}

    def find(self, scope: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], str]:
        """Return the module's names and the name there that a name was imported from."""
        key = (id(scope), name)
        if key not in self._found:
            self._found[key] = self._search(scope, name)
        return self._found[key]

    @staticmethod
    def _search(scope: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], str]:
        value = scope.get(name, _MISSING)
        for _ in range(_DEEPEST):
            step = _imported_from(scope, name)
            if step is None or vars(step[0]).get(step[1], _MISSING) is not value:
                break
            scope, name = vars(step[0]), step[1]
        return scope, name


def absolute_name(module: str, level: int, scope: Mapping[str, Any]) -> str:
    """Return the absolute module name of an import statement.

    >>> absolute_name("core", 1, {"__package__": "lib"})
    'lib.core'
    """
    if not level:
        return module
    package = scope.get("__package__")
    if package is None:
        package = str(scope.get("__name__", "")).rpartition(".")[0]
    try:
        return importlib.util.resolve_name("." * level + module, package)
    except ImportError:
        return module


def imports_of(module: ModuleType) -> list[ImportUse]:
    """List a module's own import statements outside of functions."""
    code = _top_level_of(module)
    return top_level_uses(code).imports if code is not None else []


def import_closure(roots: Iterable[str]) -> list[ModuleType]:
    """List the user's loaded modules that some modules import when they are imported.

    A module that imports a computed name may import any: then none of the loaded is left out.

    Args:
        roots: Names of the modules to begin with.
    """
    modules: dict[str, ModuleType] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if module is None or name in modules or not is_own_module(module):
            continue
        file = getattr(module, "__file__", None)
        if file and is_late(file):
            continue
        modules[name] = module
        waiting += _next_modules(module)
    return [modules[name] for name in sorted(modules, key=lambda n: (_file_of(modules[n]), n))]


def _next_modules(module: ModuleType) -> Iterator[str]:
    code = _top_level_of(module)
    parent = module.__name__.rpartition(".")[0]
    # Importing a submodule runs the packages above it.
    if parent:
        yield parent
    if code is None:
        return
    uses = top_level_uses(code)
    for use in uses.imports:
        name = absolute_name(use.module, use.level, vars(module))
        yield name
        # A name taken from a package may be a submodule.
        yield from (f"{name}.{taken}" for taken in use.names)
    yield from uses.imported
    if uses.computed or "exec_module" in uses.names:
        yield from list(sys.modules)


def _file_of(module: ModuleType) -> str:
    return str(getattr(module, "__file__", ""))


def _top_level_of(module: ModuleType) -> CodeType | None:
    file, cells = getattr(module, "__file__", None), cells_code(module)
    return cells if cells or not file else module_code(file) or file_code(file)


def is_own_class(cls: type) -> bool:
    """Return whether a class was written by the user."""
    name = str(cls.__module__)
    top = name.partition(".")[0]
    if top == "types" and "__dataclass_fields__" in vars(cls):  # by `make_dataclass`
        return True
    if top in {"builtins", "penstock"} or (top in sys.stdlib_module_names and top != "__main__"):
        return False
    module = sys.modules.get(name)
    if module is not None and top != "__main__" and getattr(module, "__file__", None):
        return is_own_module(module)
    # A notebook's class, or the class of a module that was created by hand.
    functions = (getattr(member, "__func__", member) for member in vars(cls).values())
    files = [f.__code__.co_filename for f in functions if isinstance(f, FunctionType)]
    if any(is_own_code(file) for file in files):
        return True
    if module is None:  # the module was removed from `sys.modules`
        return "__weakref__" in vars(cls)
    return top == "__main__" or is_own_module(module)


def project_modules(project: Path) -> list[ModuleType]:
    """List the project's loaded modules, without those that steps imported while running."""
    inside = f"{project.resolve()}{os.sep}"
    modules = {
        name: module
        for name, module, file in loaded_modules()
        if own_place(file).startswith(inside) and not looks_installed(file) and not is_late(file)
    }
    return [modules[name] for name in sorted(modules, key=lambda n: str(modules[n].__file__))]


def _imported_from(scope: Mapping[str, Any], name: str) -> tuple[ModuleType, str] | None:
    """Return the module, and the name there, that a module imports a name from."""
    module = sys.modules.get(str(scope.get("__name__")))
    if module is None or vars(module) is not scope or not is_own_module(module):
        return None
    for use in _outermost(imports_of(module)):
        source = sys.modules.get(absolute_name(use.module, use.level, scope))
        if source is None:
            continue
        if name in use.bound and use.names and use.names != ("*",):
            return source, use.names[use.bound.index(name)]
        if use.names == ("*",) and name in vars(source):
            return source, name
    return None


def _outermost(uses: list[ImportUse]) -> Iterator[ImportUse]:
    yield from reversed(uses)
