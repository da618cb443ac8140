"""Kind of a value in the walk: code or data, and the name of the value."""

import sys
import types
from typing import Any

_LONGEST = 40  # characters of a number that is shown as a part
_CODE = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type, types.MethodType)


def is_data(value: Any) -> bool:
    """Return whether a value is reported as a separate part: neither code nor a step."""
    return not isinstance(value, _CODE) and not holds_function(value)


def shown(value: Any) -> str | None:
    """Return a number as text; texts are not shown, as they may be secrets."""
    text = repr(value) if type(value) in {bool, int, float, type(None)} else None
    return text if text is not None and len(text) <= _LONGEST else None


def is_loaded_under_its_name(value: Any) -> bool:
    """Return whether a function or class is found in the module by name."""
    owner: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for name in value.__qualname__.split("."):
        owner = getattr(owner, "__dict__", {}).get(name)
        owner = getattr(owner, "__func__", owner)
    return owner is value


def holds_function(value: Any) -> bool:
    """Return whether a value is a step or a pipeline: their options change no result."""
    cls = type(value)
    # The module of a compiled class may be no text.
    return str(cls.__module__).startswith("penstock.pipelines") and hasattr(value, "function")
