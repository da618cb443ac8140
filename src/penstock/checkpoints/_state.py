"""State of torch objects as safetensors and JSON: exact, and without code that loading would run."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from penstock.core import SerializationError, require

_MARK = "$"  # of forms that JSON has no word for


def pack_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state as bytes (safetensors) and text (JSON).

    Args:
        state: Tensors, numbers, texts, None, and dicts, lists, tuples of these.

    Raises:
        SerializationError: With the place of a value that has no safe form.
    """
    tensors: dict[str, Any] = {}
    text = json.dumps(_plain(dict(state), "state", tensors), allow_nan=False)
    safetensors = require("safetensors.torch", extra="torch", purpose="checkpoints of modules")
    return {"tensors": safetensors.save(tensors), "plain": text}


def unpack_state(packed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state that `pack_state` packed."""
    safetensors = require("safetensors.torch", extra="torch", purpose="checkpoints of modules")
    state: dict[str, Any] = _value(json.loads(packed["plain"]), safetensors.load(packed["tensors"]))
    return state


def _plain(value: Any, place: str, tensors: dict[str, Any]) -> Any:
    torch = require("torch", extra="torch", purpose="checkpoints of modules")
    if isinstance(value, torch.Tensor):
        name = f"t{len(tensors)}"
        tensors[name] = value.detach().cpu().clone().contiguous()  # no memory is shared in the file
        return {f"{_MARK}tensor": name}
    if value is None or type(value) in {bool, int, str}:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {f"{_MARK}float": repr(value)}
    if isinstance(value, dict):
        pairs = [
            [_plain(key, place, tensors), _plain(item, f"{place}[{key!r}]", tensors)]
            for key, item in value.items()
        ]
        return {f"{_MARK}counter" if isinstance(value, Counter) else f"{_MARK}dict": pairs}
    if type(value) in {list, tuple}:
        items = [_plain(item, f"{place}[{n}]", tensors) for n, item in enumerate(value)]
        return items if type(value) is list else {f"{_MARK}tuple": items}
    raise SerializationError(
        what=f"{place} is a {type(value).__module__}.{type(value).__qualname__}.",
        why="A checkpoint holds tensors, numbers and texts: other objects would need a pickle,"
        " which can run code when it is loaded.",
        fix="Leave the object out, or give its class a state_dict of tensors and numbers.",
        place=place,
    )


def _value(plain: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(plain, list):
        return [_value(item, tensors) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ((mark, inner),) = plain.items()
    match mark.removeprefix(_MARK):
        case "tensor":
            return tensors[inner]
        case "float":
            return float(inner)
        case "tuple":
            return tuple(_value(item, tensors) for item in inner)
        case kind:
            pairs = {_value(key, tensors): _value(item, tensors) for key, item in inner}
            return Counter(pairs) if kind == "counter" else pairs
