"""Effects of importing a module on further modules: top-level calls, patches and registrations.

Names that a module binds are values, and count where they are read. Changes to libraries
appear in no value: so the statements that make them count, with all that they reach.
"""

import ast
import builtins
import dis
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from penstock.core import digest_bytes
from penstock.provenance._bytecode import find_uses
from penstock.provenance._cells import cells_tree, compile_cells
from penstock.provenance._imports import is_own_class
from penstock.provenance._loaded import module_code, module_tree
from penstock.provenance._names import names_record
from penstock.provenance._own import is_own_code, is_own_module

if TYPE_CHECKING:
    from penstock.provenance._findings import Ref
    from penstock.provenance._walk import Walk

_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_BLOCKS = ast.If | ast.For | ast.While | ast.With | ast.Try | ast.TryStar | ast.Match
# Names of functions that change their library.
_CHANGING = re.compile(
    r"_*(add|configure|connect|custom|disable|enable|extend|hook|implement|init|install|listen|on_|"
    r"overload|patch|plug|push|register|reset|seed|set|subscribe|use)",
    re.IGNORECASE,
)
# Libraries whose decorators and base classes affect only their return value.
_QUIET = frozenset(
    {"_pytest", "attr", "attrs", "beartype", "cachetools", "jax", "joblib", "msgspec", "numba",
     "numpy", "pandas", "penstock", "polars", "pydantic", "pytest", "ray", "scipy", "sklearn",
     "tenacity", "torch", "tqdm", "typeguard", "typing_extensions", "wrapt"}
)  # fmt: skip
_SILENT_MODULES = frozenset({"argparse", "logging", "penstock"})
_MISSING: Any = object()
_LIGHT = (str, int, float, bool, type(None), type, ModuleType, FunctionType, BuiltinFunctionType)


def visit_effects(walk: "Walk", module: ModuleType, *, is_driver: bool) -> "Ref | None":
    """Return the record of a module's statements that change something outside of the module.

    Args:
        walk: The walk that receives the records.
        module: A loaded module of the user's.
        is_driver: True for a script that only starts the pipeline: of the script's calls only those
            count whose name says that they change a library.

    Returns:
        None if there are none.
    """
    file = getattr(module, "__file__", None)
    if not file:
        return visit_cells(walk, module)
    place = f"{walk.place(file)}:(top level)"
    tree = module_tree(file)
    scope = vars(module)
    if tree is not None:
        try:
            chosen = list(_changing(tree.body, scope, is_driver=is_driver))
        except Exception:  # noqa: BLE001 - looking a name up may run foreign code
            chosen = tree.body
        if not chosen:
            return None
        # Only the chosen statements, so that edits to the rest do not count.
        code: CodeType | None = compile(ast.Module(chosen, []), file, "exec", dont_inherit=True)
    else:  # the text is no longer the executed one: all of it counts
        code = module_code(file)
    if code is None:
        walk.part(place, _file_digest(file))
        return ("file", _file_digest(file))
    return ("effects", walk.code(code, place), names_record(walk, code, scope, {}))


def visit_cells(walk: "Walk", module: ModuleType) -> "Ref | None":
    """Return the record of a live notebook's statements that change something outside of it.

    Of the calls of a notebook, most compute its values: those count whose function is of a module
    and says by its name that it changes a library, and those of own functions that do so. An
    assignment to an attribute of a library, or of an own module, counts with its newest value.
    """
    tree, scope = cells_tree(module), vars(module)
    chosen: dict[str, ast.stmt] = {}
    for node in tree.body if tree is not None else ():
        try:
            found = _changing_cell(node, scope)
        except Exception:  # noqa: BLE001 - looking a name up may run foreign code
            found = node
        if found is not None:
            key = _target_text(found)
            chosen.pop(key, None)  # executed again: the last time counts
            chosen[key] = found
    if not chosen:
        return None
    code = compile_cells(list(chosen.values()))
    return ("effects", walk.code(code, "notebook:(cells)"), names_record(walk, code, scope, {}))


