"""Facts of a compiled function, for functions typed into a notebook: they have no file."""

from types import CodeType
from typing import Any


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
        for item in code.co_consts
        if item != code.co_consts[0] or not isinstance(item, str)  # the docstring stands first
    ]
    return [code.co_code, constants, list(code.co_names), list(code.co_varnames)]


def global_names(code: CodeType) -> list[str]:
    """List the names that compiled code and its inner functions look up, sorted."""
    names = set(code.co_names)
    for item in code.co_consts:
        if isinstance(item, CodeType):
            names.update(global_names(item))
    return sorted(names)
