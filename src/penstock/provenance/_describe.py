"""The records of values: containers, classes, instances, and objects of other libraries.

A handler per type. An instance of a user's class counts by class and real attributes, an installed
instance by the pickled form; tables, arrays and models by content digest.
"""

import functools
import inspect
import logging
import os
import re
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from penstock.core import digest_bytes
from penstock.provenance._bytecode import code_facts, plain_record, text_digest
from penstock.provenance._computed import is_computing
from penstock.provenance._imports import is_own_class
from penstock.provenance._own import is_own_module
from penstock.provenance._paths import path_record

if TYPE_CHECKING:
    from penstock.provenance._walk import Record, Walk

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_LONGEST = 40  # characters of a number that is shown as a part
# Libraries whose tables, arrays, tensors and boosters have a content digest of their own.
_DIGESTED: dict[str, tuple[str, ...]] = {
    "numpy": ("ndarray", "generic", "dtype", "Generator", "RandomState", "BitGenerator"),
    "pandas": ("NDFrame", "Index", "ExtensionArray"),
    "polars": ("DataFrame", "LazyFrame", "Series"),
    "scipy": ("spmatrix", "sparray", "_spbase"),
    "pyarrow": ("Table", "RecordBatch", "Array", "ChunkedArray"),
    "torch": ("Tensor",),
    "xgboost": ("Booster", "DMatrix"),
    "lightgbm": ("Booster",),
    "sklearn": ("KDTree", "BallTree"),
}
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
_BUILT_IN = (dict, list, tuple, set, frozenset, str, bytes, bytearray, int, float, complex, deque)
# Libraries whose objects only log or count.
_TELLING = frozenset(
    {"loguru", "opentelemetry", "prometheus_client", "rich", "sentry_sdk", "structlog", "tqdm"}
)
_LOCKS = frozenset(
    {"Barrier", "BoundedSemaphore", "Condition", "Event", "RLock", "Semaphore", "lock"}
)
_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
_CODE = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type, types.MethodType)


def is_data(value: Any) -> bool:
    """Return whether a value is reported as a separate part: neither code nor a step."""
    return not isinstance(value, _CODE) and not _holds_function(value)


def shown(value: Any) -> str | None:
    """Return a number as text; texts are not shown, as they may be secrets."""
    text = repr(value) if type(value) in {bool, int, float, type(None)} else None
    return text if text is not None and len(text) <= _LONGEST else None


def is_loaded_under_its_name(value: Any) -> bool:
    """Return whether a function or class is found in its module by its own name."""
    found: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for name in value.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(name)
        found = getattr(found, "__func__", found)
    return found is value


def describe(walk: "Walk", value: Any, place: str) -> "Record":
    """Return the record of a value that is not a constant."""
    handler = _HANDLERS.get(type(value))
    if handler is not None:
        return handler(walk, value, place)
    for kind, other in _KINDS:
        if isinstance(value, kind):
            return other(walk, value, place)
    if _holds_function(value):
        return ("step", walk.visit(value.function, place))
    if callable(getattr(type(value), "fingerprint", None)):
        return _source(walk, value, place)
    if type(value).__module__.startswith("polars.expr") and _calls_python(value):
        return walk.blind(place, value)
    return _harmless(value) or _instance(walk, value, place)


def _calls_python(expression: Any) -> bool:
    """Return whether an expression of polars calls a function: the state has only the name."""
    return b"PLPY" in expression.__getstate__()


# Containers


def _list(walk: "Walk", value: list[Any], place: str) -> "Record":
    short = _all_plain("list", value)
    return short or ("list", *(walk.visit(item, f"{place}[{i}]") for i, item in enumerate(value)))


def _dict(walk: "Walk", value: Any, place: str) -> "Record":
    if value is os.environ or value is getattr(os.environ, "_data", None):
        return ("environ",)
    if value is sys.modules:
        return ("modules", walk.all_modules())
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


# Code


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
        return ("module", walk.along(value, (), place))
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


def _class(walk: "Walk", cls: type, _: str) -> "Record":
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
    found: list[Any] = []
    members = cls.__dict__.get("_member_map_", {}) if issubclass(cls, Enum) else {}
    for key, value in vars(cls).items():
        if key in _DERIVED or key in members:
            continue
        if key.startswith("__pydantic_") and key not in _OF_PYDANTIC:
            continue
        walk.value_part(f"{name}.{key}", _unbound(value))
        found.append((key, walk.visit(value, f"{name}.{key}")))
    for key, member in members.items():
        walk.value_part(f"{name}.{key}", member._value_)
        extra = {k: v for k, v in vars(member).items() if k not in _OF_MEMBERS}
        found.append((key, walk.visit(member._value_, f"{name}.{key}"), walk.visit(extra, name)))
    walk.lenient += 1
    hints = inspect.get_annotations(cls)
    found.append([(key, walk.visit(hint, f"{name}.{key}")) for key, hint in hints.items()])
    walk.lenient -= 1
    return tuple(found)


