"""Content digest of any object: type and state, as a tree.

Works on any object that exposes a state (``__reduce_ex__``), so that no list of types is needed.
Two values that code can distinguish have different digests; facts that depend on memory, file or
version are left out: a fresh fit, the same fit in a different process and a reloaded model have the
same digest. An object without a state has no digest, and is never called equal.
"""

import functools
import hashlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any

from penstock.core import SerializationError, digest_json, with_article
from penstock.stores._classes import class_name, module_name
from penstock.stores._json import dump_json
from penstock.stores._json_types import EXACT_WRITERS, WRITERS
from penstock.stores.artifacts._arrays import array_kind, digest_numbers, masked_parts
from penstock.stores.artifacts._bundles import DigestedFrame, PackedJson, StoredPart
from penstock.stores.artifacts._chunked_table import ChunkedTable
from penstock.stores.artifacts._code import (
    class_attributes,
    code_facts,
    global_values,
    is_installed,
)
from penstock.stores.artifacts._pandas_digest import digest_pandas_by
from penstock.stores.artifacts._polars import digest_polars
from penstock.stores.artifacts._positions import Positions
from penstock.stores.artifacts._sparse import sparse_parts
from penstock.stores.artifacts.models._distributions import NamedDistribution
from penstock.stores.artifacts.models._table import find_format

# Bookkeeping of scikit-learn: the version that wrote the state, not a property of the model.
_LEFT_OUT = frozenset({"_sklearn_version"})
_TREE_COUNTERS = slice(7, 11)
_STATE, _ITEMS, _PAIRS = 2, 3, 4
_CONTAINERS = {list, tuple, dict, set, frozenset}
# Whole values with a JSON text; values that contain others are walked.
_TEXTS = frozenset(
    kind
    for kind in {**WRITERS, **EXACT_WRITERS}
    if kind not in _CONTAINERS and not issubclass(kind, dict) and kind.__name__ != "deque"
)


def digest_object(value: Any) -> str:
    """Compute the digest of an object by type and state.

    >>> digest_object({"b": 1, "a": (2,)}) == digest_object({"a": (2,), "b": 1})
    False

    Raises:
        SerializationError: If a nested object does not expose a state.
    """
    try:
        return "sha256:" + _Walk().digest(value).hex()
    except SerializationError:
        raise
    except Exception as error:  # foreign code returns the state here
        raise _stateless(value, error) from error


def digest_of_table(digest: str) -> str:
    """Return `digest_object` of a polars table whose `digest_polars` is known."""
    return "sha256:" + _of_table(digest).hex()