def _target_text(node: ast.stmt) -> str:
    """Return the text by which a later statement replaces a statement: of assignments the target."""
    if isinstance(node, ast.Assign):
        return " = ".join(ast.unparse(each) for each in node.targets)
    return ast.unparse(node)


def _changing_cell(node: ast.stmt, scope: Mapping[str, Any]) -> ast.stmt | None:
    """Return a statement of a cell that changes something outside, without the values it uses."""
    stores = [node]
    if isinstance(node, _BLOCKS):
        stores = [each for each in ast.walk(node) if isinstance(each, ast.stmt)]
    is_chosen = any(_is_patch(target, scope) for each in stores for target in _targets(each))
    if is_chosen:
        return node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        loud = any(_decorates_loudly(each, scope) for each in node.decorator_list)
        return node if loud else None
    calls = [_without_data(each, scope) for each in _calls(node) if _changes_library(each, scope)]
    if not calls:
        return None
    return ast.fix_missing_locations(ast.Expr(ast.Tuple(calls, ast.Load())))


def _targets(node: ast.stmt) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return targets
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return [target]
    return []


def _is_patch(target: ast.expr, scope: Mapping[str, Any]) -> bool:
    """Return whether an assignment is to a module's or a library class's attribute, or to its item.

    Attributes and items of the notebook's own objects (``df["a"] = 1``) are values: they count where
    they are read.
    """
    if isinstance(target, ast.Tuple | ast.List):
        return any(_is_patch(each, scope) for each in target.elts)
    if isinstance(target, ast.Subscript):
        held, root = target.value, _root(target.value)
        return isinstance(held, ast.Attribute) and isinstance(scope.get(root or ""), ModuleType)
    if not isinstance(target, ast.Attribute):
        return False
    owner = _resolve(target.value, scope)
    return isinstance(owner, ModuleType) or (isinstance(owner, type) and _is_foreign(owner))


def _changes_library(call: ast.Call, scope: Mapping[str, Any]) -> bool:
    value = _resolve(call.func, scope)
    if isinstance(value, FunctionType) and is_own_code(value.__code__.co_filename):
        given = _is_given_foreign(call, scope) and _stores_attributes(value.__code__)
        return given or _touches_others(value, set())
    if value is setattr:
        owner = _resolve(call.args[0], scope) if call.args else _MISSING
        return isinstance(owner, ModuleType) or _is_foreign(owner)
    return value is not _MISSING and _is_changing(call.func, scope, own=False)


def _stores_attributes(code: CodeType) -> bool:
    return "setattr" in code.co_names or any(
        each.opname == "STORE_ATTR" for each in dis.get_instructions(code)
    )


def _without_data(call: ast.Call, scope: Mapping[str, Any]) -> ast.expr:
    """Return a call without the arguments that are tables, models and other data of the notebook."""

    def is_kept(node: ast.expr) -> bool:
        names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
        return all(isinstance(scope.get(name, None), _LIGHT) for name in names)

    arguments = [each for each in call.args if is_kept(each)]
    named = [each for each in call.keywords if is_kept(each.value)]
    return ast.Call(call.func, arguments, named)


def _changing(
    body: list[ast.stmt], scope: Mapping[str, Any], *, is_driver: bool
) -> Iterator[ast.stmt]:
    for node in body:
        if is_driver and isinstance(node, ast.Expr):
            is_chosen = _calls_change(node.value, scope, own=False)
        else:
            is_chosen = not _never_runs(node) and _changes(node, scope)
        if is_chosen:
            yield node


