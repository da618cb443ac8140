"""What a network of PyTorch may hold besides tensors: the user's own code and objects, and arrays."""

from enum import Enum
from functools import partial
from typing import Any

import numpy as np

from penstock.stores.artifacts.models._own_code import is_own

NUMBER_KINDS = "biufc"
"""Kinds of NumPy's types whose bytes are numbers."""
# By these an object has another state than its attributes.
_STATEFUL = frozenset({"__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__slots__"})


def own_parts(value: Any) -> list[Any]:
    """Return the user's classes of the modules and objects, and the functions in attributes."""
    parts: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [*value.modules()]
    while waiting:
        item = waiting.pop()
        seen.add(id(item))
        for each in (type(item), *_flat(vars(item).values())):
            is_member = isinstance(each, Enum) and is_own(type(each))
            if is_own(each) or is_member:
                part = type(each) if is_member else each
                parts[id(part)] = part
            elif id(each) not in seen and is_own_object(each):
                waiting.append(each)
    return list(parts.values())


def is_own_object(value: Any) -> bool:
    """Return whether an object is of a class of the user's, and has its attributes as only state."""
    return is_own(type(value)) and has_plain_state(type(value))


def has_plain_state(kind: type) -> bool:
    return all(base is object or is_own(base) for base in kind.__mro__) and not any(
        _STATEFUL & vars(base).keys() for base in kind.__mro__ if base is not object
    )


def array_form(value: Any) -> list[Any]:
    """Return type, shape (None for a number) and order of an array; empty if it has no numbers."""
    if value.dtype.kind not in NUMBER_KINDS or type(value).__module__ != "numpy":
        return []
    if not isinstance(value, np.ndarray):
        return [value.dtype.str, None, "C"]
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return [value.dtype.str, list(value.shape), order]


def _flat(values: Any) -> Any:
    for value in values:
        if isinstance(value, list | tuple | set | frozenset):
            yield from _flat(value)
        elif isinstance(value, dict):
            yield from _flat(value.values())
        elif isinstance(value, partial):
            yield from _flat((value.func, *value.args, *value.keywords.values()))
        else:
            yield value
