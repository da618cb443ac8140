"""The records of instances: own instances by attributes, foreign instances by digest or pickled form."""

import functools
import logging
import os
import sys
import types
from collections import deque
from typing import TYPE_CHECKING, Any

from penstock.core import digest_bytes
from penstock.provenance._imports import is_own_class

if TYPE_CHECKING:
    from penstock.provenance._findings import Record
    from penstock.provenance._walk import Walk

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
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
_BUILT_IN = (dict, list, tuple, set, frozenset, str, bytes, bytearray, int, float, complex, deque)
# Libraries whose objects only log or count.
_TELLING = frozenset(
    {"loguru", "opentelemetry", "prometheus_client", "rich", "sentry_sdk", "structlog", "tqdm"}
)
_LOCKS = frozenset(
    {"Barrier", "BoundedSemaphore", "Condition", "Event", "RLock", "Semaphore", "lock"}
)
_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")


def harmless_record(value: Any) -> "Record | None":
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


def instance_record(walk: "Walk", value: Any, place: str) -> "Record":
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
    slots: list[tuple[str, Any]] = []
    for cls in type(value).__mro__:
        for name, member in vars(cls).items():
            if isinstance(member, types.MemberDescriptorType):
                try:
                    slots.append((name, member.__get__(value)))
                except AttributeError:  # not set
                    continue
    return slots


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


def _tensor(walk: "Walk", value: Any, place: str) -> "Record":
    """Return the record of a tensor by the bytes: the storage holds more than the values."""
    torch = sys.modules["torch"]
    try:
        data = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        facts = (str(value.dtype), tuple(value.shape), bool(value.requires_grad))
        return ("tensor", *facts, digest_bytes(memoryview(data)))
    except (RuntimeError, TypeError):  # sparse, quantised or on no device
        return walk.blind(place, value)
