"""The records of modules: attributes at the end of a chain, imports, and files not yet loaded."""

import sys
from collections.abc import Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from penstock.provenance._bytecode import Chain, Uses, find_uses, plain_record
from penstock.provenance._cells import cells_of
from penstock.provenance._computed import is_computing, lines_of
from penstock.provenance._findings import Record, Ref
from penstock.provenance._imports import absolute_name, is_own_class, project_modules
from penstock.provenance._loaded import file_code, file_digest, is_late
from penstock.provenance._own import find_own_file, is_own_code, is_own_module

if TYPE_CHECKING:
    from penstock.provenance._walk import Walk

_MISSING: Any = object()
_STREAMS = frozenset(("sys", name) for name in ("stdin", "stdout", "stderr"))
_INPUT, _ARGUMENTS = ("sys", "stdin"), ("sys", "argv")
_ABOUT_INPUT = frozenset({"closed", "encoding", "isatty"})


def along(walk: "Walk", value: Any, chain: Chain, place: str) -> Ref:
    """Return the record of the object at the end of a value's attribute chain."""
    if not isinstance(value, ModuleType):
        walk.value_part(place, value)
        return walk.visit(value, place)
    if not is_own_module(value):
        return _along_installed(walk, value, chain, place)
    file = getattr(value, "__file__", None)
    # Imported by a step: other processes may not have it loaded, so the file counts.
    if file and is_late(file):
        return unloaded(walk, value.__name__)
    if not chain or chain[0] == "__dict__":
        return whole_module(walk, vars(value))
    name, rest = chain[0], chain[1:]
    submodule = f"{value.__name__}.{name}"
    walk.steady.note_name(vars(value), name)
    if name in vars(value):
        return along(walk, vars(value)[name], rest, walk.value_place(vars(value), name))
    if submodule in sys.modules:
        return along(walk, sys.modules[submodule], rest, submodule)
    if find_own_file(submodule):
        return unloaded(walk, submodule)
    return whole_module(walk, vars(value)) if "__getattr__" in vars(value) else ("missing", name)


def _along_installed(walk: "Walk", module: ModuleType, chain: Chain, place: str) -> Ref:
    """Return the record of a package's attribute: the name, and any patch by the user.

    The name is the same whether a submodule is loaded by now or not.
    """
    named = ("of", module.__name__, *chain)
    value: Any = module
    while chain and isinstance(value, ModuleType) and not is_own_module(value):
        module, name, chain = value, chain[0], chain[1:]
        walk.steady.note_name(vars(module), name)
        value = vars(module).get(name, _MISSING)
        if is_computing(name, value):
            walk.found.unfollowed.add(f"{place}: {module.__name__}.{name}")
    walk.package(module.__name__)
    if isinstance(value, ModuleType):
        return (*named, along(walk, value, chain, place)) if is_own_module(value) else named
    if named[1:3] == _INPUT and (len(named) == len(_INPUT) + 1 or named[3] not in _ABOUT_INPUT):
        walk.blind("sys.stdin", value)  # input from there is not observed
    if value is _MISSING or named[1:3] in _STREAMS:  # each runner has its own
        return named
    if value is sys.modules:
        return (*named, all_modules(walk))
    is_told = plain_record(value) is not None or named[1:] == _ARGUMENTS
    if is_told or is_own_value(value):
        return (*named, walk.visit(value, ".".join(named[1:])))
    return (*named, *_replaced(walk, value, named[-1 - len(chain)], chain, place))


def _replaced(walk: "Walk", value: Any, name: str, chain: Chain, place: str) -> Record:
    """Return the record of a package's object with a replaced name or class member."""
    patched = _class_member(value, chain)
    if is_own_value(patched):
        walk.steady.give_up()
        return (chain[0], walk.visit(patched, place))
    if isinstance(value, FunctionType | type) and value.__name__ != name:
        return (value.__module__, value.__qualname__)
    return ()


def whole_module(walk: "Walk", scope: Mapping[str, Any]) -> Ref:
    """Return the record of everything that a module holds: the used parts are unknown."""
    walk.steady.give_up()
    known = walk.known(id(scope))
    if known is not None:
        return known
    number = walk.reserve(id(scope), scope)
    names = sorted(n for n in scope if n == "__getattr__" or not n.startswith("__"))
    edges = [(n, along(walk, scope[n], (), walk.value_place(scope, n))) for n in names]
    walk.records[number] = ("module", *edges)
    return ("#", number)