class _Walk:
    def __init__(self) -> None:
        self._done: dict[int, bytes] = {}
        self._kept: list[Any] = []  # an id is only unique while the object lives
        self._open: dict[int, int] = {}

    def digest(self, value: Any) -> bytes:
        if (plain := _plain(value)) is not None:
            return plain
        identity = id(value)
        if identity in self._done:
            return self._done[identity]
        if identity in self._open:
            return _join("cycle", str(len(self._open) - self._open[identity]).encode())
        self._open[identity] = len(self._open)
        try:
            result = self._compound(value)
        finally:
            del self._open[identity]
        self._done[identity] = result
        self._kept.append(value)
        return result

    def sequence(self, tag: str, value: Any) -> bytes:
        return _join(tag, *(self.digest(item) for item in value))

    def mapping(self, tag: str, value: Mapping[Any, Any]) -> bytes:
        return _join(tag, *(self.digest(part) for item in value.items() for part in item))

    def _compound(self, value: Any) -> bytes:
        kind = type(value)
        if (walker := _BY_TYPE.get(kind)) is not None:
            return walker(self, value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, Enum):
            return _join("enum", self.digest(kind), repr(value.name).encode())
        if isinstance(value, set | frozenset):
            items = sorted(self.digest(item) for item in value)
            more = vars(value) if hasattr(value, "__dict__") else None
            return _join("set", self.digest(kind), *items, self.digest(more))
        if (own := self._part(value)) is not None:
            return own
        root = kind.__module__.partition(".")[0]
        if (special := _SPECIAL.get(root)) is not None:
            result = special(self, value)
            if result is not None:
                return result
        if (state := _model_state(value)) is not None:
            name, held = state
            return _join(name, held if isinstance(held, bytes) else self.digest(held))
        if isinstance(getattr(kind, "bundle_type", None), str):
            return _join("bundle", self.digest(kind), self.digest(value.to_bundle()))
        return self._by_state(value)

    def _part(self, value: Any) -> bytes | None:
        """Return the digest of what a part of a composite value stands for; None for the rest."""
        if isinstance(value, DigestedFrame | PackedJson | StoredPart):
            return self.digest(value.load())
        if isinstance(value, Positions):
            return _of_positions(value)
        if isinstance(value, ChunkedTable) and value.digest is not None:
            return bytes.fromhex(value.digest.removeprefix("sha256:"))
        return None

    def _class(self, kind: type) -> bytes:
        name = class_name(kind).encode()
        if is_installed(kind.__module__):
            return _join("class", name)
        if issubclass(kind, Enum):
            members = [[key, member.value] for key, member in kind.__members__.items()]
            return _join("class", name, self.digest(members))
        bases = [base for base in kind.__bases__ if base is not object]
        own = [[key, self._or_type(item)] for key, item in class_attributes(kind)]
        return _join("class", name, self.digest(bases), self.digest(own))

    def function(self, value: FunctionType) -> bytes:
        name = class_name(value).encode()
        if is_installed(value.__module__):
            return _join("function", name)
        cells = [_cell(cell) for cell in value.__closure__ or ()]
        seen = [[key, self._or_type(item)] for key, item in global_values(value)]
        parts = [value.__code__, value.__defaults__, value.__kwdefaults__, cells, vars(value), seen]
        return _join("function", name, *map(self.digest, parts))

    def _or_type(self, value: Any) -> bytes:
        """Compute the digest of a class's or module's value; locks, files, loggers by type."""
        try:
            return self.digest(value)
        except Exception:  # noqa: BLE001 - foreign code returns the state here
            return _type_of(value)

    def _by_state(self, value: Any) -> bytes:
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise _stateless(value, error) from error
        if isinstance(reduced, str):
            wrapped = getattr(value, "__wrapped__", None)
            name = f"{module_name(str(getattr(value, '__module__', '')))}:{reduced}".encode()
            return _join("global", self._type(value), name, self.digest(wrapped))
        parts = [self._type(value), self._arguments(value, reduced)]
        if len(reduced) > _STATE:
            parts.append(self._state(reduced[_STATE]))
        if len(reduced) > _ITEMS and reduced[_ITEMS] is not None:
            parts.append(self.sequence("items", list(reduced[_ITEMS])))
        if len(reduced) > _PAIRS and reduced[_PAIRS] is not None:
            parts.append(
                self.sequence("pairs", [part for item in reduced[_PAIRS] for part in item])
            )
        return _join("object", *parts)

    def _type(self, value: Any) -> bytes:
        return _join("type", self.digest(type(value)))

    def _arguments(self, value: Any, reduced: tuple[Any, ...]) -> bytes:
        # The class itself is among them, and the constructor's checksum in Cython classes: the type
        # covers both already.
        left = [
            item
            for item in reduced[1]
            if item is not type(value) and not (_is_cython(reduced[0]) and isinstance(item, int))
        ]
        return self.sequence("arguments", left)

    def _state(self, state: Any) -> bytes:
        if isinstance(state, dict):
            kept = {key: item for key, item in state.items() if key not in _LEFT_OUT}
            return self.mapping("dict", kept)
        return self.digest(state or None)


