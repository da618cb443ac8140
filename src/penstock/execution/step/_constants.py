"""Constants of a pipeline's body: a fresh copy for each call of a step."""

import copy
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from penstock.pipelines import Output, Pipeline, Step

_UNCHANGING = (
    type(None), bool, int, float, complex, str, bytes, type, PurePath, Enum, Output, Step,
    Pipeline, FunctionType, BuiltinFunctionType, ModuleType,
)  # fmt: skip
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
_CONTAINERS = (list, tuple, set, frozenset, dict)
_DEPTH = 8


def copy_constants(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a step's arguments that are not outputs; objects shared by two arguments stay shared.

    >>> kept = {"model": [{"depth": 3}], "same": None}
    >>> copied = copy_constants(kept)
    >>> copied == kept, copied["model"] is kept["model"]
    (True, False)

    Args:
        arguments: Values by name, as traced.
    """
    if all(isinstance(value, _UNCHANGING) for value in arguments.values()):
        return dict(arguments)
    memo: dict[int, Any] = {}
    for value in arguments.values():
        _keep(value, memo)
    return {name: _copy(value, memo) for name, value in arguments.items()}


def _copy(value: Any, memo: dict[int, Any]) -> Any:
    if type(value) in {list, tuple} and set(map(type, value)) <= _PLAIN:
        return value  # the container is rebuilt later: millions of numbers are not copied
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001 - a lock, a connection: not copyable, passed as is
        return value


def _keep(value: Any, memo: dict[int, Any], depth: int = _DEPTH) -> None:
    """Add to ``memo`` the objects that are not copied: outputs, steps, sources, sentinels."""
    if _stays(value):
        memo[id(value)] = value
    elif depth and isinstance(value, _CONTAINERS):
        items = value.values() if isinstance(value, dict) else value
        if not set(map(type, items)) <= _PLAIN:  # checked in C: there may be millions
            for item in items:
                _keep(item, memo, depth - 1)


def _stays(value: Any) -> bool:
    if isinstance(value, Output | Step | Pipeline) or type(value) is object:
        return True
    if isinstance(value, MethodType):
        return False
    return not isinstance(value, type) and callable(getattr(value, "fingerprint", None))
