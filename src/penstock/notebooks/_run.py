"""``run_notebook``: cells executed in a fresh kernel and recorded as the steps of a run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import (
    LogLine,
    PenstockError,
    RunState,
    StepRunRecord,
    StepState,
    new_id,
    now,
    redact,
    require,
)
from penstock.notebooks._document import Notebook, read_notebook
from penstock.notebooks._kernel import CellRun, Kernel, new_document, open_kernel
from penstock.notebooks._outputs import stream_text
from penstock.notebooks._parameters import (
    INJECTED,
    assignments,
    parameter_cell,
    read_parameters,
)
from penstock.tracking import Run, start_run

if TYPE_CHECKING:
    from penstock.stores import Store

EXPERIMENT = "notebooks"
NOTEBOOK_TAG = "penstock.notebook"
_Ends = Mapping[str, str | None] | None  # digests of the values at the end, by name


@dataclass(frozen=True)
class NotebookResult:
    """The result of a notebook's run.

    Args:
        run_id: Id of the run.
        state: ``finished``, or ``failed`` if a cell failed.
        cells: The execution of each code cell, in order.
        differing: With ``twice``, the cells whose outputs differ between two fresh kernels.
        output: The executed notebook, if requested.
        values: Values of the names asked for.
        differing_values: With ``twice``, the names whose values at the end differ; None if the kernel
            could not tell, because penstock is not installed there.
        uncompared: With ``twice``, the names whose values have no digest.
    """

    run_id: str
    state: RunState
    cells: Sequence[CellRun]
    differing: Sequence[int] | None = None
    output: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    differing_values: Sequence[str] | None = None
    uncompared: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """True if every cell finished, and, with ``twice``, no output and no value differs."""
        is_equal = not self.differing and not self.differing_values
        return self.state is RunState.FINISHED and is_equal

    @property
    def share(self) -> float:
        """Share of the cells that finished, 0 to 1; 1 without cells."""
        finished = sum(cell.state is StepState.FINISHED for cell in self.cells)
        return finished / len(self.cells) if self.cells else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON."""
        return {
            "run_id": self.run_id,
            "state": str(self.state),
            "share": self.share,
            "cells": [cell.to_json() for cell in self.cells],
            "differing": None if self.differing is None else list(self.differing),
            "differing_values": None
            if self.differing_values is None
            else list(self.differing_values),
            "uncompared": list(self.uncompared),
            "output": None if self.output is None else str(self.output),
        }


@dataclass(frozen=True)
class Execution:
    """How a notebook is executed.

    Args:
        keep_going: Whether cells after a failure are executed.
        timeout_s: Longest duration of a cell, seconds; None for no limit.
        kernel: Name of the kernel.
    """

    keep_going: bool = False
    timeout_s: float | None = None
    kernel: str = "python3"