def _plain(value: Any) -> bytes | None:
    kind = type(value)
    if value is None or kind is bool:
        return _join("constant", repr(value).encode())
    if kind is int:
        return _join("int", hex(value).encode())  # decimal digits are limited, and slow
    if kind is float:
        return _join("float", b"nan" if math.isnan(value) else value.hex().encode())
    if kind is str:
        return _join("str", value.encode("utf-8", "surrogatepass"))
    if kind is bytes:
        return _join("bytes", value)
    if kind in _TEXTS or kind.__module__.partition(".")[0] in {"numpy", "pandas"}:
        return _text(value)
    return None


def _text(value: Any) -> bytes | None:
    if hasattr(value, "__len__") and not isinstance(value, range | str | bytes | bytearray):
        return None
    try:
        return _join("text", dump_json(value, exact=True).encode())
    except TypeError:
        return None


def _cell(cell: Any) -> Any:
    try:
        return [cell.cell_contents]
    except ValueError:  # the cell is empty
        return None


def _model_state(value: Any) -> tuple[str, Any] | None:
    model_format = find_format(value)
    state = None if model_format is None else model_format.state(value)
    return None if model_format is None or state is None else (model_format.name, state)


def _numpy(walk: _Walk, value: Any) -> bytes | None:
    import numpy as np

    if isinstance(value, np.ma.MaskedArray) and type(value) is np.ma.MaskedArray:
        return walk.mapping("masked", masked_parts(value))
    if isinstance(value, np.ndarray) and (kind := array_kind(value)):
        shape = f"{kind}{value.shape}{_order(value)}".encode()
        if value.dtype.kind in "OT":
            items = walk.digest(value.ravel().tolist())
            return _join("objects", shape, str(value.dtype).encode(), items)
        head = str(value.dtype.descr if value.dtype.names else value.dtype.str).encode()
        return _join("array", head, shape, digest_numbers(value).encode())
    if isinstance(value, np.dtype):
        return _join("dtype", str(value.descr if value.names else value.str).encode())
    if isinstance(value, np.ufunc):
        return _join("ufunc", value.__name__.encode())
    if isinstance(value, np.random.RandomState):
        return walk.digest(["RandomState", list(value.get_state(legacy=True))])
    if isinstance(value, np.random.Generator):
        return walk.digest(["Generator", value.bit_generator.state])
    return None


def _of_positions(value: Positions) -> bytes:
    """Return the digest of the array of integers that the positions are."""
    return _join("array", b"<i8", f"array{(len(value),)}".encode(), value.values_digest().encode())


def _order(value: Any) -> str:
    flags = value.flags
    return "F" if flags.f_contiguous and not flags.c_contiguous else ""


def _scipy(walk: _Walk, value: Any) -> bytes | None:
    import scipy.sparse as sp

    if (named := NamedDistribution.of(value)) is not None:
        return walk.digest(["distribution", named.name, named.arguments, named.keywords])
    if not sp.issparse(value):
        return None
    return walk.sequence("sparse", [class_name(type(value)), *sparse_parts(value)])


def _of_table(digest: str) -> bytes:
    return _join("table", digest.encode())


def _polars(walk: _Walk, value: Any) -> bytes | None:
    import polars as pl

    if isinstance(value, pl.DataFrame | pl.LazyFrame | pl.Series):
        return _of_table(digest_polars(value))
    if isinstance(value, pl.Enum):
        return walk.digest(["Enum", value.categories.to_list()])
    if isinstance(value, pl.DataType):
        return _join("dtype", repr(value).encode())
    return None


def _pandas(walk: _Walk, value: Any) -> bytes | None:
    import pandas as pd

    if type(value) in {pd.DataFrame, pd.Series}:
        return _join("table", digest_pandas_by(value, walk.digest).encode())
    return None


def _plotly(_: _Walk, value: Any) -> bytes | None:
    from plotly.basedatatypes import BaseFigure

    if not isinstance(value, BaseFigure):
        return None
    # plotly's order of keys is not always the same.
    return _join("figure", digest_json(json.loads(value.to_json())).encode())


