"""The cells that a live notebook has executed: the text of its ``__main__``, which has no file."""

import ast
import sys
from functools import lru_cache
from types import CodeType, ModuleType
from typing import Any

CELLS = "<cells>"
_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
# The text behind these cell magics is the notebook's own Python.
_PYTHON_CELLS = frozenset({"time", "timeit", "capture", "prun"})


def cells_of(module: ModuleType) -> tuple[str, ...]:
    """Return the texts of the executed cells of a module, in order; none if it is no live notebook.

    Magics stand there as IPython executes them: as calls of ``get_ipython()``.
    """
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or module.__name__ != "__main__" or getattr(module, "__file__", None):
        return ()
    shell = getattr(ipython, "get_ipython", lambda: None)()
    if shell is None or getattr(shell, "user_module", None) is not module:
        return ()
    history = getattr(getattr(shell, "history_manager", None), "input_hist_parsed", ())
    return tuple(text for text in history if isinstance(text, str) and text)


def cells_tree(module: ModuleType) -> ast.Module | None:
    """Return the statements of all executed cells; None if the module is no live notebook."""
    cells = cells_of(module)
    return ast.Module([each for cell in cells for each in _statements(cell)], []) if cells else None


def cells_code(module: ModuleType) -> CodeType | None:
    """Return the code of all executed cells; None if the module is no live notebook."""
    cells = cells_of(module)
    return _compiled(cells) if cells else None


def compile_cells(statements: list[ast.stmt]) -> CodeType:
    """Return the code of statements of cells."""
    code: CodeType = compile(
        ast.Module(statements, []), CELLS, "exec", flags=_FLAGS, dont_inherit=True
    )
    return code


@lru_cache(maxsize=4)
def _compiled(cells: tuple[str, ...]) -> CodeType:
    return compile_cells([each for cell in cells for each in _statements(cell)])


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
    """Return a statement, or those of a cell below ``%%time``."""
    match node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(attr="run_cell_magic"),
                args=[ast.Constant(value=str(name)), _, ast.Constant(value=str(text))],
            )
        ) if name in _PYTHON_CELLS:
            return _statements(text)
    return (node,)
