"""The records of functions: code, carried values, read names and annotations."""

from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from penstock.provenance._bytecode import find_uses
from penstock.provenance._findings import Record
from penstock.provenance._frames import words_in
from penstock.provenance._kinds import is_loaded_under_its_name
from penstock.provenance._names import names_record
from penstock.provenance._own import is_own_code

if TYPE_CHECKING:
    from penstock.provenance._walk import Walk


def function_record(walk: "Walk", function: FunctionType) -> Record:
    """Return the record of a function: code, carried values, and the names that are read."""
    code = function.__code__
    if not is_own_code(code.co_filename):
        return _installed_function(walk, function)
    if walk.named:
        return ("function", walk.code_place(function), function.__qualname__)
    walk.steady.note_function(function)
    return (
        "function",
        walk.code(code, walk.code_place(function)),
        *_carried(walk, function, f"{walk.file_of(function)}:{function.__qualname__}"),
        names_record(walk, code, function.__globals__, _cells(function)),
        _annotations(walk, function),
    )


def _carried(walk: "Walk", function: FunctionType, place: str) -> Record:
    """Return the record of defaults, closure cells and attributes."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    keyed = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    keyed |= function.__kwdefaults__ or {}
    for name, value in keyed.items():
        walk.value_part(f"{place} default {name}", value)
    for name, value in _cells(function).items():
        walk.value_part(f"{place} cell {name}", value)
    uses = find_uses(code)
    return (
        [(n, walk.visit(v, f"{place} default {n}")) for n, v in keyed.items()],
        [
            (n, walk.visit(v, f"{place} cell {n}"))
            for n, v in _cells(function).items()
            if not isinstance(v, ModuleType) or () in uses.locals.get(n, set())
        ],
        [(n, walk.visit(v, f"{place}.{n}")) for n, v in function.__dict__.items()],
    )


def _cells(function: FunctionType) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # not yet filled
            continue
    return cells


def _annotations(walk: "Walk", function: FunctionType) -> Record:
    """Return the record of annotations: dataclasses, penstock and more read them when run."""
    scope = function.__globals__
    walk.lenient += 1
    try:
        return tuple(_annotation(walk, n, h, scope) for n, h in _hints(function).items())
    finally:
        walk.lenient -= 1


def _annotation(walk: "Walk", name: str, hint: Any, scope: Mapping[str, Any]) -> Record:
    if isinstance(hint, str):
        named = [w for w in words_in(hint) if w in scope and isinstance(scope[w], type)]
        return (name, hint, *(walk.visit(scope[word], word) for word in named))
    return (name, walk.visit(hint, name))


def _installed_function(walk: "Walk", function: FunctionType) -> Record:
    module = str(function.__globals__.get("__name__", ""))
    walk.package(module)
    record = ("installed", module, function.__code__.co_qualname, function.__qualname__)
    if walk.named or (module == function.__module__ and is_loaded_under_its_name(function)):
        return record
    walk.steady.give_up()
    skipped = {"cache_token", "dispatch_cache"} if module == "functools" else set()
    place = f"{module}:{function.__qualname__}"
    return (
        *record,
        [walk.visit(v, place) for v in function.__defaults__ or ()],
        [(n, walk.visit(v, place)) for n, v in (function.__kwdefaults__ or {}).items()],
        [
            (n, walk.visit(v, f"{place} cell {n}"))
            for n, v in _cells(function).items()
            if n not in skipped
        ],
        [(n, walk.visit(v, f"{place}.{n}")) for n, v in function.__dict__.items()],
    )


def _hints(function: FunctionType) -> dict[str, Any]:
    try:
        return dict(function.__annotations__)
    except Exception:  # noqa: BLE001 - from Python 3.14 on they are evaluated here
        return {}
