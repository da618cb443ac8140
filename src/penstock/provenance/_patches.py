"""Patches: what the cells of a live notebook have replaced in modules and in classes of libraries.

A step that runs elsewhere, in a worker or in ``penstock verify``, finds the library as it is
installed. So patches are found by the live values: own functions and classes that stand in
libraries, however they came there, and the targets of the cells' assignments. Each can be made again
where it has a place and a value. Of other changes, such as the call of a library's function that
registers something, nobody can tell what they did: their statements are listed.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import import_module
from types import FunctionType, MethodType, ModuleType
from typing import Any

from penstock.provenance._bytecode import find_uses
from penstock.provenance._cells import cells_of
from penstock.provenance._effects import (
    CHANGING,
    changes_library,
    changing_statements,
    decorates_loudly,
    is_patch,
    stored_targets,
    unknown_file,
)
from penstock.provenance._imports import import_closure, is_own_class
from penstock.provenance._library_settings import is_object_setting, library_setting_objects
from penstock.provenance._own import is_own_code, is_own_module
from penstock.provenance._patch_calls import SETTING_OBJECTS, is_told
from penstock.provenance._resolving import (
    MISSING,
    calls_in,
    chain_of,
    is_a,
    is_foreign,
    library_of,
    resolve,
    root_of,
    stores_attributes,
)

_CONTAINERS = (dict, list)  # restored in place: others may hold them
_LONGEST = 120  # characters of a statement in a message
_Owner = ModuleType | type


class Removed:
    """Stands for the value of a name that was deleted."""


@dataclass(frozen=True, slots=True)
class Patches:
    """Patches of a notebook.

    Args:
        by_place: Live value by place, as ``pandas:DataFrame.extra``; `Removed` for a deleted name.
        untold: Statements that changed a library in an unknown way, each with its cell.
    """

    by_place: Mapping[str, Any] = field(default_factory=dict)
    untold: tuple[str, ...] = ()


_made: dict[str, None] = {}  # places at which this process has made another process's patches


def find_patches(modules: Iterable[str] = ("__main__",)) -> Patches:
    """Find the patches in this process: those of a live notebook, and those made by `make_patches`.

    Args:
        modules: Names of the pipeline's modules: what their imports patch, is patched wherever the
            pipeline is loaded.
    """
    main = sys.modules["__main__"]
    if not cells_of(main):
        return Patches({place: _live(place) for place in _made})
    names = set(modules)
    loaded = [] if "__main__" in names else import_closure(names)
    scanned = dict(_Scan({module.__name__ for module in loaded}).places())
    reader = _StatementReader(vars(main))
    for number, node in changing_statements(main):
        reader.read(number, node, scanned.values())
    return Patches({**scanned, **reader.values}, tuple(dict.fromkeys(reader.untold)))


def make_patches(by_place: Mapping[str, Any]) -> None:
    """Make patches that `find_patches` found in another process.

    Raises:
        ImportError: If a module of a patch is not installed here.
        AttributeError: If a place does not exist here.
    """
    for place, value in by_place.items():
        owner, name = _owner_of(place)
        held = vars(owner).get(name, MISSING)
        _made[place] = None
        if isinstance(value, Removed):
            if held is not MISSING:
                delattr(owner, name)
        elif type(value) in _CONTAINERS and type(held) is type(value):
            held.clear()
            held.extend(value) if isinstance(held, list) else held.update(value)
        else:
            setattr(owner, name, value)


def missing_patches(
    recorded: Mapping[str, Any], digest: Callable[[Any, str], str]
) -> tuple[str, ...]:
    """Return what a recorded step found changed in libraries and this process does not have.

    Args:
        recorded: The parts of the step's key, see `StepKey`.
        digest: Computes the digest of a value at a place.
    """
    patches, settings = recorded.get("patches", {}), recorded.get("settings", {})
    missing = [
        place.replace(":", ".")
        for place, known in patches.items()
        if _digest_here(place, digest) != known
    ]
    objects = library_setting_objects()
    missing += [
        name
        for name, value in settings.items()
        if is_object_setting(value)
        and (name not in objects or f"object {digest(objects[name], name)}" != value)
    ]
    return (*missing, *recorded.get("untold_patches", ()))


def _digest_here(place: str, digest: Callable[[Any, str], str]) -> str | None:
    try:
        return digest(_live(place), place)
    except Exception:  # noqa: BLE001 - the place does not exist here, or has no digest
        return None


def _live(place: str) -> Any:
    owner, name = _owner_of(place)
    return _value_at(owner, name)


def _owner_of(place: str) -> tuple[_Owner, str]:
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    return owner, name


def _value_at(owner: _Owner, name: str) -> Any:
    held = vars(owner)
    if name in held:
        return held[name]
    # Some modules compute attributes: torch's switches.
    return Removed() if isinstance(owner, type) else getattr(owner, name, Removed())


def _place_of(owner: _Owner, name: str) -> str | None:
    """Return the place of a name in a module or class; None if it is not found under that place."""
    if isinstance(owner, ModuleType):
        return f"{owner.__name__}:{name}" if sys.modules.get(owner.__name__) is owner else None
    found: Any = sys.modules.get(owner.__module__)
    for each in owner.__qualname__.split("."):
        found = getattr(found, each, None)
    return f"{owner.__module__}:{owner.__qualname__}.{name}" if found is owner else None


class _Scan:
    """Search for functions and classes of the user's that stand in modules and classes of libraries.

    Args:
        loaded: Modules that the pipeline itself imports: their patches are no notebook's.
    """

    def __init__(self, loaded: set[str]) -> None:
        self._loaded = loaded
        self._homes: dict[str, bool] = {}
        self._seen: set[int] = set()

    def places(self) -> Iterator[tuple[str, Any]]:
        """Yield each place with its value."""
        main = vars(sys.modules["__main__"])
        for name, module in list(sys.modules.items()):
            is_library = issubclass(type(module), ModuleType) and not name.startswith("penstock")
            if is_library and vars(module) is not main and not is_own_module(module):
                yield from self._in_module(name, module)

    def _in_module(self, name: str, module: ModuleType) -> Iterator[tuple[str, Any]]:
        for attribute, value in list(vars(module).items()):
            if self._is_own(value):
                yield f"{name}:{attribute}", value
            elif is_a(value, type) and id(value) not in self._seen:
                self._seen.add(id(value))
                for each, member in list(vars(value).items()):
                    if self._is_own(member) and (place := _place_of(value, each)):
                        yield place, member

    def _is_own(self, value: Any) -> bool:
        inner = _inner(value)
        if type(inner) is FunctionType:
            home: Any = inner.__globals__.get("__name__")
        else:
            home = inner.__module__ if is_a(inner, type) else type(inner).__module__
        if not isinstance(home, str):
            return False
        known = self._homes.get(home)
        if known is None:
            module = sys.modules.get(home)
            known = module is not None and is_own_module(module) and home not in self._loaded
            self._homes[home] = known
        return known


def _inner(value: Any) -> Any:
    """Return the function or class inside of a descriptor, a partial or an accessor of pandas."""
    kind = type(value)
    if kind is FunctionType or issubclass(kind, type):
        return value
    if kind in {staticmethod, classmethod, MethodType}:
        return value.__func__
    if kind is property:
        return value.fget
    if kind in {partial, cached_property}:
        return value.func
    if kind.__name__ == "_lru_cache_wrapper":
        return value.__wrapped__
    if kind.__name__ in {"CachedAccessor", "Accessor"}:
        return getattr(value, "_accessor", value)
    return value


class _StatementReader:
    """Reader of the statements that change something outside: their places, or that they have none.

    Args:
        scope: The notebook's names.
    """

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope
        self.values: dict[str, Any] = {}
        self.untold: list[str] = []

    def read(self, number: int, node: ast.stmt, scanned: Iterable[Any]) -> None:
        """Read a statement of a cell.

        Args:
            number: Number of the cell.
            node: The statement.
            scanned: Own values that stand in libraries.
        """
        if unknown_file(node) is not None or not self._is_told(node, scanned):
            text = unknown_file(node) or _first_line(node)
            self.untold.append(f"In [{number}]: {text}")

    def _is_told(self, node: ast.stmt, scanned: Iterable[Any]) -> bool:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made = self._scope.get(node.name)
            is_there = any(_inner(value) is made for value in scanned)
            return is_there or not any(self._registers(each) for each in node.decorator_list)
        targets = [each for each in stored_targets(node) if is_patch(each, self._scope)]
        calls = [each for each in calls_in(node) if changes_library(each, self._scope)]
        # All are read, also below one that is not told.
        told = [*map(self._target, targets), *map(self._call, calls)]
        return all(told)

    def _registers(self, decorator: ast.expr) -> bool:
        loud = decorates_loudly(decorator, self._scope)
        return loud and any(CHANGING.match(name) for name in chain_of(decorator))

    def _target(self, target: ast.expr) -> bool:
        if isinstance(target, ast.Tuple | ast.List):
            told = [self._target(each) for each in target.elts if is_patch(each, self._scope)]
            return all(told)
        if isinstance(target, ast.Attribute):
            module = self._scope.get(root_of(target) or "")
            if (getattr(module, "__name__", ""), chain_of(target)[1]) in SETTING_OBJECTS:
                return True
            return self._take(resolve(target.value, self._scope), target.attr)
        if not isinstance(target, ast.Subscript) or not isinstance(target.value, ast.Attribute):
            return False
        held = resolve(target.value, self._scope)
        if type(held).__name__ == "RcParams" or held is sys.modules["os"].environ:
            return True  # read in place: as settings, and by the trace
        if type(held) not in _CONTAINERS or held is sys.modules:
            return held is sys.path
        return self._take(resolve(target.value.value, self._scope), target.value.attr)

    def _call(self, call: ast.Call) -> bool:
        value = resolve(call.func, self._scope)
        if value is setattr or value is delattr:
            return self._set(call)
        if is_a(value, FunctionType) and is_own_code(value.__code__.co_filename):
            return self._given(call, value) and self._function(value, set())
        return is_told(library_of(value), chain_of(call.func)[-1])

    def _set(self, call: ast.Call) -> bool:
        match call.args:
            case [owner, ast.Constant(value=str(name)), *_]:
                return self._take(resolve(owner, self._scope), name)
        return False

    def _given(self, call: ast.Call, function: FunctionType) -> bool:
        """Take the attributes that an own function sets in the classes and modules passed to it."""
        given = (*call.args, *(keyword.value for keyword in call.keywords))
        owners = [resolve(each, self._scope) for each in given]
        foreign = [each for each in owners if is_a(each, _Owner) and is_foreign(each)]
        code = function.__code__
        if not foreign or not stores_attributes(code):
            return True
        if "setattr" in code.co_names:
            return False
        named = [(each, name) for each in foreign for name in code.co_names if name in vars(each)]
        told = [self._take(each, name) for each, name in named]
        return all(told)

    def _function(self, function: FunctionType, seen: set[int]) -> bool:
        """Take what an own function changes by its globals, and by the functions that it calls."""
        if id(function) in seen:
            return True
        seen.add(id(function))
        scope, uses = function.__globals__, find_uses(function.__code__)
        told = [self._write(scope.get(root), rest) for root, *rest in uses.writes if rest]
        if "setattr" in uses.globals and any(is_foreign(scope.get(n)) for n in uses.globals):
            return False
        for name, chains in uses.globals.items():
            value = scope.get(name)
            if is_a(value, FunctionType) and is_own_code(value.__code__.co_filename):
                told.append(self._function(value, seen))
            elif is_a(value, ModuleType | type | FunctionType) and is_foreign(value):
                ends = {chain[-1] if chain else name for chain in chains}
                told += [is_told(library_of(value), e) for e in ends if CHANGING.match(e)]
        return all(told)

    def _write(self, root: Any, names: list[str]) -> bool:
        *path, name = names
        for each in path:
            root = getattr(root, each, None)
        # An attribute of another object is a value of the notebook, which is sent with the step.
        return self._take(root, name) if is_a(root, _Owner) and is_foreign(root) else True

    def _take(self, owner: Any, name: str) -> bool:
        """Take the live value at a place; return whether the place can be found again."""
        if is_a(owner, type) and is_own_class(owner):
            return True
        place = _place_of(owner, name) if is_a(owner, _Owner) else None
        if place is None:
            return False
        value = _value_at(owner, name)
        if not _is_at_home(owner, name, value):
            self.values[place] = value
        return True


def _is_at_home(owner: _Owner, name: str, value: Any) -> bool:
    """Return whether a name has the library's own function again, or class."""
    if not is_a(value, FunctionType | type) or _is_own(value):
        return False
    home = getattr(value, "__module__", None), value.__qualname__
    expected = name if isinstance(owner, ModuleType) else f"{owner.__qualname__}.{name}"
    return home == (owner.__name__ if isinstance(owner, ModuleType) else owner.__module__, expected)


def _is_own(value: FunctionType | type) -> bool:
    if isinstance(value, FunctionType):
        return is_own_code(value.__code__.co_filename)
    return is_own_class(value)


def _first_line(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Tuple):  # calls of a statement
        return "; ".join(map(ast.unparse, node.value.elts))[:_LONGEST]
    return next(iter(ast.unparse(node).splitlines()), "")[:_LONGEST]
