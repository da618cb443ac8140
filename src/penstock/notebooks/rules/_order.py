"""NB1: execution counts against the order of the cells."""

from collections.abc import Iterator

from penstock.notebooks._document import NotebookCell
from penstock.notebooks._finding import NotebookFinding
from penstock.notebooks.rules._analysis import Analysis, finding


def check_order(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find cells executed before a cell above them, or again, and counts that no cell has.

    A count of 0 or none is unknown: Colab writes 0 everywhere.
    """
    counted = [cell for cell in analysis.notebook.code_cells if cell.count]
    previous: NotebookCell | None = None
    for cell in counted:
        if previous is not None:
            yield from _step(previous, cell)
        previous = cell
    yield from _holes(counted)


def _step(previous: NotebookCell, cell: NotebookCell) -> Iterator[NotebookFinding]:
    before, count = previous.count or 0, cell.count or 0
    if count < before:
        message = (
            f"This cell was executed as number {count}, before the cell above it"
            f" (cell {previous.index}, number {before})."
        )
        yield finding(cell, "NB1", "error", 1, message)
    elif count == before:
        message = (
            f"This cell and the one above (cell {previous.index}) both have number {count}:"
            " they come from two sessions, or one is a copy."
        )
        yield finding(cell, "NB1", "warning", 1, message)


def _holes(counted: list[NotebookCell]) -> Iterator[NotebookFinding]:
    counts = sorted({cell.count or 0 for cell in counted})
    if not counts or counts[-1] == len(counts):
        return
    missing = counts[-1] - len(counts)
    first = next(number for number in range(1, counts[-1] + 1) if number not in counts)
    after = next(cell for cell in counted if (cell.count or 0) > first)
    message = (
        f"{missing} execution{'s' * (missing > 1)} before number {counts[-1]} left no cell (the first:"
        f" number {first}): cells were executed again, changed or deleted."
    )
    yield finding(after, "NB1", "info", 1, message)
