"""NB3: values that depend on which cells were executed, and how often."""

import ast
from collections.abc import Iterator

from penstock.notebooks._document import NotebookCell
from penstock.notebooks._events import CellFlow
from penstock.notebooks._finding import NotebookFinding
from penstock.notebooks._scopes import root_name
from penstock.notebooks.rules._analysis import Analysis, finding

# Repeating these gives the same value again.
_IDEMPOTENT = frozenset(
    [
        "set_params",
        "fit",
        "eval",
        "train",
        "compile",
        "seed",
        "sort",
        "update",
        "add",
        "setdefault",
        "discard",
        "clear",
        "load_state_dict",
        "load_weights",
        "to",
        "cuda",
        "cpu",
    ]
)
_IDEMPOTENT_RESULTS = frozenset(
    [
        "dropna",
        "drop_duplicates",
        "fillna",
        "sort_values",
        "sort_index",
        "astype",
        "copy",
        "reset_index",
        "round",
        "lower",
        "upper",
        "strip",
        "sorted",
        "to_numpy",
        "abs",
        "abspath",
        "resolve",
        "expanduser",
        "list",
        "tuple",
        "set",
        "array",
        "asarray",
        "DataFrame",
        "unique",
    ]
)


def check_hidden_state(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find cells that change their own input, and names with several values and a reader between."""
    for cell in analysis.cells:
        yield from _self_updates(cell, analysis.flows[cell.index])
    yield from _redefined(analysis)


def _self_updates(cell: NotebookCell, flow: CellFlow) -> Iterator[NotebookFinding]:
    """Find ``x = f(x)`` and ``x.append(…)`` where x comes from an earlier cell."""
    reported: set[str] = set()
    for node in ast.walk(cell.python.tree or ast.Module([], [])):
        name = _updated(node)
        if name and name in flow.reads and name not in reported and _is_top(node, cell):
            reported.add(name)
            line: int = node.lineno  # type: ignore[attr-defined]  # of a statement or a call
            message = f"Executing this cell twice changes {name!r} twice: it reads and replaces it."
            yield finding(cell, "NB3", "warning", line, message, name=name)


def _updated(node: ast.AST) -> str | None:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _reads(value, name):
            return None if _is_idempotent(value, name) else name
        case ast.Assign(targets=[ast.Subscript() as target], value=value) if _same(target, value):
            return root_name(target)
        case ast.AugAssign(target=target):
            return root_name(target)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method))):
            changes = method in {"append", "extend", "insert", "pop", "remove", "appendleft"}
            drops = method in {"drop", "rename", "set_index"} and _is_in_place(node)
            return name if (changes or drops) and method not in _IDEMPOTENT else None
    return None


def _is_top(node: ast.AST, cell: NotebookCell) -> bool:
    """Return whether a node is executed by the cell itself, not inside a function."""
    for statement in (cell.python.tree or ast.Module([], [])).body:
        inner = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not inner and any(each is node for each in ast.walk(statement)):
            return True
    return False


def _reads(value: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(value))


def _same(target: ast.Subscript, value: ast.AST) -> bool:
    """Return whether the value reads the item that is replaced and gives a different item each time."""
    text = ast.unparse(target)
    reads = any(
        isinstance(node, ast.Subscript) and ast.unparse(node) == text for node in ast.walk(value)
    )
    return reads and not _is_idempotent(value, "")


def _is_idempotent(value: ast.AST, name: str) -> bool:
    """Return whether applying the expression to the result gives the result again."""
    if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name):
        return value.value.id == name and not isinstance(value.slice, ast.Slice | ast.Constant)
    if not isinstance(value, ast.Call):
        return isinstance(value, ast.Name)
    function = value.func
    last = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if last not in _IDEMPOTENT_RESULTS:
        return False
    inner = function.value if isinstance(function, ast.Attribute) else None
    return not isinstance(inner, ast.Call) or _is_idempotent(inner, name)


def _is_in_place(node: ast.AST) -> bool:
    return any(isinstance(each, ast.keyword) and each.arg == "inplace" for each in ast.walk(node))


def _redefined(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find names bound in two cells where a cell between reads the first value."""
    bound: dict[str, list[int]] = {}
    for cell in analysis.cells:
        for name in analysis.flows[cell.index].writes:
            bound.setdefault(name, []).append(cell.index)
    for name, places in sorted(bound.items(), key=lambda each: each[1]):
        if len(places) > 1 and not name.startswith("_") and name not in analysis.imported:
            yield from _readers(analysis, name, places)


def _readers(analysis: Analysis, name: str, places: list[int]) -> Iterator[NotebookFinding]:
    first, second = places[0], places[1]
    second_flow = analysis.flows[second]
    if name in second_flow.reads:  # a chain x = f(x): told as an update of its own input
        return
    for cell in analysis.cells:
        flow = analysis.flows[cell.index]
        if first < cell.index < second and name in flow.reads:
            message = (
                f"{name!r} is defined in cell {first}, line {analysis.flows[first].writes[name]}, and again in"
                f" cell {second}: executed after cell {second}, this cell reads the other value."
            )
            line = flow.reads[name]
            yield finding(cell, "NB3", "warning", line, message, name=name)
            return
