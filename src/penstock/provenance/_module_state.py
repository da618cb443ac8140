"""ModuleState: values in the user's modules before a step, with the means to restore them.

Every container that is reached from a module's names is recorded with a shallow copy of the
contents. Containers are restored in place, so that every reference sees the restored state. Values
that cannot be copied, or are too large to copy, are watched and reported.

A process may hold hundreds of modules unrelated to a pipeline. Objects that the step's own code
reaches, by a value or by an import statement, are recorded first and completely; of the rest a
limited number, so that a step costs the same in a small process and in a large process.
"""

import dis
import itertools
import operator
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import _lru_cache_wrapper, lru_cache, partial
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any

from penstock.provenance._bytecode import find_uses, inner_codes
from penstock.provenance._computed import is_computing
from penstock.provenance._imports import absolute_name
from penstock.provenance._loaded import is_late
from penstock.provenance._notes import (
    KINDS,
    Note,
    NoteMaker,
    is_plain,
    note_of_count,
    note_of_slot,
    slots_of,
)
from penstock.provenance._own import loaded_modules
from penstock.provenance._own_names import is_own_file, is_own_module, is_own_name

_LEAVES = frozenset(
    {int, float, complex, bool, str, bytes, type(None), range, slice, type(...), object}
    | {BuiltinFunctionType, type(NotImplemented), Path}
)
_MAX_ITEMS = 10_000  # items of a container that are examined
_MAX_NOTES = 50_000
_MAX_FAR = 5_000  # of them, in modules that no known path connects to a step
# Names by which code accesses modules, or their contents, without naming them.
_OPEN = frozenset(
    "modules exec eval __import__ runpy get_objects __subclasses__ iter_modules walk_packages"  # noqa: SIM905 - read as one line
    " entry_points resolve_name locate instantiate import_string import_from_string".split()
)
_IMPORT = dis.opmap["IMPORT_NAME"]
_SILENT = frozenset({"__warningregistry__", "__annotations__"})
_is = operator.is_