def _torch(walk: _Walk, value: Any) -> bytes | None:
    """Compute the digest of a tensor by numbers: the pickled storage would count by location."""
    torch = sys.modules["torch"]
    if type(value) not in {torch.Tensor, torch.nn.Parameter} or value.layout != torch.strided:
        return None
    if value.is_quantized or value.device.type == "meta":
        return None
    numbers = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    form = [value.shape, value.stride(), value.requires_grad, vars(value)]
    described = (type(value), str(value.dtype), value.device.type, form)
    # Whatever the dtype of the numbers, NumPy supports bytes.
    return _join(
        "torch", *map(walk.digest, described), numbers.reshape(-1).view(torch.uint8).numpy().data
    )


def _sklearn(walk: _Walk, value: Any) -> bytes | None:
    if not type(value).__name__.startswith(("KDTree", "BallTree")):
        return None
    # Such a tree counts queries; that does not make it a different tree.
    state = value.__getstate__()
    kept = [*state[: _TREE_COUNTERS.start], *state[_TREE_COUNTERS.stop :]]
    return walk.sequence(type(value).__name__, kept)


_SPECIAL: dict[str, Callable[[_Walk, Any], bytes | None]] = {
    "sklearn": _sklearn,
    "numpy": _numpy,
    "scipy": _scipy,
    "polars": _polars,
    "pandas": _pandas,
    "plotly": _plotly,
    "torch": _torch,
}
_BY_TYPE: dict[type, Callable[[_Walk, Any], bytes]] = {
    dict: lambda walk, value: walk.mapping("dict", value),
    MappingProxyType: lambda walk, value: walk.mapping("proxy", value),
    list: lambda walk, value: walk.sequence("list", value),
    tuple: lambda walk, value: walk.sequence("tuple", value),
    set: lambda walk, value: _join("set", *sorted(walk.digest(item) for item in value)),
    frozenset: lambda walk, value: _join("frozen", *sorted(walk.digest(item) for item in value)),
    functools.partial: lambda walk, value: walk.sequence(
        "partial", [value.func, value.args, value.keywords, vars(value)]
    ),
    MethodType: lambda walk, value: walk.sequence("method", [value.__self__, value.__func__]),
    FunctionType: _Walk.function,
    CodeType: lambda walk, value: walk.sequence("code", code_facts(value)),
    property: lambda walk, value: walk.sequence("property", [value.fget, value.fset, value.fdel]),
    classmethod: lambda walk, value: walk.sequence("classmethod", [value.__func__]),
    staticmethod: lambda walk, value: walk.sequence("staticmethod", [value.__func__]),
    ModuleType: lambda _, value: _join("module", module_name(value.__name__).encode()),
    BuiltinFunctionType: lambda walk, value: _builtin(walk, value),  # noqa: PLW0108 - defined below
}


def _builtin(walk: _Walk, value: Any) -> bytes:
    name = f"{value.__module__}:{value.__qualname__}".encode()
    owner = value.__self__
    # A method of a list or a dict has an owner, which counts; a function's owner is its module.
    bound = None if isinstance(owner, type | ModuleType) or owner is None else owner
    return _join("builtin", name, walk.digest(bound))


def _type_of(value: Any) -> bytes:
    return _join("type", class_name(type(value)).encode())


def _is_cython(constructor: Any) -> bool:
    return str(getattr(constructor, "__name__", "")).startswith("__pyx_unpickle")


def _stateless(value: Any, error: BaseException) -> SerializationError:
    return SerializationError(
        what=f"{with_article(type(value).__qualname__, begins=True)} does not tell its state ({error}).",
        why="Without it the value has no digest that says when two are equal.",
        fix="Give it __getstate__, or return another type.",
    )


def _join(tag: str, *parts: bytes) -> bytes:
    state = hashlib.sha256(tag.encode())
    for part in parts:
        # The length makes the encoding unambiguous: no two values share a byte stream.
        state.update(b"%d:" % len(part))
        state.update(part)
    return state.digest()
