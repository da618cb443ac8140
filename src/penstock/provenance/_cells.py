"""The cells that a live notebook has executed: the text of its ``__main__``, which has no file."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, ModuleType
from typing import Any

from penstock.provenance._run_magic import executed_statements, run_files

CELLS = "<cells>"
UNKNOWN = "%run "
"""Begins the text that stands for a file whose executed text is gone."""
_OPTIONS = re.compile(r"^(\s*-\w+(\s+\d+)?(?=\s))*\s*")
_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
# The text behind these magics is the notebook's own Python.
_PYTHON_MAGICS = frozenset({"time", "timeit", "capture", "prun"})


def cells_of(module: ModuleType) -> tuple[str, ...]:
    """Return the texts of the executed cells of a module, in order; none if it is no live notebook.

    Magics stand there as IPython executes them: as calls of ``get_ipython()``.
    """
    return tuple(text for _, text in _numbered(module))


def cell_statements(module: ModuleType) -> list[tuple[int, ast.stmt]]:
    """Return the statements of all executed cells, each with the number of its cell.

    What a cell has executed with ``%run`` counts as statements of the cell.
    """
    return [
        (number, statement)
        for number, text in _numbered(module)
        for node in _statements(text)
        for statement in (node, *_run_by(node))
    ]


def cells_tree(module: ModuleType) -> ast.Module | None:
    """Return the statements of all executed cells; None if the module is no live notebook."""
    if not cells_of(module):
        return None
    return ast.Module([statement for _, statement in cell_statements(module)], [])


def cells_code(module: ModuleType) -> CodeType | None:
    """Return the code of all executed cells; None if the module is no live notebook."""
    tree = cells_tree(module)
    return compile_cells(tree.body) if tree else None


def _numbered(module: ModuleType) -> list[tuple[int, str]]:
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or module.__name__ != "__main__":
        return []
    shell = getattr(ipython, "get_ipython", lambda: None)()
    if shell is None or getattr(shell, "user_module", None) is not module:
        return []
    history = getattr(getattr(shell, "history_manager", None), "input_hist_parsed", ())
    return [(n, text) for n, text in enumerate(history) if isinstance(text, str) and text]


def _run_by(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield the statements of the files that a statement of a cell executes with ``%run``."""
    for line in run_files(node):
        executed = executed_statements(line)
        if executed is None:  # nobody knows what it changed, and no other process repeats it
            yield ast.fix_missing_locations(ast.Expr(ast.Constant(f"{UNKNOWN}{line}")))
        for each in executed or ():
            yield from _statements(each) if isinstance(each, str) else (each,)


def compile_cells(statements: list[ast.stmt]) -> CodeType:
    """Return the code of statements of cells."""
    code: CodeType = compile(
        ast.Module(statements, []), CELLS, "exec", flags=_FLAGS, dont_inherit=True
    )
    return code


@lru_cache(maxsize=4096)
def _statements(cell: str) -> tuple[ast.stmt, ...]:
    try:
        body = ast.parse(cell).body
        ast.fix_missing_locations(ast.Module(body, []))
        compile(ast.Module(body, []), CELLS, "exec", flags=_FLAGS, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()  # IPython did not execute it either
    return tuple(each for node in body for each in _plain(node))


def _plain(node: ast.stmt) -> tuple[ast.stmt, ...]:
    """Return a statement, or those behind ``%%time`` and ``%time``."""
    match node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(attr="run_line_magic"),
                args=[ast.Constant(value=str(name)), ast.Constant(value=str(text))],
            )
        ) if name in _PYTHON_MAGICS:
            return _statements(_OPTIONS.sub("", text))
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(attr="run_cell_magic"),
                args=[ast.Constant(value=str(name)), _, ast.Constant(value=str(text))],
            )
        ) if name in _PYTHON_MAGICS:
            return _statements(text)
    return (node,)
