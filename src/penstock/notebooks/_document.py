"""Notebook files of every kind as cells, without a notebook library: reading never raises for content."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from penstock.core import NotFoundError
from penstock.notebooks._python import PythonCell, read_python

_PERCENT = re.compile(r"^# ?%%(?P<rest>.*)$")
_PYTHON = {"", "python", "ipython", "python2", "python3"}


@dataclass(frozen=True, eq=False)  # a cell is itself only: equal texts stand at several places
class NotebookCell:
    """A cell of a notebook.

    Args:
        index: Position among all cells, from 1.
        kind: ``code``, ``markdown`` or ``raw``.
        source: The text.
        cell_id: Id of nbformat 4.5; empty in older files.
        count: Execution count; None or 0 if unknown.
        outputs: Stored outputs, as in the file.
        tags: Tags of the cell.
    """

    index: int
    kind: str
    source: str
    cell_id: str = ""
    count: int | None = None
    outputs: Sequence[Mapping[str, Any]] = ()
    tags: Sequence[str] = ()

    @cached_property
    def python(self) -> PythonCell:
        """The source as Python, with IPython's magics taken out and listed."""
        return read_python(self.source)

    @property
    def is_code(self) -> bool:
        """Whether the cell holds code that is not only white space."""
        return self.kind == "code" and bool(self.source.strip())


@dataclass(frozen=True)
class Notebook:
    """A notebook as read from a file.

    Args:
        path: The file.
        cells: All cells, in order.
        language: Language of the kernel, in lower case; empty if the file does not name a language.
        problem: Why the file is no readable notebook; None for a notebook.
    """

    path: Path
    cells: Sequence[NotebookCell] = field(default=())
    language: str = ""
    problem: str | None = None

    @property
    def is_python(self) -> bool:
        """Whether the kernel runs Python, as far as the file says."""
        return self.language in _PYTHON

    @property
    def code_cells(self) -> list[NotebookCell]:
        """Cells with code, in order."""
        return [cell for cell in self.cells if cell.is_code]

    def cell(self, index: int) -> NotebookCell:
        """Return the cell at a position, from 1."""
        return self.cells[index - 1]


def read_notebook(path: str | Path) -> Notebook:
    """Read a notebook: nbformat 3 and 4, and percent scripts (``.py`` with ``# %%``).

    A file that is no notebook, such as a saved web page, is returned with the ``problem``.

    Raises:
        NotFoundError: If there is no such file.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            what=f"Notebook {path} cannot be read: {error.strerror}.",
            fix="Check the path; it is relative to the current folder.",
        ) from error
    text = data.decode("utf-8-sig", errors="replace")
    if path.suffix == ".py":
        return Notebook(path, _percent_cells(text), "python")
    document, problem = _parse(text)
    if problem is not None:
        return Notebook(path, problem=problem)
    try:
        return Notebook(path, _json_cells(document), _language(document))
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        return Notebook(path, problem=f"The file is JSON, but no notebook: {error}.")


def source_text(value: Any) -> str:
    """Return a source of nbformat, a text or a list of lines, as text."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _parse(text: str) -> tuple[dict[str, Any], str | None]:
    if not text.strip():
        return {}, "The file is empty."
    if text.lstrip()[:1] == "<":
        return {}, "The file is a web page (HTML) that was saved under a notebook's name."
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, f"The file is not JSON: {str(error)[:120]}."
    if not isinstance(document, dict):
        return {}, f"The file is a JSON {type(document).__name__}, not a notebook."
    if not isinstance(document.get("cells", document.get("worksheets")), list):
        return {}, "The JSON document has no cells."
    return document, None


def _json_cells(document: Mapping[str, Any]) -> list[NotebookCell]:
    if "cells" in document:
        cells = document["cells"]
    else:  # nbformat 3 has sheets of cells
        cells = [cell for sheet in document["worksheets"] for cell in sheet.get("cells", ())]
    return [_json_cell(index, cell) for index, cell in enumerate(cells, start=1)]


def _json_cell(index: int, cell: Mapping[str, Any]) -> NotebookCell:
    kind = str(cell.get("cell_type", "raw"))
    count = cell.get("execution_count", cell.get("prompt_number"))
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, Mapping) else None
    outputs = cell.get("outputs")
    return NotebookCell(
        index=index,
        kind="markdown" if kind in {"markdown", "heading"} else kind,
        source=source_text(cell.get("source", cell.get("input"))),
        cell_id=str(cell.get("id") or ""),
        count=count if isinstance(count, int) else None,
        outputs=[each for each in outputs if isinstance(each, Mapping)]
        if isinstance(outputs, list)
        else [],
        tags=[str(tag) for tag in tags] if isinstance(tags, list) else [],
    )


def _language(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping):
        return ""
    for place, name in (("kernelspec", "language"), ("language_info", "name")):
        language = metadata.get(place)
        if isinstance(language, Mapping) and isinstance(language.get(name), str):
            return str(language[name]).lower()
    return str(metadata.get("language") or "").lower()


def _percent_cells(text: str) -> list[NotebookCell]:
    """Return the cells of a percent script; text before the first mark is a cell, without a header."""
    blocks: list[tuple[str, list[str]]] = [("code", [])]
    lines = _without_header(text.splitlines())
    for line in lines:
        mark = _PERCENT.match(line)
        if mark is None:
            blocks[-1][1].append(line)
        else:
            rest = mark["rest"]
            blocks.append(("markdown" if "[markdown]" in rest or "[md]" in rest else "code", []))
    kept = [(kind, body) for kind, body in blocks if any(line.strip() for line in body)]
    return [
        NotebookCell(index, kind, _percent_source(kind, body))
        for index, (kind, body) in enumerate(kept, start=1)
    ]


def _without_header(lines: list[str]) -> list[str]:
    """Return the lines after a header of jupytext: a block of comments between two ``# ---``."""
    if lines[:1] == ["# ---"] and "# ---" in lines[1:]:
        return lines[lines.index("# ---", 1) + 1 :]
    return lines


def _percent_source(kind: str, body: Sequence[str]) -> str:
    text = "\n".join(body).strip("\n")
    if kind == "markdown":
        return re.sub(r"(?m)^# ?", "", text)
    return re.sub(r"(?m)^# (?=[%!])", "", text)  # magics stand as comments in a script
