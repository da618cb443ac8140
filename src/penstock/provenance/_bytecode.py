"""Facts of a compiled function, for functions typed into a notebook: they have no file."""

import inspect
import sys
from types import CodeType
from typing import Any

_HAS_DOCSTRING = 0x4000000  # a flag of code objects from Python 3.13 on


def code_object_facts(code: CodeType) -> list[Any]:
    """Describe compiled code without its positions, as digestible values.

    >>> def one():
    ...     return 1
    >>> def another():
    ...     return 1
    >>> code_object_facts(one.__code__) == code_object_facts(another.__code__)
    True
    """
    constants: list[Any] = [
        code_object_facts(item) if isinstance(item, CodeType) else repr(item)
        for item in code.co_consts[1 if _has_docstring(code) else 0 :]
    ]
    return [code.co_code, constants, list(code.co_names), list(code.co_varnames)]


def global_names(code: CodeType) -> list[str]:
    """List the names that compiled code and its inner functions look up, sorted."""
    names = set(code.co_names)
    for item in code.co_consts:
        if isinstance(item, CodeType):
            names.update(global_names(item))
    return sorted(names)


def _has_docstring(code: CodeType) -> bool:
    """Say whether the first constant is the docstring; a comprehension's may be any text."""
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & _HAS_DOCSTRING)
    return (
        bool(code.co_flags & inspect.CO_OPTIMIZED)
        and not code.co_name.startswith("<")
        and isinstance(code.co_consts[0], str)
    )