_OF_MEMBERS = frozenset({"_value_", "_name_", "__objclass__", "_sort_order_"})


def _unbound(value: Any) -> Any:
    """Return None for code: only data attributes are reported as parts."""
    is_code = isinstance(value, property | classmethod | staticmethod | functools.cached_property)
    is_slot = isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)
    return len if is_code or is_slot else value


def _is_documented(cls: type) -> bool:
    """Return whether a base from a package may read the docstring: prompts are written so."""
    roots = {base.__module__.partition(".")[0] for base in cls.__mro__ if not is_own_class(base)}
    return bool(roots - sys.stdlib_module_names - _SILENT - {"builtins", "penstock"})


# Instances


def _member(walk: "Walk", value: Enum, place: str) -> "Record":
    cls = walk.visit(type(value), place)
    return ("member", cls, str(value._name_), walk.visit(value._value_, place))


def _path(walk: "Walk", value: PurePath, _: str) -> "Record":
    return path_record(value, walk.project)


def _source(walk: "Walk", value: Any, place: str) -> "Record":
    """Return the record of a source by class: the current data counts by fingerprint."""
    walk.found.sources[place] = value
    return ("source", walk.visit(type(value), place))


def _holds_function(value: Any) -> bool:
    """Return whether a value is a step or a pipeline: their options change no result."""
    cls = type(value)
    return cls.__module__.startswith("penstock.pipelines") and hasattr(value, "function")


def _harmless(value: Any) -> "Record | None":
    """Return the record of an object without values that a result could depend on."""
    cls = type(value)
    if isinstance(value, logging.Logger):
        return ("logger", value.name)
    if cls.__module__.partition(".")[0] in _TELLING:
        return ("tells", f"{cls.__module__}.{cls.__qualname__}")
    if cls.__module__ in {"_thread", "threading"} and cls.__name__ in _LOCKS:
        return ("lock", cls.__name__)
    if value is os.environ:
        return ("environ",)
    for name in _STREAMS:
        if value is getattr(sys, name, None):
            return ("stream", name.strip("_"))
    return None


def _instance(walk: "Walk", value: Any, place: str) -> "Record":
    cls = type(value)
    if is_own_class(cls):
        return _own_instance(walk, value, place)
    root = cls.__module__.partition(".")[0]
    walk.package(cls.__module__)
    if (names := _DIGESTED.get(root)) and any(base.__name__ in names for base in cls.__mro__):
        return _digested(walk, value, place)
    if root == "numpy" and cls.__name__ == "ufunc":
        return _ufunc(walk, value, place)
    if root == "penstock":
        return _ours(walk, value, place)
    wrapped = getattr(value, "__wrapped__", None) or getattr(value, "py_func", None)
    if callable(value) and isinstance(wrapped, types.FunctionType):
        return ("wrapped", walk.visit(cls, place), walk.visit(wrapped, place))
    return _pickled(walk, value, place)


def _own_instance(walk: "Walk", value: Any, place: str) -> "Record":
    """Return the record of an instance by class and all attributes."""
    cls = type(value)
    if walk.lenient == 0 and not _can_be_copied(value):
        return walk.blind(place, value)
    try:
        # Past the class's own __getattribute__, which may run user code.
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:  # it has slots only
        attributes = {}
    kept = [
        (name, walk.visit(item, f"{place}.{name}"))
        for name, item in list(attributes.items())
        if not isinstance(getattr(cls, str(name), None), functools.cached_property)
    ]
    slots = [(n, walk.visit(item, f"{place}.{n}")) for n, item in _slots(value)]
    return ("instance", walk.visit(cls, place), kept, slots, _content(walk, value, place))


def _can_be_copied(value: Any) -> bool:
    """Return False for an object that refuses to be pickled because of an outside resource."""
    cls = type(value)
    if not any({"__reduce__", "__reduce_ex__"} & vars(c).keys() for c in cls.__mro__[:-1]):
        return True
    try:
        value.__reduce_ex__(4)
    except Exception:  # noqa: BLE001 - any exception is a refusal
        return False
    return True


