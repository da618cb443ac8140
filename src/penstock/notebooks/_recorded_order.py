"""The order in which the cells of a live notebook ran, as files of a run: each cell's end writes a bounded part."""

from collections.abc import Sequence

from penstock.notebooks._watcher import CellExecution
from penstock.tracking import Run

CELLS_PER_FILE = 50  # a cell's end writes no more than these


class RecordedOrder:
    """Logs executions to the active run, whole after each cell."""

    def __init__(self) -> None:
        self._growing: dict[str, int] = {}  # the last file, by run; the files before it are full

    def log(self, run: Run, done: Sequence[CellExecution]) -> None:
        """Log all executions of a session to a run.

        Args:
            run: The run; what an earlier call logged to it is not logged again.
            done: The executions, in order, from the first.
        """
        files = range(self._growing.get(run.run_id, 0), -(-len(done) // CELLS_PER_FILE))
        for place in files:
            executions = done[place * CELLS_PER_FILE : (place + 1) * CELLS_PER_FILE]
            run.log_dict(order_file(place), {"cells": [each.to_json() for each in executions]})
        self._growing = {run.run_id: len(done) // CELLS_PER_FILE}


def order_file(place: int) -> str:
    """Return the name of a file of the order, from 0: ``cells.json``, ``cells-2.json``, and so on.

    >>> order_file(0), order_file(1)
    ('cells.json', 'cells-2.json')
    """
    return f"cells-{place + 1}.json" if place else "cells.json"