class ModuleState:
    """The contents of the user's modules when they were recorded."""

    def __init__(self) -> None:
        self._lists: list[tuple[Any, list[Any], str]] = []
        # With whether all keys are names: those are compared by their text.
        self._dicts: list[tuple[dict[Any, Any], dict[Any, Any], str, bool]] = []
        self._notes: list[Note] = []
        self._seen: dict[int, Any] = {}  # holds the objects, so that no id is reused
        self._functions: set[FunctionType] = set()  # of steps
        self._modules: set[str] = set()
        self._loaded = 0
        self._left: list[tuple[str, Any]] = []  # to be recorded as far as the limit allows
        self._limit = _MAX_NOTES
        self._is_open = False  # a step's code runs or imports computed code
        self._classes: dict[int, tuple[type, NoteMaker | None, bool]] = {}
        self.lost: list[str] = []
        """Places that changed and could not be restored."""
        self._table: tuple[tuple[Any, Callable[[str, Any], Iterable[tuple[str, Any]]]], ...] = (
            (dict, self._note_dict),
            (list, self._note_list),
            (tuple | frozenset, _items_of),
            (FunctionType, self._note_function),
            (ModuleType, _names_of),
            (MethodType, lambda place, value: [(place, value.__self__), (place, value.__func__)]),
            (
                partial,
                lambda place, value: [
                    (place, each) for each in (value.func, value.args, value.keywords)
                ],
            ),
            (type, self._note_class),
            (staticmethod | classmethod, lambda place, value: [(place, value.__func__)]),
            (property, lambda place, value: [(place, value.fget), (place, value.fset)]),
            (CellType, self._note_cell),
            (_lru_cache_wrapper, self._note_cached),
        )

    def note_function(self, function: Any) -> None:
        """Record the objects that a step's function reaches, or an argument's class."""
        if type(function) is FunctionType:
            if function in self._functions:
                return
            self._functions.add(function)
        for place, names in _scope_of(function):
            self.note(place, names)
        self.note(getattr(function, "__name__", "the step"), function)

    def note_modules(self) -> None:
        """Record the user's loaded modules that no step's function has led to."""
        if len(sys.modules) != self._loaded:
            self._take_in_modules()
        elif not self._is_open or not self._left or len(self._seen) > _MAX_NOTES:
            return
        if not self._is_open:
            self._limit = min(_MAX_NOTES, len(self._seen) + _MAX_FAR)
        is_open, left, self._left = self._is_open, self._left, []
        for place, value in left:
            self.note(place, value)
        # The look-ups in these modules' code say nothing about the step.
        self._limit, self._is_open = _MAX_NOTES, is_open

    def _take_in_modules(self) -> None:
        """Register the user's new modules: those that steps have loaded are recorded completely."""
        self._loaded = len(sys.modules)
        main = ("__main__", sys.modules["__main__"], "")  # a notebook's has no file
        for name, module, file in (*loaded_modules(), main):
            if name in self._modules or not is_own_module(name, module):
                continue
            self._modules.add(name)
            if is_late(file):  # a step may look the module up by name
                self.note(module.__name__, vars(module))
            else:
                self._left.append((module.__name__, vars(module)))

    def note_module(self, name: str) -> None:
        """Record a module of the user's that was loaded just now."""
        module = sys.modules.get(name)
        self._modules.add(name)
        if module is not None:
            self.note(name, vars(module))

    def note(self, place: str, value: Any) -> None:
        """Record a value and all objects that the value reaches."""
        waiting = [(place, value)]
        while waiting:
            if len(self._seen) > self._limit:
                self._left += waiting
                return
            where, each = waiting.pop()
            cls = type(each)
            if cls in _LEAVES or id(each) in self._seen:
                continue
            self._seen[id(each)] = each
            # Mocks and proxies may claim to be a dict, or refuse inspection.
            with suppress(Exception):
                waiting += self._note_one(where, each, cls)

    def is_unchanged(self) -> bool:
        """Return whether everything is as recorded."""
        return (
            all(
                len(items) == len(before) and all(map(_is, items, before))
                for items, before, _ in self._lists
            )
            and not any(_differs(*each) for each in self._dicts)
            and not any(_has_changed(note) for note in self._notes)
        )

    def set_back(self) -> list[str]:
        """Restore everything, and return the places that had changed."""
        changed: list[str] = []
        for held, saved, place, is_named in self._dicts:
            if _differs(held, saved, place, is_named):
                changed += _set_back_dict(held, saved, place)
        for items, before, place in self._lists:
            if len(items) != len(before) or not all(map(_is, items, before)):
                items[:] = before
                changed.append(place)
        return changed + [place for note in self._notes if (place := self._set_back_note(note))]

    def _set_back_note(self, note: Note) -> str:
        """Restore an object and return the place; empty if unchanged or not restorable."""
        try:
            if not note.has_changed():
                return ""
            if note.set_back is not None:
                note.set_back()
                return note.place
        except Exception:  # noqa: BLE001, S110 - foreign code: reading or restoring fails
            pass
        self.lost.append(note.place)
        return ""

    def _note_one(self, place: str, value: Any, cls: type) -> Iterable[tuple[str, Any]]:
        """Record a value and return the objects that the value reaches."""
        if isinstance(value, dict) and not _is_sized_as_dict(cls):  # a sparse matrix by keys
            return self._note_object(place, value, cls)
        for kind, note in self._table:
            if isinstance(value, kind):
                return note(place, value)
        if cls.__module__.startswith("penstock."):  # a Step or Pipeline
            function = getattr(value, "function", None)
            return [(place, function)] if isinstance(function, FunctionType) else []
        return self._note_object(place, value, cls)

    def _note_dict(self, place: str, value: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
        saved = dict(dict.items(value))
        self._dicts.append((value, saved, place, set(map(type, saved)) == {str}))
        if len(saved) > _MAX_ITEMS:
            return
        for key, item in saved.items():
            cls = type(item)
            if cls is itertools.count:
                self._notes.append(note_of_count(_joined(place, key), (value, saved), key))
            elif cls not in _LEAVES and id(item) not in self._seen:
                yield _joined(place, key), item

    def _note_list(self, place: str, value: list[Any]) -> Iterator[tuple[str, Any]]:
        saved = list.copy(value)
        self._lists.append((value, saved, place))
        if len(saved) <= _MAX_ITEMS:
            yield from ((f"{place}[{i}]", item) for i, item in enumerate(saved))

    def _note_cached(self, place: str, value: Any) -> Iterator[tuple[str, Any]]:
        # A later step would get cached results of an earlier step without a look-up of its own.
        size = value.cache_info().currsize
        self._notes.append(Note("", lambda: value.cache_info().currsize != size, value.cache_clear))
        yield place, value.__wrapped__

    def _note_object(self, place: str, value: Any, cls: type) -> Iterator[tuple[str, Any]]:
        _, noted, is_plain = self._about(cls)
        if noted is not None:
            self._notes += noted(place, value)
            return
        if not is_plain:
            return
        yield f"{cls.__module__}.{cls.__qualname__}", cls
        inside = getattr(value, "__dict__", None)
        if type(inside) is dict:
            self._dicts.append((inside, dict(inside), place, False))
            yield from ((f"{place}.{name}", item) for name, item in inside.items())
        for name in slots_of(cls):
            if hasattr(value, name):
                item = getattr(value, name)
                self._notes.append(note_of_slot(f"{place}.{name}", value, name, item))
                yield f"{place}.{name}", item

    def _about(self, cls: type) -> "tuple[type, NoteMaker | None, bool]":
        """Return a class with the recorder of the objects, and whether they are only attributes."""
        known_class = self._classes.get(id(cls))
        if known_class is None:
            bases = {f"{base.__module__}.{base.__qualname__}" for base in cls.__mro__}
            noted = next((make for name, make in KINDS.items() if name in bases), None)
            known_class = self._classes[id(cls)] = cls, noted, noted is None and is_plain(cls)
        return known_class

    def _note_function(self, place: str, function: FunctionType) -> Iterator[tuple[str, Any]]:
        if not is_own_file(function.__code__.co_filename):
            inner = getattr(function, "__wrapped__", None)  # a library's decorator around own code
            if inner is not None:
                yield place, inner
            return
        name = f"{place}()"
        yield from ((f"default of {name}", each) for each in function.__defaults__ or ())
        if function.__kwdefaults__:
            yield f"default of {name}", function.__kwdefaults__
        yield from ((place, cell) for cell in function.__closure__ or ())
        yield place, function.__dict__
        yield from _scope_of(function)
        yield from self._imported_by(function)

    def _imported_by(self, function: FunctionType) -> Iterator[tuple[str, Any]]:
        """Return the modules that a function's code imports at run time."""
        scope = function.__globals__
        words, is_open, may_import = _words_of(function.__code__)
        self._is_open = (
            self._is_open
            or is_open
            or any(is_computing(word, scope[word]) for word in words if word in scope)
        )
        if not may_import:
            return
        uses = find_uses(function.__code__)
        self._is_open = self._is_open or bool(uses.computed)
        names = set(uses.imported)
        for use in uses.imports:
            module = absolute_name(use.module, use.level, scope)
            names |= {module, *(f"{module}.{name}" for name in use.names)}
        for name in names:
            parts = name.split(".")
            places = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
            yield from ((place, sys.modules.get(place)) for place in places)

    def _note_cell(self, place: str, cell: CellType) -> Iterator[tuple[str, Any]]:
        try:
            held = cell.cell_contents
        except ValueError:
            return

        def set_back() -> None:
            cell.cell_contents = held

        self._notes.append(Note(place, lambda: cell.cell_contents is not held, set_back))
        yield place, held

    def _note_class(self, place: str, cls: type) -> Iterator[tuple[str, Any]]:
        if cls.__module__.startswith("penstock.") or not is_own_module(
            cls.__module__, sys.modules.get(cls.__module__)
        ):
            return
        held = dict(vars(cls))

        def has_changed() -> bool:
            now = vars(cls)
            return len(now) != len(held) or not all(map(_is, now.values(), held.values()))

        def set_back() -> None:
            now = dict(vars(cls))
            for name in now.keys() - held.keys():
                type.__delattr__(cls, name)
            for name, value in held.items():
                if now.get(name, held) is not value:
                    type.__setattr__(cls, name, value)

        self._notes.append(Note(place, has_changed, set_back))
        yield from ((f"{base.__module__}.{base.__qualname__}", base) for base in cls.__bases__)
        yield from ((f"{place}.{name}", item) for name, item in held.items())


@lru_cache(maxsize=1 << 14)
def _words_of(code: CodeType) -> tuple[frozenset[str], bool, bool]:
    """Return a function's names, whether any name opens all modules, and if code may import."""
    codes = list(inner_codes(code))
    words = frozenset(name for each in codes for name in each.co_names)
    may_import = "import_module" in words or any(_IMPORT in each.co_code[::2] for each in codes)
    return words, not words.isdisjoint(_OPEN), may_import


def _is_sized_as_dict(cls: type) -> bool:
    return cls.__len__ is dict.__len__ and not hasattr(cls, "__bool__")  # type: ignore[attr-defined] # a dict's class


def _names_of(_place: str, module: ModuleType) -> Iterator[tuple[str, Any]]:
    name = str(vars(module).get("__name__"))
    if is_own_module(name, module):
        yield name, vars(module)


def _scope_of(function: Any) -> Iterator[tuple[str, Any]]:
    """Return the names of the module of a function, if the module is the user's."""
    names = getattr(function, "__globals__", None)
    if type(names) is not dict:
        return
    name, file = names.get("__name__"), names.get("__file__")
    if isinstance(name, str) and is_own_name(name, file if isinstance(file, str) else None):
        yield name, names


def _items_of(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if len(value) <= _MAX_ITEMS:
        yield from ((place, item) for item in value)


def _differs(held: dict[Any, Any], saved: dict[Any, Any], _place: str, is_named: bool) -> bool:
    if not saved and not len(held):  # as for most functions' attributes
        return False
    return len(held) != len(saved) or not (
        all(map(_is, dict.values(held), saved.values()))
        and (list(held) == list(saved) if is_named else all(map(_is, held, saved)))
    )


def _has_changed(note: Note) -> bool:
    try:
        return note.has_changed()
    except Exception:  # noqa: BLE001 - foreign code: reading fails
        return True


def _set_back_dict(held: dict[Any, Any], saved: dict[Any, Any], place: str) -> list[str]:
    changed = []
    for key in {**held, **saved}:
        if key in held and key in saved and dict.__getitem__(held, key) is saved[key]:
            continue
        if _is_submodule(held, key):  # importing it again would not add it
            saved[key] = held[key]
        else:
            changed.append(key)
    if isinstance(held, OrderedDict):  # an OrderedDict stores its order beside the dict
        held.clear()
        held.update(saved)
        return [_joined(place, key) for key in changed]
    for key in changed:
        if key in saved:
            dict.__setitem__(held, key, saved[key])
        else:
            dict.__delitem__(held, key)
    if not all(map(_is, held, saved)):
        dict.clear(held)
        dict.update(held, saved)
    return [_joined(place, key) for key in changed if key not in _SILENT]


def _is_submodule(held: Mapping[Any, Any], key: Any) -> bool:
    value = held.get(key)
    name = f"{held.get('__name__')}.{key}"
    return isinstance(value, ModuleType) and value is sys.modules.get(name)


def _joined(place: str, key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f"{place}.{key}"
    try:
        return f"{place}[{key!r}]"
    except Exception:  # noqa: BLE001 - a user's key may refuse to be shown
        return f"{place}[{type(key).__name__}]"