def _changes(node: ast.AST, scope: Mapping[str, Any]) -> bool:
    """Return whether a statement changes something that is not a value of the module."""
    match node:
        case ast.Expr(value=value):
            outer = value if isinstance(value, ast.Call) else None
            return (outer is not None and _is_loud(outer, scope)) or _calls_change(value, scope)
        case ast.Assign(targets=targets, value=value):
            return _reaches_out(targets, scope) or _calls_change(value, scope)
        case ast.AnnAssign(target=target, value=value) | ast.AugAssign(target=target, value=value):
            return _reaches_out([target], scope) or _calls_change(value, scope)
        case ast.Delete(targets=targets):
            return _reaches_out(targets, scope)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return any(_decorates_loudly(item, scope) for item in node.decorator_list)
        case ast.ClassDef():
            return (
                any(_decorates_loudly(item, scope) for item in node.decorator_list)
                or any(_changes(item, scope) for item in node.body)
                or _is_registered(scope.get(node.name))
            )
    if not isinstance(node, _BLOCKS):
        return False
    inner = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
    return any(
        _changes(child, scope)
        for item in inner
        for child in ([item] if isinstance(item, ast.stmt) else ast.iter_child_nodes(item))
        if isinstance(child, ast.stmt) and not _never_runs(child)
    )


def _calls(node: ast.AST | None) -> Iterator[ast.Call]:
    """Yield the calls that an expression makes; those inside of a lambda are made later."""
    stack: list[ast.AST] = [node] if node is not None else []
    while stack:
        item = stack.pop()
        if isinstance(item, ast.Call):
            yield item
        if not isinstance(item, ast.Lambda):
            stack.extend(ast.iter_child_nodes(item))


def _is_loud(call: ast.Call, scope: Mapping[str, Any]) -> bool:
    """Return whether a call whose result is unused may change something."""
    root = _root(call.func)
    if root is None:
        return True
    base = scope.get(root, getattr(builtins, root, _MISSING))
    chain = _chain(call.func)
    if base is print or isinstance(base, logging.Logger) or chain[:2] == ["sys", "path"]:
        return False
    if isinstance(base, dict | list | set):  # a value of the module: counts where it is read
        return False
    return _library(base) not in _SILENT_MODULES


def _calls_change(value: ast.expr | None, scope: Mapping[str, Any], *, own: bool = True) -> bool:
    return any(
        _is_changing(call.func, scope, own=own) or (own and _is_given_foreign(call, scope))
        for call in _calls(value)
    )


def _is_given_foreign(call: ast.Call, scope: Mapping[str, Any]) -> bool:
    """Return whether the user's own function is passed a class or module of a library."""
    value = _resolve(call.func, scope)
    if not isinstance(value, FunctionType) or not is_own_code(value.__code__.co_filename):
        return False
    arguments = [_resolve(item, scope) for item in (*call.args, *(k.value for k in call.keywords))]
    return any(isinstance(item, type | ModuleType) and _is_foreign(item) for item in arguments)


def _is_changing(function: ast.expr, scope: Mapping[str, Any], *, own: bool) -> bool:
    """Return whether a called function changes a library, judged by name or code."""
    value = _resolve(function, scope)
    if isinstance(value, FunctionType) and is_own_code(value.__code__.co_filename):
        return own and _touches_others(value, set())
    chain = _chain(function)
    if not chain or _library(value) in {"builtins", *_SILENT_MODULES}:
        return False
    return bool(_CHANGING.match(chain[-1])) and not isinstance(value, type)


def _decorates_loudly(decorator: ast.expr, scope: Mapping[str, Any]) -> bool:
    if isinstance(decorator, ast.Call) and _is_given_foreign(decorator, scope):
        return True
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    root = _root(function)
    value = _resolve(function, scope)
    if value is _MISSING and root is not None:
        base = scope.get(root)
        if isinstance(base, FunctionType) and is_own_code(base.__code__.co_filename):
            return False  # `function.register`: the registered function is a value of that function
        return _is_loud_library(_library(base), function)
    inner = getattr(value, "__func__", value)
    if isinstance(inner, FunctionType) and is_own_code(inner.__code__.co_filename):
        return _touches_others(inner, set())
    if isinstance(value, type) and is_own_class(value):
        return False
    return _is_loud_library(_library(value), function)


def _is_loud_library(library: str, function: ast.expr) -> bool:
    """Return whether a decorator of a library may change more than the return value."""
    if library in sys.stdlib_module_names or library in {"builtins", *_SILENT_MODULES}:
        return False
    return library not in _QUIET or any(_CHANGING.match(name) for name in _chain(function))


