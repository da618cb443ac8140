"""Effects of importing a module on further modules: top-level calls, patches and registrations.

Names that a module binds are values, and count where they are read. Changes to libraries
appear in no value: so the statements that make them count, with all that they reach.
"""

import ast
import builtins
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from penstock.core import digest_bytes
from penstock.provenance._bytecode import find_uses
from penstock.provenance._cells import UNKNOWN, cell_statements, cells_of, compile_cells
from penstock.provenance._imports import is_own_class
from penstock.provenance._loaded import module_code, module_tree
from penstock.provenance._names import names_record
from penstock.provenance._own import is_own_code
from penstock.provenance._resolving import (
    MISSING,
    SILENT_MODULES,
    calls_in,
    chain_of,
    is_a,
    is_foreign,
    library_of,
    resolve,
    root_of,
    stores_attributes,
)

if TYPE_CHECKING:
    from penstock.provenance._findings import Ref
    from penstock.provenance._walk import Walk

_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_BLOCKS = ast.If | ast.For | ast.While | ast.With | ast.Try | ast.TryStar | ast.Match
# Names of functions that change their library.
CHANGING = re.compile(
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
    if not file or cells_of(module):  # `%run -i` leaves the name of its file in the notebook
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
    scope = vars(module)
    chosen: dict[str, ast.stmt] = {}
    for _, found in changing_statements(module):
        key = _target_text(found)
        chosen.pop(key, None)  # executed again: the last time counts
        chosen[key] = found
    if not chosen:
        return None
    code = compile_cells(list(chosen.values()))
    return ("effects", walk.code(code, "notebook:(cells)"), names_record(walk, code, scope, {}))


def changing_statements(module: ModuleType) -> Iterator[tuple[int, ast.stmt]]:
    """Yield the statements of a live notebook that change something outside, by number of the cell."""
    for number, node in cell_statements(module):
        try:
            found = _changing_cell(node, vars(module))
        except Exception:  # noqa: BLE001 - looking a name up may run foreign code
            found = node
        if found is not None:
            yield number, found


def _target_text(node: ast.stmt) -> str:
    """Return the text by which a later statement replaces a statement: of assignments the target."""
    if isinstance(node, ast.Assign):
        return " = ".join(ast.unparse(each) for each in node.targets)
    return ast.unparse(node)


def _changing_cell(node: ast.stmt, scope: Mapping[str, Any]) -> ast.stmt | None:
    """Return a statement of a cell that changes something outside, without the values it uses."""
    if unknown_file(node) is not None:
        return node
    if any(is_patch(target, scope) for target in stored_targets(node)):
        return node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        loud = any(decorates_loudly(each, scope) for each in node.decorator_list)
        return node if loud else None
    calls = [_without_data(each, scope) for each in calls_in(node) if changes_library(each, scope)]
    if not calls:
        return None
    return ast.fix_missing_locations(ast.Expr(ast.Tuple(calls, ast.Load())))


def unknown_file(node: ast.stmt) -> str | None:
    """Return the line of a ``%run`` whose file's text is not known; None for other statements."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))) if text.startswith(UNKNOWN):
            return text
    return None


def stored_targets(node: ast.stmt) -> list[ast.expr]:
    """Return what a statement assigns to or deletes; of a block also what its statements do."""
    stores = [node]
    if isinstance(node, _BLOCKS):
        stores = [each for each in ast.walk(node) if isinstance(each, ast.stmt)]
    return [target for each in stores for target in _targets(each)]


def _targets(node: ast.stmt) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return targets
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return [target]
    return []


def is_patch(target: ast.expr, scope: Mapping[str, Any]) -> bool:
    """Return whether an assignment is to a module's or a library class's attribute, or to its item.

    Attributes and items of the notebook's own objects (``df["a"] = 1``) are values: they count where
    they are read.
    """
    if isinstance(target, ast.Tuple | ast.List):
        return any(is_patch(each, scope) for each in target.elts)
    if isinstance(target, ast.Subscript):
        held, root = target.value, root_of(target.value)
        return isinstance(held, ast.Attribute) and is_a(scope.get(root or ""), ModuleType)
    if not isinstance(target, ast.Attribute):
        return False
    owner = resolve(target.value, scope)
    if is_a(owner, ModuleType) or (is_a(owner, type) and is_foreign(owner)):
        return True
    # An object that a library holds: `json._default_encoder.skipkeys = True`.
    library = scope.get(root_of(target.value) or "")
    is_held = isinstance(target.value, ast.Attribute) and isinstance(library, ModuleType)
    return is_held and is_foreign(library)


def changes_library(call: ast.Call, scope: Mapping[str, Any]) -> bool:
    value = resolve(call.func, scope)
    if is_a(value, FunctionType) and is_own_code(value.__code__.co_filename):
        given = _is_given_foreign(call, scope) and stores_attributes(value.__code__)
        return given or _touches_others(value, set())
    if value is setattr:
        owner = resolve(call.args[0], scope) if call.args else MISSING
        return is_a(owner, ModuleType) or is_foreign(owner)
    return value is not MISSING and _is_changing(call.func, scope, own=False)


def _without_data(call: ast.Call, scope: Mapping[str, Any]) -> ast.expr:
    """Return a call without the arguments that are tables, models and other data of the notebook."""

    def is_kept(node: ast.expr) -> bool:
        names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
        return all(is_a(scope.get(name, None), _LIGHT) for name in names)

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
            return any(decorates_loudly(item, scope) for item in node.decorator_list)
        case ast.ClassDef():
            return (
                any(decorates_loudly(item, scope) for item in node.decorator_list)
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


def _is_loud(call: ast.Call, scope: Mapping[str, Any]) -> bool:
    """Return whether a call whose result is unused may change something."""
    root = root_of(call.func)
    if root is None:
        return True
    base = scope.get(root, getattr(builtins, root, MISSING))
    chain = chain_of(call.func)
    if base is print or is_a(base, logging.Logger) or chain[:2] == ["sys", "path"]:
        return False
    if is_a(base, dict | list | set):  # a value of the module: counts where it is read
        return False
    return library_of(base) not in SILENT_MODULES


def _calls_change(value: ast.expr | None, scope: Mapping[str, Any], *, own: bool = True) -> bool:
    return any(
        _is_changing(call.func, scope, own=own) or (own and _is_given_foreign(call, scope))
        for call in calls_in(value)
    )


def _is_given_foreign(call: ast.Call, scope: Mapping[str, Any]) -> bool:
    """Return whether the user's own function is passed a class or module of a library."""
    value = resolve(call.func, scope)
    if not is_a(value, FunctionType) or not is_own_code(value.__code__.co_filename):
        return False
    arguments = [resolve(item, scope) for item in (*call.args, *(k.value for k in call.keywords))]
    return any(is_a(item, type | ModuleType) and is_foreign(item) for item in arguments)


def _is_changing(function: ast.expr, scope: Mapping[str, Any], *, own: bool) -> bool:
    """Return whether a called function changes a library, judged by name or code."""
    value = resolve(function, scope)
    if is_a(value, FunctionType) and is_own_code(value.__code__.co_filename):
        return own and _touches_others(value, set())
    chain = chain_of(function)
    if not chain or library_of(value) in {"builtins", *SILENT_MODULES}:
        return False
    return bool(CHANGING.match(chain[-1])) and not is_a(value, type)


def decorates_loudly(decorator: ast.expr, scope: Mapping[str, Any]) -> bool:
    if isinstance(decorator, ast.Call) and _is_given_foreign(decorator, scope):
        return True
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    root = root_of(function)
    value = resolve(function, scope)
    if value is MISSING and root is not None:
        base = scope.get(root)
        if is_a(base, FunctionType) and is_own_code(base.__code__.co_filename):
            return False  # `function.register`: the registered function is a value of that function
        return _is_loud_library(library_of(base), function)
    inner = getattr(value, "__func__", value)
    if is_a(inner, FunctionType) and is_own_code(inner.__code__.co_filename):
        return _touches_others(inner, set())
    if is_a(value, type) and is_own_class(value):
        return False
    return _is_loud_library(library_of(value), function)


def _is_loud_library(library: str, function: ast.expr) -> bool:
    """Return whether a decorator of a library may change more than the return value."""
    if library in sys.stdlib_module_names or library in {"builtins", *SILENT_MODULES}:
        return False
    return library not in _QUIET or any(CHANGING.match(name) for name in chain_of(function))


def _touches_others(function: FunctionType, seen: set[int]) -> bool:
    """Return whether a function of the user's writes to a library, directly or through calls."""
    if id(function) in seen:
        return False
    seen.add(id(function))
    scope, uses = function.__globals__, find_uses(function.__code__)
    for root, *rest in uses.writes:
        if rest and is_foreign(scope.get(root)):
            return True
    if "setattr" in uses.globals and any(is_foreign(scope.get(name)) for name in uses.globals):
        return True
    for name, chains in uses.globals.items():
        value = scope.get(name)
        if is_a(value, FunctionType) and is_own_code(value.__code__.co_filename):
            if _touches_others(value, seen):
                return True
        elif is_foreign(value):
            ends = {chain[-1] if chain else name for chain in chains}
            if any(CHANGING.match(end) for end in ends):
                return True
    return False


def _is_registered(value: Any) -> bool:
    """Return whether a library is notified of each class derived from the library's classes."""
    if not is_a(value, type):
        return False
    for cls in (*value.__mro__[1:], type(value)):
        own = vars(cls).get("__init_subclass__")
        if is_own_class(cls):
            function = getattr(own, "__func__", None)
            if isinstance(function, FunctionType) and _touches_others(function, set()):
                return True
        elif own is not None or issubclass(cls, type):
            library = library_of(cls)
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
            root = root_of(target.value)
            held = resolve(target.value, scope)
            if root is None or is_foreign(scope.get(root) if held is MISSING else held):
                return True
    return False


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
