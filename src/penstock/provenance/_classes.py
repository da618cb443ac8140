"""The records of the user's classes: bases, members, annotations, and docstrings that count."""

import functools
import inspect
import sys
import types
from enum import Enum
from typing import TYPE_CHECKING, Any

from penstock.provenance._bytecode import text_digest
from penstock.provenance._imports import is_own_class

if TYPE_CHECKING:
    from penstock.provenance._findings import Record
    from penstock.provenance._walk import Walk

_DERIVED = frozenset(
    {"__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__",
     "__abstractmethods__", "__dict__", "__doc__", "__firstlineno__", "__module__",
     "__static_attributes__", "__weakref__", "_abc_impl", "_hashable_values_", "_member_map_",
     "_member_names_", "_unhashable_values_", "_unhashable_values_map_", "_value2member_map_"}
)  # fmt: skip
_OF_PYDANTIC = ("__pydantic_fields__", "__pydantic_decorators__")
# Bases that never read the docstring of a class that is derived from them.
_SILENT = frozenset(
    {"lightgbm", "numpy", "pandas", "polars", "pydantic", "scipy", "sklearn", "torch"}
)
_OF_MEMBERS = frozenset({"_value_", "_name_", "__objclass__", "_sort_order_"})


def class_record(walk: "Walk", cls: type, _: str) -> "Record":
    if not is_own_class(cls):
        walk.package(cls.__module__)
        return ("class", cls.__module__, cls.__qualname__)
    name = walk.class_place(cls)
    if walk.named:
        return ("class", name)
    walk.found.classes.append(cls)
    walk.part(name, f"class of {[base.__qualname__ for base in cls.__bases__]}")
    if _is_documented(cls):
        walk.part(name, text_digest(cls.__doc__))
        documented: Any = cls.__doc__
    else:
        documented = None
        walk.documented(cls.__doc__)
    heads = [walk.visit(base, name) for base in (type(cls), *cls.__bases__)]
    return ("class", cls.__qualname__, documented, heads, _members(walk, cls, name))


def _members(walk: "Walk", cls: type, name: str) -> "Record":
    records: list[Any] = []
    members = cls.__dict__.get("_member_map_", {}) if issubclass(cls, Enum) else {}
    for key, value in vars(cls).items():
        if key in _DERIVED or key in members:
            continue
        if key.startswith("__pydantic_") and key not in _OF_PYDANTIC:
            continue
        walk.value_part(f"{name}.{key}", _unbound(value))
        records.append((key, walk.visit(value, f"{name}.{key}")))
    for key, member in members.items():
        walk.value_part(f"{name}.{key}", member._value_)
        extra = {k: v for k, v in vars(member).items() if k not in _OF_MEMBERS}
        records.append((key, walk.visit(member._value_, f"{name}.{key}"), walk.visit(extra, name)))
    walk.lenient += 1
    hints = inspect.get_annotations(cls)
    records.append([(key, walk.visit(hint, f"{name}.{key}")) for key, hint in hints.items()])
    walk.lenient -= 1
    return tuple(records)


def _unbound(value: Any) -> Any:
    """Return None for code: only data attributes are reported as parts."""
    is_code = isinstance(value, property | classmethod | staticmethod | functools.cached_property)
    is_slot = isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)
    return len if is_code or is_slot else value


def _is_documented(cls: type) -> bool:
    """Return whether a base from a package may read the docstring: prompts are written so."""
    roots = {base.__module__.partition(".")[0] for base in cls.__mro__ if not is_own_class(base)}
    return bool(roots - sys.stdlib_module_names - _SILENT - {"builtins", "penstock"})
