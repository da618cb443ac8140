"""Parameters of a notebook: the literals of the cell tagged ``parameters``, typed by their values."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.core import ParameterError, did_you_mean
from penstock.notebooks._document import Notebook, NotebookCell
from penstock.pipelines import parse_value

TAG, INJECTED = "parameters", "injected-parameters"  # papermill's tags: its notebooks run here too
_WIDER = {int: float}  # a default of 1 does not forbid 0.5


@dataclass(frozen=True, slots=True)
class NotebookParameter:
    """A parameter of a notebook.

    Args:
        name: Name of the parameter.
        default: The literal.
        line: Line in the cell, from 1.
    """

    name: str
    default: Any
    line: int


def parameter_cell(notebook: Notebook) -> NotebookCell | None:
    """Return the cell tagged ``parameters``; None if there is none."""
    return next((cell for cell in notebook.code_cells if TAG in cell.tags), None)


def list_parameters(notebook: Notebook) -> dict[str, NotebookParameter]:
    """Return the parameters: assignments of literals in the tagged cell."""
    cell = parameter_cell(notebook)
    tree = cell.python.tree if cell is not None else None
    return {} if tree is None else literals(tree.body)


def literals(statements: list[ast.stmt]) -> dict[str, NotebookParameter]:
    """Return the assignments of literals to single names, the last by name.

    >>> literals(ast.parse("size = 3; names = ['a']; model = fit()").body)["size"].default
    3
    """
    parameters: dict[str, NotebookParameter] = {}
    for node in statements:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        try:
            parameters[name] = NotebookParameter(name, ast.literal_eval(value), node.lineno)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            parameters.pop(name, None)  # computed: no parameter
    return parameters


def read_parameters(notebook: Notebook, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by name, converted to the type of the default.

    Args:
        notebook: The notebook.
        given: Values or texts by name.

    Raises:
        ParameterError: If the notebook has no such parameter, or a value does not fit the type.
    """
    known = list_parameters(notebook)
    for name in given:
        if name not in known:
            raise _unknown(notebook, name, known)
    return {name: _converted(known[name], value) for name, value in given.items()}


def assignments(values: Mapping[str, Any]) -> str:
    """Return the source of the injected cell.

    Raises:
        ParameterError: If a value has no literal.
    """
    for name, value in values.items():
        if not _is_literal(value):
            raise ParameterError(
                what=f"Parameter {name!r} is a {type(value).__name__}, which has no literal.",
                why="Parameters are written into a cell, so that the executed notebook shows them.",
                fix="Pass numbers, texts, lists, dicts; of data a path.",
                name=name,
            )
    return "\n".join(f"{name} = {value!r}" for name, value in values.items())


def _unknown(
    notebook: Notebook, name: str, known: Mapping[str, NotebookParameter]
) -> ParameterError:
    fix = did_you_mean(name, known)
    if not known:
        fix = f'Give the cell with the defaults the tag "{TAG}" (in Jupyter: Property Inspector, Cell Tags).'
    return ParameterError(
        what=f"Notebook {notebook.path.name} has no parameter {name!r}.",
        why="A value for an unknown name would change nothing.",
        fix=fix,
        name=name,
    )


def _converted(parameter: NotebookParameter, value: Any) -> Any:
    default = parameter.default
    kind: Any = type(default)
    if default is None:
        return _literal(value)
    if isinstance(default, list | dict | tuple | set) and isinstance(value, str):
        literal = _literal(value)
        if isinstance(literal, kind):
            return literal
    if kind is int and not isinstance(value, bool) and _is_fraction(value):
        kind = _WIDER[int]
    return parse_value(value, kind, name=parameter.name)


def _literal(value: Any) -> Any:
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        return value


def _is_fraction(value: Any) -> bool:
    return isinstance(_literal(value), float)


def _is_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value) or value != value  # noqa: PLR0124 - nan
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