def _slots(value: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for cls in type(value).__mro__:
        for name, member in vars(cls).items():
            if isinstance(member, types.MemberDescriptorType):
                try:
                    found.append((name, member.__get__(value)))
                except AttributeError:  # not set
                    continue
    return found


def _content(walk: "Walk", value: Any, place: str) -> Any:
    """Return the record of the built-in or compiled type's content below a user's class."""
    cls = type(value)
    base = next((b for b in cls.__mro__ if not b.__flags__ & _HEAP_TYPE or _is_digested(b)), object)
    if base is object:
        return ()
    if base in _BUILT_IN:
        copy = list(dict.items(value)) if base is dict else _plain_copy(base, value)
        return walk.visit(copy, place)
    if _is_digested(base):
        return _digested(walk, value, place)
    return _pickled(walk, value, place)


def _plain_copy(base: Any, value: Any) -> Any:
    if base in {list, tuple, set, frozenset, deque}:
        return (list if base is deque else base)(base.__iter__(value))
    return base.__getnewargs__(value)[0] if hasattr(base, "__getnewargs__") else base(value)


def _is_digested(cls: type) -> bool:
    return cls.__name__ in _DIGESTED.get(cls.__module__.partition(".")[0], ())


def _digested(walk: "Walk", value: Any, place: str) -> "Record":
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    dtype = getattr(value, "dtype", None)
    # The bytes of such an array are addresses, so the objects are described.
    if getattr(dtype, "hasobject", False) and type(value).__name__ == "ndarray":
        return ("objects", value.shape, str(dtype), walk.visit(value.tolist(), place))
    if kind == "torch.Tensor":
        return _tensor(walk, value, place)
    try:
        if walk.digest_value is None:
            return walk.blind(place, value)
        return ("value", kind, walk.digest_value(value))
    except Exception:  # noqa: BLE001 - foreign code; without a digest the step is not cached
        return walk.blind(place, value)


def _ours(walk: "Walk", value: Any, place: str) -> "Record":
    """Return the record of a penstock object: by digest, and by the functions inside."""
    try:
        digest = walk.digest_value(value) if walk.digest_value else None
    except Exception:  # noqa: BLE001 - then the state describes it
        digest = None
    walk.lenient += digest is not None
    try:
        return ("ours", digest, _pickled(walk, value, place))
    finally:
        walk.lenient -= digest is not None


def _ufunc(walk: "Walk", value: Any, place: str) -> "Record":
    name = str(value.__name__)
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), name, None) is value:
            return ("ufunc", module, name)
    return walk.blind(place, value)  # made of a Python function that the ufunc does not show


def _pickled(walk: "Walk", value: Any, place: str) -> "Record":
    """Return the record of an installed object by the pickled form."""
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # noqa: BLE001 - a connection, a generator: it has no state to describe
        return walk.blind(place, value)
    cls = walk.visit(type(value), place)
    if isinstance(reduced, str):
        return ("global", cls, reduced)
    make, arguments, *rest = reduced
    state = rest[0] if rest else None
    if isinstance(state, dict):
        state = {name: item for name, item in state.items() if name != "_sklearn_version"}
        rest[0] = [(str(name), walk.visit(v, f"{place}.{name}")) for name, v in state.items()]
    elif rest:
        rest[0] = walk.visit(state, place)
    items = [None if part is None else walk.visit(list(part), place) for part in rest[1:3]]
    return (
        "pickled", cls, walk.visit(make, place), walk.visit(tuple(arguments), place), rest[:1], items
    )  # fmt: skip


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


def _tensor(walk: "Walk", value: Any, place: str) -> "Record":
    """Return the record of a tensor by the bytes: the storage holds more than the values."""
    torch = sys.modules["torch"]
    try:
        data = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        facts = (str(value.dtype), tuple(value.shape), bool(value.requires_grad))
        return ("tensor", *facts, digest_bytes(memoryview(data)))
    except (RuntimeError, TypeError):  # sparse, quantised or on no device
        return walk.blind(place, value)


_HANDLERS: dict[type, Callable[["Walk", Any, str], "Record"]] = {
    list: _list,
    dict: _dict,
    types.MappingProxyType: _dict,
    set: _set,
    frozenset: _set,
    bytearray: lambda _, value, __: ("bytearray", plain_record(bytes(value))),
    types.FunctionType: lambda walk, value, _: walk.function(value),
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
    (type, _class),
    (Enum, _member),
    (PurePath, _path),
    (types.ModuleType, _module),
    (
        weakref.WeakSet | weakref.WeakKeyDictionary | weakref.WeakValueDictionary,
        _weak_items,
    ),
)
