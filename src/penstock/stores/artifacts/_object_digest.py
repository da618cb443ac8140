"""Content digest of a fitted estimator: its parameters and fitted attributes, as a tree.

Works on any object that can say its state (``__reduce_ex__``), so that it needs no list of
estimators. What depends on memory, file or version is left out: a fresh fit, the same fit in
another process and a reloaded model have one digest.
"""

import functools
import hashlib
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from penstock.core import SerializationError
from penstock.stores.artifacts._arrays import digest_numbers
from penstock.stores.artifacts._tables import digest_pandas, digest_polars

# Bookkeeping of scikit-learn: says which version wrote the state, not what the model is.
_LEFT_OUT = frozenset({"_sklearn_version"})
_TREE_COUNTERS = slice(7, 11)
_STATE, _ITEMS, _PAIRS = 2, 3, 4


def digest_object(value: Any) -> str:
    """Digest an object by its type and state.

    >>> digest_object({"b": 1, "a": (2,)}) == digest_object({"a": (2,), "b": 1})
    True

    Raises:
        SerializationError: If a part of it does not tell its state.
    """
    return "sha256:" + _Walk().digest(value).hex()


class _Walk:
    def __init__(self) -> None:
        self._done: dict[int, bytes] = {}
        self._kept: list[Any] = []  # an id is only unique while its object lives
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

    def _compound(self, value: Any) -> bytes:
        if isinstance(value, Mapping) and type(value).__module__ in {"builtins", "collections"}:
            return self._mapping("dict", value)
        if isinstance(value, list):
            return self._sequence("list", value)
        if isinstance(value, tuple):
            return self._sequence("tuple", value)
        if isinstance(value, set | frozenset):
            return _join("set", *sorted(self.digest(item) for item in value))
        if isinstance(value, functools.partial):
            return self._sequence("partial", [value.func, value.args, value.keywords])
        if isinstance(value, MethodType):
            return self._sequence("method", [value.__self__, value.__name__])
        root = type(value).__module__.partition(".")[0]
        if (special := _SPECIAL.get(root)) is not None:
            result = special(self, value)
            if result is not None:
                return result
        return self._by_state(value)

    def _mapping(self, tag: str, value: Mapping[Any, Any]) -> bytes:
        items = sorted((self.digest(key), self.digest(item)) for key, item in value.items())
        return _join(tag, *(part for item in items for part in item))

    def _sequence(self, tag: str, value: Any) -> bytes:
        return _join(tag, *(self.digest(item) for item in value))

    def _by_state(self, value: Any) -> bytes:
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise SerializationError(
                what=f"A {type(value).__qualname__} does not tell its state ({error}).",
                why="Without it the value has no digest that says when two are equal.",
                fix="Give it __getstate__, or return another type.",
            ) from error
        if isinstance(reduced, str):
            return _join("global", reduced.encode())
        parts = [_type_of(value), self._arguments(value, reduced)]
        if len(reduced) > _STATE:
            parts.append(self._state(reduced[_STATE]))
        if len(reduced) > _ITEMS and reduced[_ITEMS] is not None:
            parts.append(self._sequence("items", list(reduced[_ITEMS])))
        if len(reduced) > _PAIRS and reduced[_PAIRS] is not None:
            parts.append(self._mapping("pairs", dict(reduced[_PAIRS])))
        return _join("object", *parts)

    def _arguments(self, value: Any, reduced: tuple[Any, ...]) -> bytes:
        # The class itself is among them, and the constructor's checksum in Cython classes: both
        # are said by the type already.
        left = [
            item
            for item in reduced[1]
            if item is not type(value) and not (_is_cython(reduced[0]) and isinstance(item, int))
        ]
        return self._sequence("arguments", left)

    def _state(self, state: Any) -> bytes:
        if isinstance(state, dict):
            kept = {key: item for key, item in state.items() if key not in _LEFT_OUT}
            return self._mapping("dict", kept)
        return self.digest(state or None)


