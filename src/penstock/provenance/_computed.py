"""Calls that run or import computed code, which static analysis cannot follow."""

import builtins
import dis
import importlib.util
from importlib.machinery import SourceFileLoader
from types import CodeType, FunctionType
from typing import Any

from penstock.provenance._bytecode import inner_codes

_COMPUTING = (
    builtins.eval,
    builtins.exec,
    importlib.util.spec_from_file_location,
    SourceFileLoader,
)
_IMPORTING = (importlib.import_module, builtins.__import__)
_BY_NAME = frozenset({"import_module", "__import__"})  # the code names the module, where possible


def is_computing(name: str, value: Any) -> bool:
    """Return whether a value runs or imports computed code.

    >>> is_computing("run", eval), is_computing("len", len)
    (True, False)

    Args:
        name: The name in the call: `import_module` under that very name is followed.
        value: Object bound to the name.
    """
    if any(value is item for item in _COMPUTING):
        return True
    if isinstance(value, FunctionType) and value.__module__ == "runpy":
        return True
    return name not in _BY_NAME and any(value is item for item in _IMPORTING)


def lines_of(code: CodeType, name: str) -> list[int]:
    """List the lines in which a code object, or nested code, reads a name."""
    lines = {
        item.positions.lineno
        for inner in inner_codes(code)
        for item in dis.get_instructions(inner)
        if item.argval == name and item.positions is not None and item.positions.lineno is not None
    }
    return sorted(lines)
