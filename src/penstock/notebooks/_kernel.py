"""A fresh kernel in a notebook's folder: cells in, outputs, times and values of names out."""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.core import PenstockError, StepState, require
from penstock.notebooks._outputs import join_streams, outputs_digest, stream_text

_PURPOSE = "executing notebooks"
_MARK = "penstock:"
_LONGEST_SOCKET = 90  # bytes of a socket file's path, of 108 on Linux
_BACKEND = "module://matplotlib_inline.backend_inline"


@dataclass(frozen=True)
class CellRun:
    """The execution of a cell.

    Args:
        cell: Position among all cells of the notebook, from 1; 0 for the injected parameters.
        state: ``finished``, ``failed`` or ``skipped``.
        seconds: Duration.
        outputs: As in a notebook file.
        error: Name and message of the exception; None without an exception.
        cell_id: Id of the cell in the file; may be empty.
        source: The cell's text.
    """

    cell: int
    state: StepState
    seconds: float = 0.0
    outputs: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    error: str | None = None
    cell_id: str = ""
    source: str = field(default="", repr=False)

    @property
    def digest(self) -> str | None:
        """Digest of the outputs, without addresses, timings and ids; None if not executed."""
        return None if self.state is StepState.SKIPPED else outputs_digest(self.outputs)

    def to_json(self) -> dict[str, Any]:
        """Return the execution without the outputs as plain JSON."""
        return {
            "cell": self.cell,
            "cell_id": self.cell_id,
            "state": str(self.state),
            "seconds": round(self.seconds, 6),
            "digest": self.digest,
            "error": self.error,
        }


class Kernel:
    """A running kernel; see `open_kernel`.

    Args:
        client: Client of nbclient.
        notebook: The notebook in format 4, with a spare cell at the end for questions.
    """

    def __init__(self, client: Any, notebook: Any) -> None:
        self._client, self._notebook = client, notebook

    def execute(self, place: int, *, index: int) -> CellRun:
        """Execute the cell at a place of the notebook, from 0.

        Args:
            place: Position of the cell.
            index: Position in the user's file, for the record.

        Raises:
            PenstockError: If the kernel dies, or the cell takes too long.
        """
        cell = self._notebook.cells[place]
        started = time.perf_counter()
        self._run(cell, place, index)
        seconds = time.perf_counter() - started
        failed = next((each for each in cell.outputs if each["output_type"] == "error"), None)
        error = f"{failed['ename']}: {failed['evalue']}" if failed else None
        state = StepState.FAILED if failed else StepState.FINISHED
        outputs = json.loads(json.dumps(cell.outputs))  # plain values, not nbformat's own
        return CellRun(index, state, seconds, outputs, error, cell.get("id", ""), cell.source)

    def tags(self, place: int) -> list[str]:
        """Return the tags of the cell at a place."""
        return list(self._notebook.cells[place].metadata.get("tags", []))

    def ask(self, code: str) -> Any:
        """Evaluate an expression about the kernel's names, and return the JSON value.

        Raises:
            PenstockError: If the expression fails there.
        """
        text = (
            "def __penstock(names):\n"
            "    import json as __json\n"
            "    from penstock.notebooks import _inside as inside\n"
            f"    print({_MARK!r} + __json.dumps({code}))\n"
            "__penstock(globals())\ndel __penstock"
        )
        spare = len(self._notebook.cells) - 1
        cell = self._notebook.cells[spare]
        cell.source, cell.outputs = text, []
        self._run(cell, spare, 0, history=False)
        printed = stream_text(cell.outputs, "stdout")
        failed = [each for each in cell.outputs if each["output_type"] == "error"]
        if failed or _MARK not in printed:
            error = f"{failed[0]['ename']}: {failed[0]['evalue']}" if failed else printed[:300]
            raise PenstockError(
                what=f"The kernel could not answer: {error}.",
                why="penstock asks it for the values of the notebook's names.",
                fix="Install penstock in the kernel's environment.",
            )
        return json.loads(printed.rpartition(_MARK)[2])

    def _run(self, cell: Any, place: int, index: int, *, history: bool = True) -> None:
        nbclient = require("nbclient.exceptions", extra="notebooks", purpose=_PURPOSE)
        try:
            self._client.execute_cell(cell, place, store_history=history)
        except nbclient.DeadKernelError as error:
            raise PenstockError(
                what=f"The kernel died in cell {index}.",
                why="Native code crashed, or the machine ran out of memory.",
                fix="Run the cells before it and look at the memory; split the cell.",
            ) from error
        except nbclient.CellTimeoutError as error:
            raise PenstockError(
                what=f"Cell {index} took longer than {self._client.timeout} s.",
                fix="Give a longer --timeout, or none.",
            ) from error
        cell.outputs = join_streams(cell.outputs)


def new_document(sources: Sequence[tuple[str, str, str]]) -> Any:  # Any: nbformat's NotebookNode
    """Return a notebook of format 4 with cells of kind, source and id, and a spare cell at the end."""
    v4 = require("nbformat.v4", extra="notebooks", purpose=_PURPOSE)
    makers = {"code": v4.new_code_cell, "markdown": v4.new_markdown_cell, "raw": v4.new_raw_cell}
    cells = []
    for kind, source, cell_id in [*sources, ("code", "", "")]:
        cell = makers.get(kind, v4.new_raw_cell)(source)
        if cell_id:
            cell["id"] = cell_id
        cells.append(cell)
    metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    return v4.new_notebook(cells=cells, metadata=metadata)


@contextmanager
def open_kernel(
    document: Any, folder: Path, *, timeout_s: float | None = None, kernel: str = "python3"
) -> Iterator[Kernel]:
    """Start a fresh kernel in a folder, with a fixed hash seed; the kernel ends with the block.

    Args:
        document: Notebook of `new_document`.
        folder: The kernel's current folder.
        timeout_s: Longest duration of a cell, seconds; None for no limit.
        kernel: Name of the kernel; by default this environment's Python.

    Raises:
        MissingPackageError: If nbclient or ipykernel is not installed.
    """
    require("ipykernel", extra="notebooks", purpose=_PURPOSE)
    nbclient = require("nbclient", extra="notebooks", purpose=_PURPOSE)
    with tempfile.TemporaryDirectory(prefix="penstock-") as sockets:
        client = nbclient.NotebookClient(
            document,
            km=_manager(kernel, sockets),
            timeout=None if timeout_s is None else max(1, round(timeout_s)),
            allow_errors=True,
            resources={"metadata": {"path": str(folder)}},
        )
        variables = {**os.environ, "PYTHONHASHSEED": "0", "MPLBACKEND": _BACKEND}
        with client.setup_kernel(env=variables, cleanup_kc=True):
            yield Kernel(client, document)


def _manager(kernel: str, sockets: str) -> Any:  # Any: a manager of jupyter_client
    """Return a kernel's manager; where the system has socket files, nothing listens on a port."""
    module = require("jupyter_client.manager", extra="notebooks", purpose=_PURPOSE)
    manager = module.AsyncKernelManager(kernel_name=kernel)
    if os.name == "posix" and len(sockets) < _LONGEST_SOCKET:
        manager.transport, manager.ip = "ipc", f"{sockets}/kernel"
    return manager