def _plain(value: Any) -> bytes | None:
    if (
        type(value).__module__ == "numpy"
        and hasattr(value, "item")
        and not hasattr(value, "__len__")
    ):
        value = value.item() if getattr(value, "shape", None) == () else value
    if value is None or isinstance(value, bool):
        return _join("constant", repr(value).encode())
    if isinstance(value, Enum):
        return _join("enum", f"{type(value).__qualname__}.{value.name}".encode())
    if isinstance(value, int):
        return _join("int", b"%d" % value)
    if isinstance(value, float):
        return _join("float", b"nan" if math.isnan(value) else float(value).hex().encode())
    if isinstance(value, str):
        return _join("str", str(value).encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes | bytearray):
        return _join("bytes", bytes(value))
    if isinstance(value, date | time | timedelta | datetime | PurePath | slice | range | complex):
        return _join("plain", repr(value).encode())
    if isinstance(value, type | FunctionType | BuiltinFunctionType | ModuleType):
        name = getattr(value, "__qualname__", value.__name__)
        return _join("name", f"{getattr(value, '__module__', '')}.{name}".encode())
    return None


def _numpy(walk: _Walk, value: Any) -> bytes | None:
    import numpy as np

    if isinstance(value, np.ndarray):
        shape = str(value.shape).encode()
        if value.dtype.kind in "OT":
            return _join("objects", shape, walk.digest(value.ravel().tolist()))
        head = str(value.dtype.descr if value.dtype.names else value.dtype.str).encode()
        return _join("array", head, shape, digest_numbers(value).encode())
    if isinstance(value, np.dtype):
        return _join("dtype", str(value).encode())
    if isinstance(value, np.ufunc):
        return _join("ufunc", value.__name__.encode())
    if isinstance(value, np.random.RandomState):
        return walk.digest(list(value.get_state(legacy=True)))
    if isinstance(value, np.random.Generator):
        return walk.digest(value.bit_generator.state)
    return None


def _scipy(walk: _Walk, value: Any) -> bytes | None:
    import scipy.sparse as sp

    if not sp.issparse(value):
        return None
    entries = value.tocoo()
    order = sorted(range(entries.nnz), key=lambda i: (entries.row[i], entries.col[i]))
    rows, columns, data = entries.row[order], entries.col[order], entries.data[order]
    parts = [value.format, value.shape, rows.astype("int64"), columns.astype("int64"), data]
    return walk._sequence("sparse", parts)  # noqa: SLF001 - same file


def _polars(_: _Walk, value: Any) -> bytes | None:
    import polars as pl

    if isinstance(value, pl.DataFrame | pl.LazyFrame | pl.Series):
        return _join("table", digest_polars(value).encode())
    if isinstance(value, pl.DataType):
        return _join("dtype", str(value).encode())
    return None


def _pandas(_: _Walk, value: Any) -> bytes | None:
    import pandas as pd

    if isinstance(value, pd.DataFrame | pd.Series):
        return _join("table", digest_pandas(value).encode())
    return None


def _xgboost(_: _Walk, value: Any) -> bytes | None:
    if type(value).__name__ != "Booster":
        return None
    return _join("xgboost", bytes(value.save_raw("json")))


def _lightgbm(_: _Walk, value: Any) -> bytes | None:
    if type(value).__name__ != "Booster":
        return None
    return _join("lightgbm", value.model_to_string(num_iteration=-1).encode())


def _sklearn(walk: _Walk, value: Any) -> bytes | None:
    if not type(value).__name__.startswith(("KDTree", "BallTree")):
        return None
    # Such a tree counts how often it was asked; that does not make it another tree.
    state = value.__getstate__()
    kept = [*state[: _TREE_COUNTERS.start], *state[_TREE_COUNTERS.stop :]]
    return walk._sequence(type(value).__name__, kept)  # noqa: SLF001 - same file


_SPECIAL = {
    "sklearn": _sklearn,
    "numpy": _numpy,
    "scipy": _scipy,
    "polars": _polars,
    "pandas": _pandas,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
}


def _type_of(value: Any) -> bytes:
    kind = type(value)
    return _join("type", f"{kind.__module__}.{kind.__qualname__}".encode())


def _is_cython(constructor: Any) -> bool:
    return str(getattr(constructor, "__name__", "")).startswith("__pyx_unpickle")


def _join(tag: str, *parts: bytes) -> bytes:
    state = hashlib.sha256(tag.encode())
    for part in parts:
        # The length makes the encoding unambiguous: no two values share a byte stream.
        state.update(b"%d:" % len(part))
        state.update(part)
    return state.digest()
