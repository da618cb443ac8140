"""The page of a notebook's run: cells with states and times; their HTML outputs in sandboxed frames."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.core import NotFoundError, PenstockError, RunState, StepRunRecord
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site

_IMAGES = ("image/png", "image/jpeg", "image/gif")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_LONGEST = 200_000  # characters of an output that the page shows
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OPEN = {RunState.RUNNING, RunState.QUEUED}


@dataclass(frozen=True, slots=True)
class OutputView:
    """An output of a cell.

    Args:
        kind: ``text``, ``error``, ``image``, ``html`` or ``other``.
        text: The text; of an image the data URI.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class CellView:
    """A cell of a notebook's run.

    Args:
        record: The step run of the cell.
        source: Text of the cell.
        outputs: Outputs of the cell.
        gone: Whether text and outputs are no longer stored.
    """

    record: StepRunRecord
    source: str = ""
    outputs: tuple[OutputView, ...] = field(default=())
    gone: bool = False

    @property
    def seconds(self) -> float | None:
        """Duration, of failed cells too; None if the cell was not executed."""
        started, ended = self.record.started_at, self.record.ended_at
        return None if started is None or ended is None else (ended - started).total_seconds()


def is_notebook(steps: list[StepRunRecord]) -> bool:
    """Return whether the steps of a run are the cells of a notebook."""
    return any("notebook_cell" in step.facts for step in steps)


def notebook_page(site: Site, query: Query, run_id: str) -> Page:  # noqa: ARG001 - the signature of all pages
    """Show a notebook's run as a notebook.

    Raises:
        NotFoundError: If there is no such run, or the run is not a notebook's.
    """
    run = site.metadata.runs.get(run_id)
    steps = site.metadata.steps.list(run.run_id)
    if not is_notebook(steps):
        raise NotFoundError(
            what=f"Run {run.run_id} is not a notebook's.",
            fix="Record one with: penstock notebook run NOTEBOOK",
        )
    cells = [_cell(site, step) for step in steps if "notebook_cell" in step.facts]
    finished = sum(cell.record.state == "finished" for cell in cells)
    data = {
        "run": run,
        "cells": [
            {
                "name": c.record.step,
                "state": c.record.state,
                "seconds": c.seconds,
                "source": c.source,
            }
            for c in cells
        ],
        "finished": finished,
    }
    view = {"cell_views": cells}
    title = f"Notebook {run.name}"
    return Page("notebook.html", title, data, view, section="runs", live=run.state in _OPEN)


def _cell(site: Site, step: StepRunRecord) -> CellView:
    if "outputs" not in step.outputs:
        return CellView(step)
    try:
        stored = site.load(step.output_address("outputs"))
    except PenstockError:  # collected
        return CellView(step, gone=True)
    outputs = tuple(_output(each) for each in stored["outputs"])
    return CellView(step, stored["source"], outputs)


def _output(output: Mapping[str, Any]) -> OutputView:
    kind = output.get("output_type")
    if kind == "stream":
        return OutputView("text", _text(output.get("text")))
    if kind == "error":
        return OutputView("error", _ANSI.sub("", "\n".join(map(str, output.get("traceback", ())))))
    data: Mapping[str, Any] = output.get("data", {})
    for name in _IMAGES:
        encoded = _joined(data.get(name, ""))
        if encoded and _BASE64.fullmatch(encoded):
            return OutputView("image", f"data:{name};base64,{''.join(encoded.split())}")
    if "text/html" in data:
        return OutputView("html", _text(data["text/html"]))
    if "text/plain" in data:
        return OutputView("text", _text(data["text/plain"]))
    return OutputView("other", ", ".join(data))


def _text(value: Any) -> str:
    text = _joined(value)
    more = f"\n… {len(text) - _LONGEST} more characters" if len(text) > _LONGEST else ""
    return text[:_LONGEST] + more


def _joined(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")
