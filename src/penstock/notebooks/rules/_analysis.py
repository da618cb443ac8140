"""The input of all rules: the notebook, the events of the cells, and the meaning of imported names."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from penstock.notebooks._document import Notebook, NotebookCell
from penstock.notebooks._events import CellFlow
from penstock.notebooks._finding import FindingLevel, NotebookFinding
from penstock.notebooks._flow import cell_flow


@dataclass(frozen=True)
class Analysis:
    """A notebook with the events of the cells.

    Args:
        notebook: The notebook.
        flows: Events by position of the cell, of cells with code.
    """

    notebook: Notebook
    flows: Mapping[int, CellFlow]

    @cached_property
    def imported(self) -> dict[str, str]:
        """Dotted name by bound name, of all imports: ``np`` is ``numpy``."""
        return {
            event.name: event.other
            for flow in self.flows.values()
            for event in flow.flat
            if event.kind == "import"
        }

    @property
    def cells(self) -> list[NotebookCell]:
        """Cells with code that parses, in order."""
        return [cell for cell in self.notebook.code_cells if cell.python.tree is not None]

    def calls(self) -> Iterator[tuple[NotebookCell, ast.Call, str]]:
        """Yield all calls with their cell and the dotted name of the function."""
        for cell in self.cells:
            for node in ast.walk(cell.python.tree or ast.Module([], [])):
                if isinstance(node, ast.Call):
                    yield cell, node, self.dotted(node.func)

    def dotted(self, node: ast.AST) -> str:
        """Return the meaning of a name or chain of attributes: ``np.random.rand`` in full."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return "." + ".".join(reversed(parts))
        return ".".join([self.imported.get(node.id, node.id), *reversed(parts)])


def analyse(notebook: Notebook) -> Analysis:
    """Return a notebook's analysis."""
    return Analysis(notebook, {cell.index: cell_flow(cell) for cell in notebook.code_cells})


def finding(
    cell: NotebookCell,
    rule: str,
    level: FindingLevel,
    line: int,
    message: str,
    *,
    fix: str = "",
    name: str = "",
) -> NotebookFinding:
    """Return a finding in a cell."""
    return NotebookFinding(rule, level, cell.index, line, message, fix, cell.cell_id, name)
