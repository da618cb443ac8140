"""A fresh top-down execution of a notebook, with the value of each name after each cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import StepState
from penstock.notebooks._document import Notebook
from penstock.notebooks._kernel import CellRun
from penstock.notebooks._run import Execution, executed_one, opened


@dataclass(frozen=True)
class CellRecord:
    """The effects of a cell in a fresh kernel.

    Args:
        cell: Position, from 1; 0 for injected parameters.
        run: State, outputs and time.
        values: Kind, type and digest by name, after the cell.
        generators: Digest of the states of the global random generators, after the cell.
        files: Opened files: ``read`` and ``written``.
    """

    cell: int
    run: CellRun
    values: Mapping[str, Mapping[str, Any]]
    generators: str
    files: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Recording:
    """A fresh top-down execution.

    Args:
        cells: The code cells, in order, up to the first that failed.
        generators: Digest of the random generators before the first cell.
        refused: Names whose last value no store takes.
    """

    cells: Sequence[CellRecord]
    generators: str
    refused: frozenset[str] = frozenset()

    @property
    def failed(self) -> CellRecord | None:
        """The cell that failed; None if none did."""
        last = self.cells[-1] if self.cells else None
        return last if last is not None and last.run.state is StepState.FAILED else None

    def before(self, cell: int) -> Mapping[str, Mapping[str, Any]]:
        """Return the values before a cell."""
        earlier = [each for each in self.cells if each.cell < cell]
        return earlier[-1].values if earlier else {}

    def after(self, cell: int) -> Mapping[str, Mapping[str, Any]]:
        """Return the values after a cell."""
        earlier = [each for each in self.cells if each.cell <= cell]
        return earlier[-1].values if earlier else {}

    def draws(self, cell: int) -> bool:
        """Return whether a cell changed the state of a global random generator."""
        place = next(place for place, each in enumerate(self.cells) if each.cell == cell)
        before = self.cells[place - 1].generators if place else self.generators
        return self.cells[place].generators != before

    def changed(self) -> dict[str, bool]:
        """Return by name whether the value was ever seen to change."""
        seen: dict[str, set[str | None]] = {}
        for each in self.cells:
            for name, facts in each.values.items():
                seen.setdefault(name, set()).add(facts["digest"])
        return {name: len(digests) > 1 or None in digests for name, digests in seen.items()}


def record_notebook(
    notebook: Notebook, values: Mapping[str, Any] | None = None, *, timeout_s: float | None = None
) -> Recording:
    """Execute a notebook in a fresh kernel, and look at the names after each cell."""
    how = Execution(timeout_s=timeout_s)
    done: list[CellRecord] = []
    with opened(notebook, values or {}, how) as (_, kernel, places):
        kernel.ask("inside.watch_files()")
        hidden = "[*get_ipython().user_ns_hidden]"
        first = kernel.ask("inside.generators_digest()")
        for place, index in places:
            run = executed_one(kernel, place, index)
            question = f"[inside.opened_files(), inside.describe_values(names, {hidden}), inside.generators_digest()]"
            files, described, generators = kernel.ask(question)
            done.append(CellRecord(index, run, described, generators, files))
            if run.state is StepState.FAILED:
                break
        refused = kernel.ask(f"inside.refused_values(names, {hidden})")
    return Recording(done, first, frozenset(refused))