def unloaded(walk: "Walk", name: str) -> Ref:
    """Return the record of a user's module that steps import when they run: the whole file."""
    walk.steady.give_up()
    key = f"unloaded {name}"
    known = walk.known(key)
    if known is not None:
        return known
    file = find_own_file(name)
    code = file_code(str(file)) if file else None
    if file is None:
        walk.package(name)
        return ("module", name)
    number = walk.reserve(key)
    if code is None:
        walk.records[number] = ("file", file_digest(str(file)))
        walk.part(walk.place(file), file_digest(str(file)))
        return ("#", number)
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    parent = name.rpartition(".")[0]
    # Importing a submodule runs the packages above it first.
    above = (unloaded(walk, parent),) if parent and parent not in sys.modules else ()
    scope = {"__name__": name, "__package__": package, "__file__": str(file)}
    facts = walk.code(code, f"{walk.place(file)}:(whole file)")
    inside = imported(walk, code, scope, find_uses(code))
    walk.records[number] = ("unloaded", facts, above, *inside)
    return ("#", number)


def all_modules(walk: "Walk") -> Ref:
    """Return the record of all loaded project modules: a computed name may mean any."""
    return (
        "modules",
        *(whole_module(walk, vars(module)) for module in project_modules(walk.project)),
        *(whole_module(walk, vars(main)) for main in [sys.modules["__main__"]] if cells_of(main)),
    )


def imported(walk: "Walk", code: CodeType, scope: Mapping[str, Any], uses: Uses) -> list[Any]:
    """Return the records of imports inside of a function, and of calls of import_module."""
    edges: list[Any] = []
    for use in uses.imports:
        name = absolute_name(use.module, use.level, scope)
        if use.names and use.names != ("*",):
            pairs = zip(use.names, use.bound, strict=False)
            edges += [(name, n, _taken(walk, name, n, uses.locals.get(b))) for n, b in pairs]
        elif not use.names and len(use.bound) == 1:
            is_top = use.bound[0] == name.partition(".")[0]
            chains = uses.locals.get(use.bound[0]) or uses.globals.get(use.bound[0]) or {()}
            chains = chains | ({tuple(name.split(".")[1:])} if is_top and "." in name else set())
            base = name.partition(".")[0] if is_top else name
            for chain in sorted(chains):
                edges.append((name, chain, _of_module(walk, base, chain, code)))
        else:
            edges.append((name, _of_module(walk, name, (), code)))
    edges += [(name, _of_module(walk, name, (), code)) for name in sorted(uses.imported)]
    return edges


def _of_module(walk: "Walk", name: str, chain: Chain, code: CodeType) -> Ref:
    module = sys.modules.get(name)
    if module is not None and chain and is_computing(chain[-1], _attribute(module, chain)):
        note_computing(walk, code, chain[-1])
        return ("of", name, *chain)
    files = [name, *(".".join((name, *chain[: i + 1])) for i in range(len(chain)))]
    if module is not None and is_own_module(module):
        return along(walk, module, chain, name)
    own = [] if module is not None else [each for each in files if find_own_file(each)]
    if own:
        return ("parts", *(unloaded(walk, each) for each in own))
    return _of_package(walk, name, chain)


def _of_package(walk: "Walk", name: str, chain: Chain) -> Ref:
    """Return the record of a function's import of a package: equal whether loaded or not."""
    walk.package(name)
    if (name, *chain)[:2] == ("sys", "modules"):
        return ("of", name, *chain, all_modules(walk))
    value = _attribute(sys.modules.get(name), chain)
    patch = (walk.visit(value, name),) if is_own_value(value) else ()
    return ("of", name, *chain, *patch)


def _taken(walk: "Walk", module: str, name: str, chains: set[Chain] | None) -> Ref:
    if (module, name) == ("sys", "modules"):
        return ("of", module, name, all_modules(walk))
    loaded = sys.modules.get(module)
    submodule = f"{module}.{name}"
    if loaded is None:
        own = [each for each in (module, submodule) if find_own_file(each)]
        if own:
            return ("parts", *(unloaded(walk, each) for each in own))
    if loaded is None or not is_own_module(loaded):
        return _of_package(walk, module, (name,))
    refs = [along(walk, loaded, (name, *chain), module) for chain in sorted(chains or {()})]
    return ("taken", *refs)


def _class_member(value: Any, chain: Chain) -> Any:
    """Return the class member of a given name in an installed class: may be a user's patch."""
    if not isinstance(value, type) or not chain:
        return None
    return next((vars(cls)[chain[0]] for cls in value.__mro__ if chain[0] in vars(cls)), None)


def is_own_value(value: Any) -> bool:
    bound = isinstance(value, MethodType | classmethod | staticmethod)
    function = value.__func__ if bound else value
    if isinstance(function, FunctionType):
        return is_own_code(function.__code__.co_filename)
    if isinstance(value, type):
        return is_own_class(value)
    return value is not None and is_own_class(type(value))


def _attribute(value: Any, chain: Chain) -> Any:
    for name in chain:
        value = vars(value).get(name) if isinstance(value, ModuleType) else None
    return value


def note_computing(walk: "Walk", code: CodeType, name: str) -> None:
    for line in lines_of(code, name):
        walk.found.unfollowed.add(f"{walk.place(code.co_filename)}:{line}: {name}")