def run_notebook(
    path: str | Path,
    *,
    parameters: Mapping[str, object] | None = None,
    keep_going: bool = False,
    twice: bool = False,
    output: str | Path | None = None,
    timeout_s: float | None = None,
    kernel: str = "python3",
    name: str | None = None,
    experiment: str = EXPERIMENT,
    store: "Store | str | None" = None,
) -> NotebookResult:
    """Execute a notebook from top to bottom in a fresh kernel, and record each cell on a run.

    Args:
        path: The notebook.
        parameters: Values or texts by name: names assigned literals in the cell tagged
            ``parameters``.
        keep_going: Execute the cells after a failure too; the result's ``share`` tells how many
            finished.
        twice: Execute in two fresh kernels, and compare the outputs of each cell and the values of the
            names at the end.
        output: File to write the executed notebook to.
        timeout_s: Longest duration of a cell, seconds; None for no limit.
        kernel: Name of the Jupyter kernel; by default this environment's Python.
        name: Name of the run; by default the file's.
        experiment: Experiment of the run.
        store: Store or store URL; by default the project's store.

    Returns:
        State, time and digest of each cell. A failed cell is no exception.

    Raises:
        NotFoundError: If the file cannot be read.
        ParameterError: If a parameter is unknown, or the value does not fit.
        PenstockError: If the file is no Python notebook, or the kernel dies.
        MissingPackageError: If the packages of ``penstock[notebooks]`` are missing.
    """
    notebook = require_runnable(path)
    values = read_parameters(notebook, parameters or {})
    how = Execution(keep_going, timeout_s, kernel)
    tags = {NOTEBOOK_TAG: str(path)}
    with start_run(
        name or notebook.path.stem, experiment=experiment, tags=tags, provenance=True, store=store
    ) as run:
        run.log_params(values)
        document, cells, ends = _execute_recorded(run, notebook, values, how, ask=twice)
        compared: dict[str, Any] = {}
        if twice:
            compared = _compared(cells, ends, *_execute_again(notebook, values, how))
            for kind in ("differing", "differing_values"):
                names = ",".join(map(str, compared[kind] or ()))
                run.set_tag(f"penstock.notebook.{kind}", names or "none")
        written = _keep(run, notebook, document, output)
        failed = next((cell for cell in cells if cell.state is StepState.FAILED), None)
        if failed is not None:
            run.finish(RunState.FAILED, error=f"Cell {failed.cell}: {failed.error}")
    state = RunState.FAILED if failed is not None else RunState.FINISHED
    return NotebookResult(run.run_id, state, cells, output=written, **compared)


def require_runnable(path: str | Path) -> Notebook:
    """Read a notebook that a Python kernel can execute.

    Raises:
        PenstockError: If the file is no notebook, or not in Python.
    """
    notebook = read_notebook(path)
    if notebook.problem is not None or not notebook.is_python:
        raise PenstockError(
            what=f"{path} cannot be executed: {notebook.problem or f'it is in {notebook.language}.'}",
            fix=f"Look at it with: penstock notebook check {path}",
        )
    return notebook


def _execute_again(
    notebook: Notebook, values: Mapping[str, Any], how: Execution
) -> tuple[list[CellRun], "_Ends"]:
    """Execute a notebook without a record; return the cells, and the values at the end."""
    with opened(notebook, values, how) as (document, kernel, places):
        cells = list(executed_cells(kernel, document, places, how))
        return cells, _values_at_end(kernel)


def _values_at_end(kernel: Kernel) -> "_Ends":
    """Return the digests of a kernel's values by name, None without one; None without penstock there."""
    try:
        described = kernel.ask("inside.describe_values(names, [*get_ipython().user_ns_hidden])")
    except PenstockError:
        return None
    return {name: facts["digest"] for name, facts in described.items() if facts["kind"] == "value"}


def _compared(
    cells: Sequence[CellRun], ends: "_Ends", again: Sequence[CellRun], ends_again: "_Ends"
) -> dict[str, Any]:
    """Return the fields of a result that say what two executions have not in common."""
    differing = [a.cell for a, b in zip(cells, again, strict=True) if a.digest != b.digest]
    if ends is None or ends_again is None:
        return {"differing": differing, "differing_values": None}
    missing = object()
    names = sorted({*ends, *ends_again})
    return {
        "differing": differing,
        "differing_values": [
            name for name in names if ends.get(name, missing) != ends_again.get(name, missing)
        ],
        "uncompared": [name for name in names if ends.get(name, missing) is None],
    }


def places_of(notebook: Notebook, values: Mapping[str, Any]) -> list[tuple[str, str, str, int]]:
    """Return kind, source, id and position of all cells, with the injected cell behind the tag."""
    cells = [(cell.kind, cell.source, cell.cell_id, cell.index) for cell in notebook.cells]
    if values:
        tagged = parameter_cell(notebook)
        place = tagged.index if tagged is not None else 0
        cells.insert(place, ("code", f"# Parameters\n{assignments(values)}", "", 0))
    return cells


