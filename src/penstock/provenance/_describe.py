"""The records of values: containers, classes, instances, and objects of libraries.

A handler per type. An instance of a user's class counts by class and real attributes, an installed
instance by the pickled form; tables, arrays and models by content digest.
"""

import functools
import os
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from penstock.provenance._bytecode import code_facts, plain_record, text_digest
from penstock.provenance._classes import class_record
from penstock.provenance._computed import is_computing
from penstock.provenance._functions import function_record
from penstock.provenance._instances import harmless_record, instance_record
from penstock.provenance._kinds import holds_function
from penstock.provenance._modules import all_modules, along
from penstock.provenance._own import is_own_module
from penstock.provenance._paths import path_record

if TYPE_CHECKING:
    from penstock.provenance._findings import Record
    from penstock.provenance._walk import Walk


def describe(walk: "Walk", value: Any, place: str) -> "Record":
    """Return the record of a value that is not a constant."""
    handler = _HANDLERS.get(type(value))
    if handler is not None:
        return handler(walk, value, place)
    for kind, other in _KINDS:
        if isinstance(value, kind):
            return other(walk, value, place)
    if holds_function(value):
        return ("step", walk.visit(value.function, place))
    if callable(getattr(type(value), "fingerprint", None)):
        return _source(walk, value, place)
    if type(value).__module__.startswith("polars.expr") and _calls_python(value):
        return walk.blind(place, value)
    return harmless_record(value) or instance_record(walk, value, place)


def _calls_python(expression: Any) -> bool:
    """Return whether an expression of polars calls a function: the state has only the name."""
    return b"PLPY" in expression.__getstate__()


def _list(walk: "Walk", value: list[Any], place: str) -> "Record":
    short = _all_plain("list", value)
    return short or ("list", *(walk.visit(item, f"{place}[{i}]") for i, item in enumerate(value)))


def _dict(walk: "Walk", value: Any, place: str) -> "Record":
    if value is os.environ or value is getattr(os.environ, "_data", None):
        return ("environ",)
    if value is sys.modules:
        return ("modules", all_modules(walk))
    pairs = [
        (walk.visit(k, place), walk.visit(v, f"{place}[{k!r:.40}]"))
        for k, v in value.items()
        if k != "__builtins__"  # of the names that `runpy` and `exec` return
    ]
    return ("dict", *pairs)


def _set(walk: "Walk", value: Any, place: str) -> "Record":
    plain = [plain_record(item) for item in value]
    if None not in plain:
        return (type(value).__name__, *sorted(map(repr, plain)))
    return (type(value).__name__, *sorted(walk.alone(item, place) for item in value))


def _all_plain(tag: str, value: Any) -> "Record | None":
    """Return the record of a long list of numbers or texts at once."""
    kinds = set(map(type, value))
    if len(value) > 16 and kinds <= {int, str, bool, type(None)}:  # noqa: PLR2004 - worth it from there on
        try:
            return (f"plain {tag}", len(value), text_digest(value))
        except ValueError:  # a number of more than 4,300 digits
            return None
    return None


def _builtin(walk: "Walk", value: Any, place: str) -> "Record":
    if is_computing("", value):
        walk.found.unfollowed.add(f"{place}: {value.__name__}")
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        module = value.__module__ or getattr(owner, "__name__", "")
        walk.package(module)
        return ("built in", module, value.__qualname__)
    return ("method", value.__name__, walk.visit(owner, place))


def _method(walk: "Walk", value: types.MethodType, place: str) -> "Record":
    return ("method", walk.visit(value.__func__, place), walk.visit(value.__self__, place))


def _module(walk: "Walk", value: types.ModuleType, place: str) -> "Record":
    if is_own_module(value):
        return ("module", along(walk, value, (), place))
    walk.package(value.__name__)
    return ("module", value.__name__)


def _partial(walk: "Walk", value: Any, place: str) -> "Record":
    state = [value.func, value.args, value.keywords, vars(value)]
    return (type(value).__qualname__, *(walk.visit(item, place) for item in state))


