"""The facts of functions and classes, for the digest of values that contain them."""

import dis
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

_GLOBAL_OPS = frozenset({"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL"})
# Bookkeeping of the interpreter, of pickle and of abc: does not affect the class's behaviour.
_LEFT_OUT = frozenset(
    {
        "__abstractmethods__",
        "__annotate__",
        "__annotate_func__",
        "__annotations__",
        "__annotations_cache__",
        "__classdictcell__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__module__",
        "__qualname__",
        "__slotnames__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
    }
)
_OWN = "penstock"


@lru_cache(maxsize=4096)
def is_installed(module: str | None) -> bool:
    """Return whether a module belongs to Python or to an installed package.

    Classes and functions of such modules count by name: the package's version is in the step key.

    >>> is_installed("json"), is_installed("__main__")
    (True, False)
    """
    root = str(module).partition(".")[0]
    if module is None or root == "__main__":
        return False
    file = getattr(sys.modules.get(root), "__file__", None)
    if file is None:
        return root in sys.builtin_module_names or root in sys.stdlib_module_names
    if root == _OWN or "site-packages" in file or "dist-packages" in file:
        return True
    return str(file).startswith(sysconfig.get_path("stdlib"))


def code_facts(code: CodeType) -> list[Any]:
    """Return the facts of a code object, without the position in a file."""
    return [
        code.co_code,
        list(code.co_consts),
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        # Where a lambda stands is no part of what it computes.
        code.co_flags & ~inspect.CO_NESTED,
        [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount],
        code.co_exceptiontable,
    ]


def global_values(function: FunctionType) -> list[tuple[str, Any]]:
    """Return the globals that a function reads and their values, by name."""
    scope = function.__globals__
    names = sorted(set(_global_names(function.__code__)))
    return [(name, scope[name]) for name in names if name in scope]


def _global_names(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in _GLOBAL_OPS:
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def class_attributes(kind: type) -> list[tuple[str, Any]]:
    """Return the attributes in a class's body by name, without those of bases."""
    return sorted((name, value) for name, value in vars(kind).items() if name not in _LEFT_OUT)
