"""What the names in a statement mean: the calls in it, their functions, and whose those are."""

import ast
import builtins
import dis
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType, UnionType
from typing import Any, TypeGuard, TypeVar, overload

from penstock.provenance._imports import is_own_class
from penstock.provenance._own import is_own_code, is_own_module

_T = TypeVar("_T")
MISSING: Any = object()
SILENT_MODULES = frozenset({"argparse", "logging", "penstock"})


def calls_in(node: ast.AST | None) -> Iterator[ast.Call]:
    """Yield the calls that an expression makes; those inside of a lambda are made later."""
    stack: list[ast.AST] = [node] if node is not None else []
    while stack:
        item = stack.pop()
        if isinstance(item, ast.Call):
            yield item
        if not isinstance(item, ast.Lambda):
            stack.extend(ast.iter_child_nodes(item))


def chain_of(node: ast.expr) -> list[str]:
    names: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    return names[::-1]


def root_of(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


@overload
def is_a(value: Any, kind: type[_T]) -> TypeGuard[_T]: ...


@overload
def is_a(value: Any, kind: UnionType | tuple[type, ...]) -> bool: ...


def is_a(value: Any, kind: Any) -> bool:
    """Return whether a value's real type is a type, or derived from it.

    A proxy that is asked for its class, as `isinstance` does, may warn, or raise.
    """
    return issubclass(type(value), kind)


def resolve(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    """Return the object of a dotted name; missing if more than a plain look-up is needed."""
    if isinstance(node, ast.Name):
        return scope.get(node.id, getattr(builtins, node.id, MISSING))
    if not isinstance(node, ast.Attribute):
        return MISSING
    base = resolve(node.value, scope)
    if is_a(base, ModuleType):
        return vars(base).get(node.attr, MISSING)
    if is_a(base, type):
        return next((vars(c)[node.attr] for c in base.__mro__ if node.attr in vars(c)), MISSING)
    if base is not MISSING and is_own_class(type(base)):
        return next(
            (vars(c)[node.attr] for c in type(base).__mro__ if node.attr in vars(c)), MISSING
        )
    return MISSING


def library_of(value: Any) -> str:
    """Return the name of the top-level package that a value comes from."""
    if is_a(value, ModuleType):
        name = value.__name__
    elif is_a(value, type | FunctionType | BuiltinFunctionType | MethodType):
        name = getattr(value, "__module__", None) or ""
    else:
        name = type(value).__module__
    return name.partition(".")[0]


def is_foreign(value: Any) -> bool:
    """Return whether a value belongs to a library, Python's own modules included."""
    if value is None or is_a(value, str | int | float | dict | list | set | tuple):
        return False
    if is_a(value, ModuleType):
        return not is_own_module(value) and library_of(value) not in SILENT_MODULES
    cls = value if is_a(value, type) else type(value)
    if is_a(value, FunctionType):
        return not is_own_code(value.__code__.co_filename)
    return not is_own_class(cls) and library_of(value) not in {"builtins", *SILENT_MODULES}


def stores_attributes(code: CodeType) -> bool:
    return "setattr" in code.co_names or any(
        each.opname == "STORE_ATTR" for each in dis.get_instructions(code)
    )
