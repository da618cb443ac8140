"""Marks of modules: whether the causes of a module's import effects are unchanged.

To find the effects of imports, every top-level statement is judged by the objects that the names
mean. The runs of a study do so a thousand times for the same modules; comparing each name with the
earlier object takes a hundredth of the time.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from penstock.provenance._cells import cells_of
from penstock.provenance._own import is_own_code

# Of other values only the type decides; a large table must not be kept alive by its mark.
_BY_IDENTITY = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type)
_AROUND = (MethodType, staticmethod, classmethod)
_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class ModuleMark:
    """The state of a module's file, names, functions and classes.

    Args:
        module: The module.
        stamp: State of the file.
        names: By name the function, class or module with that name, or the type of a value.
        codes: The user's functions among them, and the methods of classes, with their code.
        classes: The user's classes among them and their bases, with their attributes.
    """

    module: ModuleType
    stamp: object
    names: Mapping[str, Any]
    codes: tuple[tuple[FunctionType, CodeType], ...]
    classes: tuple[tuple[type, Mapping[str, Any]], ...]

    def holds(self) -> bool:
        """Return whether everything is unchanged."""
        scope = vars(self.module)
        return (
            len(scope) == len(self.names)
            and all(_mark(value) is self.names.get(n, _MISSING) for n, value in scope.items())
            and all(function.__code__ is code for function, code in self.codes)
            and all(_is_same(vars(cls), held) for cls, held in self.classes)
            and _stamp(self.module) == self.stamp
        )


def mark_module(module: ModuleType) -> ModuleMark:
    """Return the present mark of a module."""
    stamp, scope = _stamp(module), dict(vars(module))
    classes = {
        base: dict(vars(base))
        for value in scope.values()
        if issubclass(type(value), type)
        for base in (*value.__mro__, type(value))
        if _is_own_class(base)
    }
    held = [*scope.values(), *(each for names in classes.values() for each in names.values())]
    functions = dict.fromkeys(
        inner
        for each in held
        if (inner := _function_of(each)) is not None and is_own_code(inner.__code__.co_filename)
    )
    return ModuleMark(
        module,
        stamp,
        {name: _mark(value) for name, value in scope.items()},
        tuple((function, function.__code__) for function in functions),
        tuple(classes.items()),
    )


def all_hold(marks: Iterable[ModuleMark], modules: Iterable[ModuleType]) -> bool:
    """Return whether marks are of these modules, in this order, and hold."""
    of_marks, of_modules = list(marks), list(modules)
    return (
        len(of_marks) == len(of_modules)
        and all(m.module is module for m, module in zip(of_marks, of_modules, strict=True))
        and all(mark.holds() for mark in of_marks)
    )


def _mark(value: Any) -> Any:
    kind = type(value)
    return value if issubclass(kind, _BY_IDENTITY) else kind


def _function_of(value: Any) -> FunctionType | None:
    """Return the function of a value; by type, since a proxy may refuse to be looked at."""
    if type(value) in _AROUND:
        value = value.__func__
    return value if type(value) is FunctionType else None


def _is_own_class(cls: type) -> bool:
    """Return whether a class has a method whose code is the user's."""
    functions = (_function_of(each) for each in vars(cls).values())
    return any(each is not None and is_own_code(each.__code__.co_filename) for each in functions)


def _is_same(names: Mapping[str, Any], held: Mapping[str, Any]) -> bool:
    return len(names) == len(held) and all(
        value is held.get(name, _MISSING) for name, value in names.items()
    )


def _stamp(module: ModuleType) -> object:
    if cells := cells_of(module):
        return cells
    try:
        facts = os.stat(module.__file__ or "")  # noqa: PTH116 - a thousand times in a study
    except (OSError, AttributeError, TypeError, ValueError):
        return ()
    return facts.st_mtime_ns, facts.st_size, facts.st_ino