def _touches_others(function: FunctionType, seen: set[int]) -> bool:
    """Return whether a function of the user's writes to a library, directly or through calls."""
    if id(function) in seen:
        return False
    seen.add(id(function))
    scope, uses = function.__globals__, find_uses(function.__code__)
    for root, *rest in uses.writes:
        if rest and _is_foreign(scope.get(root)):
            return True
    if "setattr" in uses.globals and any(_is_foreign(scope.get(name)) for name in uses.globals):
        return True
    for name, chains in uses.globals.items():
        value = scope.get(name)
        if isinstance(value, FunctionType) and is_own_code(value.__code__.co_filename):
            if _touches_others(value, seen):
                return True
        elif _is_foreign(value):
            ends = {chain[-1] if chain else name for chain in chains}
            if any(_CHANGING.match(end) for end in ends):
                return True
    return False


def _is_foreign(value: Any) -> bool:
    """Return whether a value belongs to a library, Python's own modules included."""
    if value is None or isinstance(value, str | int | float | dict | list | set | tuple):
        return False
    if isinstance(value, ModuleType):
        return not is_own_module(value) and _library(value) not in _SILENT_MODULES
    cls = value if isinstance(value, type) else type(value)
    if isinstance(value, FunctionType):
        return not is_own_code(value.__code__.co_filename)
    return not is_own_class(cls) and _library(value) not in {"builtins", *_SILENT_MODULES}


def _is_registered(value: Any) -> bool:
    """Return whether a library is notified of each class derived from the library's classes."""
    if not isinstance(value, type):
        return False
    for cls in (*value.__mro__[1:], type(value)):
        own = vars(cls).get("__init_subclass__")
        if is_own_class(cls):
            function = getattr(own, "__func__", None)
            if isinstance(function, FunctionType) and _touches_others(function, set()):
                return True
        elif own is not None or issubclass(cls, type):
            library = _library(cls)
            if library not in {*_QUIET, *sys.stdlib_module_names, "builtins"}:
                return True
    return False


def _reaches_out(targets: list[ast.expr], scope: Mapping[str, Any]) -> bool:
    """Return whether an assignment is to an attribute or item of a library's object."""
    for target in targets:
        if isinstance(target, ast.Tuple | ast.List):
            if _reaches_out(target.elts, scope):
                return True
        elif isinstance(target, ast.Attribute | ast.Subscript):
            root = _root(target.value)
            held = _resolve(target.value, scope)
            if root is None or _is_foreign(scope.get(root) if held is _MISSING else held):
                return True
    return False


def _chain(node: ast.expr) -> list[str]:
    names: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    return names[::-1]


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _resolve(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    """Return the object of a dotted name; missing if more than a plain look-up is needed."""
    if isinstance(node, ast.Name):
        return scope.get(node.id, getattr(builtins, node.id, _MISSING))
    if not isinstance(node, ast.Attribute):
        return _MISSING
    base = _resolve(node.value, scope)
    if isinstance(base, ModuleType):
        return vars(base).get(node.attr, _MISSING)
    if isinstance(base, type):
        return next((vars(c)[node.attr] for c in base.__mro__ if node.attr in vars(c)), _MISSING)
    if base is not _MISSING and is_own_class(type(base)):
        return next(
            (vars(c)[node.attr] for c in type(base).__mro__ if node.attr in vars(c)), _MISSING
        )
    return _MISSING


def _library(value: Any) -> str:
    """Return the name of the top-level package that a value comes from."""
    if isinstance(value, ModuleType):
        name = value.__name__
    elif isinstance(value, type | FunctionType | BuiltinFunctionType | MethodType):
        name = getattr(value, "__module__", None) or ""
    else:
        name = type(value).__module__
    return name.partition(".")[0]


def _never_runs(node: ast.AST) -> bool:
    """Return whether a statement runs nothing on import: main guards and ``TYPE_CHECKING``."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in {
        "__name__ == '__main__'",
        "'__main__' == __name__",
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    }


def _file_digest(file: str) -> str:
    try:
        return digest_bytes(Path(file).read_bytes())
    except OSError:
        return "gone"