def _wrapped(walk: "Walk", value: Any, place: str) -> "Record":
    named = {k: v for k, v in vars(value).items() if k != "__wrapped__"}
    return ("cached", walk.visit(value.__wrapped__, place), walk.visit(named, place))


def _property(walk: "Walk", value: Any, place: str) -> "Record":
    return ("property", *(walk.visit(f, place) for f in (value.fget, value.fset, value.fdel)))


def _bound_later(walk: "Walk", value: Any, place: str) -> "Record":
    return (type(value).__name__, walk.visit(value.__func__, place))


def _cached_property(walk: "Walk", value: Any, place: str) -> "Record":
    return ("cached_property", walk.visit(value.func, place), value.attrname)


def _descriptor(_: "Walk", value: Any, __: str) -> "Record":
    owner = getattr(value, "__objclass__", None)
    return ("descriptor", getattr(owner, "__qualname__", ""), value.__name__)


def _member(walk: "Walk", value: Enum, place: str) -> "Record":
    cls = walk.visit(type(value), place)
    return ("member", cls, str(value._name_), walk.visit(value._value_, place))


def _path(walk: "Walk", value: PurePath, _: str) -> "Record":
    return path_record(value, walk.project)


def _source(walk: "Walk", value: Any, place: str) -> "Record":
    """Return the record of a source by class: the current data counts by fingerprint."""
    walk.found.sources[place] = value
    return ("source", walk.visit(type(value), place))


def _weak(walk: "Walk", value: Any, place: str) -> "Record":
    return ("weak", walk.visit(value(), place))


def _weak_items(walk: "Walk", value: Any, place: str) -> "Record":
    if isinstance(value, weakref.WeakSet):
        return ("weak set", *sorted(walk.alone(item, place) for item in list(value)))
    pairs = [(walk.alone(key, place), walk.alone(item, place)) for key, item in list(value.items())]
    return (type(value).__name__, *sorted(pairs))


def _variable(walk: "Walk", value: ContextVar[Any], place: str) -> "Record":
    try:
        return ("context", value.name, walk.visit(value.get(), place))
    except LookupError:  # not set, and no default
        return ("context", value.name)


def _thread_local(walk: "Walk", value: threading.local, place: str) -> "Record":
    return ("thread local", walk.visit(dict(vars(value)), place))


_HANDLERS: dict[type, Callable[["Walk", Any, str], "Record"]] = {
    list: _list,
    dict: _dict,
    types.MappingProxyType: _dict,
    set: _set,
    frozenset: _set,
    bytearray: lambda _, value, __: ("bytearray", plain_record(bytes(value))),
    types.FunctionType: lambda walk, value, _: function_record(walk, value),
    types.BuiltinFunctionType: _builtin,
    types.MethodType: _method,
    types.ModuleType: _module,
    types.UnionType: lambda walk, value, place: ("union", walk.visit(value.__args__, place)),
    types.CodeType: lambda _, value, __: ("code", code_facts(value)),
    types.MethodDescriptorType: _descriptor,
    types.WrapperDescriptorType: _descriptor,
    types.MethodWrapperType: _descriptor,
    types.ClassMethodDescriptorType: _descriptor,
    types.GetSetDescriptorType: _descriptor,
    types.MemberDescriptorType: _descriptor,
    functools.partial: _partial,
    functools.cached_property: _cached_property,
    type(functools.lru_cache(len)): _wrapped,
    property: _property,
    classmethod: _bound_later,
    staticmethod: _bound_later,
    weakref.ref: _weak,
    ContextVar: _variable,
    threading.local: _thread_local,
    re.Pattern: lambda _, value, __: ("pattern", plain_record(value.pattern), value.flags),
}
_KINDS: tuple[tuple[Any, Callable[["Walk", Any, str], "Record"]], ...] = (
    (type, class_record),
    (Enum, _member),
    (PurePath, _path),
    (types.ModuleType, _module),
    (
        weakref.WeakSet | weakref.WeakKeyDictionary | weakref.WeakValueDictionary,
        _weak_items,
    ),
)
