"""``check_notebook``: all rules on a notebook, with suppressions; never raises for a file's content."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.core import NotFoundError
from penstock.notebooks._document import Notebook, NotebookCell, read_notebook
from penstock.notebooks._finding import FindingLevel, NotebookFinding
from penstock.notebooks.rules import (
    Analysis,
    analyse,
    check_errors,
    check_hidden_state,
    check_leakage,
    check_magics,
    check_names,
    check_order,
    check_packages,
    check_paths,
    check_readable,
    check_secrets,
    check_seeds,
)

_RULES = (
    check_readable, check_names, check_order, check_hidden_state, check_leakage, check_errors,
    check_secrets, check_magics, check_paths, check_seeds, check_packages,
)  # fmt: skip
_SUPPRESSION = re.compile(
    r"#\s*penstock:\s*ignore\s+(?P<rules>NB\d+(?:\s*,\s*NB\d+)*)(?P<reason>.*)$", re.IGNORECASE
)
_RANKS: Mapping[FindingLevel, int] = {"error": 0, "warning": 1, "info": 2}
_SKIPPED = frozenset({".ipynb_checkpoints", ".git", ".venv", "node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class NotebookReport:
    """The findings of the rules in a notebook.

    Args:
        path: The file.
        findings: In the order of the cells.
        cells: Number of cells with code.
    """

    path: Path
    findings: Sequence[NotebookFinding]
    cells: int

    def counting(self, level: FindingLevel = "info") -> list[NotebookFinding]:
        """Return the findings of a level or above that are not suppressed."""
        return [
            finding
            for finding in self.findings
            if finding.suppressed is None and _RANKS[finding.level] <= _RANKS[level]
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        findings = [finding.to_json() for finding in self.findings]
        return {"path": self.path.as_posix(), "cells": self.cells, "findings": findings}


def check_notebook(path: str | Path) -> NotebookReport:
    """Check a notebook by the rules NB1 to NB11.

    >>> import json, tempfile
    >>> cell = {"cell_type": "code", "source": "print(late)", "outputs": [], "metadata": {}}
    >>> with tempfile.NamedTemporaryFile("w", suffix=".ipynb", delete=False) as file:
    ...     json.dump({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, file)
    >>> [(found.rule, found.message) for found in check_notebook(file.name).findings]
    [('NB2', "'late' is defined in no cell.")]

    Args:
        path: The notebook: ``.ipynb`` of format 3 or 4, or a percent script ``.py``.

    Returns:
        The findings, in the order of the cells. A file that is no notebook has a single finding.

    Raises:
        NotFoundError: If the file cannot be read.
    """
    notebook = read_notebook(path)
    return report_of(notebook)


def report_of(notebook: Notebook) -> NotebookReport:
    """Return the report of a notebook that was read."""
    if not notebook.is_python:
        text = f"The notebook is in {notebook.language}; penstock reads Python."
        other = NotebookFinding("NB10", "info", 0, 1, text)
        return NotebookReport(notebook.path, [other], len(notebook.code_cells))
    findings = [_judged(finding, notebook) for finding in _all_findings(analyse(notebook))]
    findings.sort(key=lambda found: (found.cell, _RANKS[found.level], found.line))
    return NotebookReport(notebook.path, findings, len(notebook.code_cells))


def check_notebooks(paths: Iterable[str | Path]) -> list[NotebookReport]:
    """Check notebooks, and all notebooks below folders, in the order of their paths.

    Raises:
        NotFoundError: If a path does not exist, or a folder holds no notebook.
    """
    return [check_notebook(path) for path in find_notebooks(paths)]


def find_notebooks(paths: Iterable[str | Path]) -> list[Path]:
    """Return the notebooks of paths; of folders all ``.ipynb`` below.

    Raises:
        NotFoundError: If a folder holds no notebook.
    """
    notebooks: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            notebooks.append(path)
            continue
        below = [each for each in sorted(path.rglob("*.ipynb")) if not _SKIPPED & set(each.parts)]
        if not below:
            raise NotFoundError(
                what=f"There is no notebook below {path}.",
                fix="Name a file, or a folder with .ipynb files.",
            )
        notebooks += below
    return notebooks


def _all_findings(analysis: Analysis) -> list[NotebookFinding]:
    return [finding for rule in _RULES for finding in rule(analysis)]


def _judged(finding: NotebookFinding, notebook: Notebook) -> NotebookFinding:
    """Return a finding with the reason of a suppression, or with a note on the lack of a reason."""
    if finding.cell == 0:
        return finding
    reason = _reason(notebook.cell(finding.cell), finding)
    if reason is None:
        return finding
    if not reason:
        note = " The comment that ignores it gives no reason, and does not count."
        return replace(finding, message=finding.message + note)
    return replace(finding, suppressed=reason)


def _reason(cell: NotebookCell, finding: NotebookFinding) -> str | None:
    """Return the reason of a suppression; "" without a reason, None without a suppression.

    A comment alone on a line counts for the cell, behind code for that line.
    """
    for number, line in enumerate(cell.source.splitlines(), start=1):
        comment = _SUPPRESSION.search(line)
        if comment is None:
            continue
        rules = [rule.strip().upper() for rule in comment["rules"].split(",")]
        is_own_line = line.lstrip().startswith("#")
        if finding.rule in rules and (is_own_line or number == finding.line):
            return comment["reason"].strip(" :-\t\u2013\u2014")
    return None