@contextmanager
def opened(
    notebook: Notebook, values: Mapping[str, Any], how: Execution
) -> Iterator[tuple[Any, Kernel, list[tuple[int, int]]]]:
    """Start a kernel; yield the document, the kernel, and place and position of each code cell."""
    cells = places_of(notebook, values)
    document = new_document([(kind, source, cell_id) for kind, source, cell_id, _ in cells])
    for cell, (_, _, _, index) in zip(document.cells, cells, strict=False):
        tags = notebook.cell(index).tags if index else [INJECTED]
        if tags:
            cell.metadata["tags"] = list(tags)
    places = [
        (place, index)
        for place, (kind, source, _, index) in enumerate(cells)
        if kind == "code" and source.strip()
    ]
    folder = notebook.path.resolve().parent
    with open_kernel(document, folder, timeout_s=how.timeout_s, kernel=how.kernel) as kernel:
        yield document, kernel, places
    del document.cells[-1]  # the spare one


def executed_cells(
    kernel: Kernel, document: Any, places: Sequence[tuple[int, int]], how: Execution
) -> Iterator[CellRun]:
    """Execute the cells at places, each with the position in the file; see `Execution`."""
    stopped = False
    for place, index in places:
        cell = document.cells[place]
        if stopped:
            yield CellRun(index, StepState.SKIPPED, cell_id=cell.get("id", ""), source=cell.source)
            continue
        done = executed_one(kernel, place, index)
        stopped = done.state is StepState.FAILED and not how.keep_going
        yield done


def executed_one(kernel: Kernel, place: int, index: int) -> CellRun:
    """Execute a cell; an exception that the cell's tags announce is no failure."""
    done = kernel.execute(place, index=index)
    expected = "raises-exception" in kernel.tags(place)
    return replace(done, state=StepState.FINISHED) if expected else done


def _execute_recorded(
    run: Run, notebook: Notebook, values: Mapping[str, Any], how: Execution, *, ask: bool
) -> tuple[Any, list[CellRun], "_Ends"]:
    done: list[CellRun] = []
    with opened(notebook, values, how) as (document, kernel, places):
        started = now()
        for cell in executed_cells(kernel, document, places, how):
            _record(run, len(done), cell, started)
            done.append(cell)
            started = now()
        ends = _values_at_end(kernel) if ask else None
    return document, done, ends


def _record(run: Run, position: int, cell: CellRun, started: datetime) -> None:
    """Record a cell as a step of the run, with the outputs as an artifact and printed text as the log."""
    name = f"cell {cell.cell}" if cell.cell else "parameters"
    executed = cell.state is not StepState.SKIPPED
    record = StepRunRecord(
        step_run_id=new_id(),
        run_id=run.run_id,
        step=name,
        position=position,
        state=cell.state,
        started_at=started if executed else None,
        ended_at=started + timedelta(seconds=cell.seconds) if executed else None,
        error=cell.error,
        facts={"notebook_cell": cell.cell, "cell_id": cell.cell_id, "outputs": cell.digest},
    )
    stored = run.store.pack({"source": cell.source, "outputs": list(cell.outputs)})
    if executed:
        outputs = {"outputs": (stored[0].content_digest, stored[0].digest)}
        record = record.with_outputs(outputs)
    logs = [
        LogLine(started, stream, redact(line))
        for stream in ("stdout", "stderr")
        for line in stream_text(cell.outputs, stream).splitlines()
    ]
    run.store.metadata.steps.finish(record, outputs=stored if executed else (), logs=logs)


def _keep(run: Run, notebook: Notebook, document: Any, output: str | Path | None) -> Path | None:
    """Store the executed notebook with the run; write a file as well if requested."""
    nbformat = require("nbformat", extra="notebooks", purpose="writing notebooks")
    text = nbformat.writes(document) + "\n"
    run.log_artifact(text.encode(), name=f"{notebook.path.stem}.ipynb")
    if output is None:
        return None
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
