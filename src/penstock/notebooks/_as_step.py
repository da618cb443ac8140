"""A notebook as a step: the content for the step's key, and the execution from that alone."""

import ast
import contextlib
import importlib.metadata
import importlib.util
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.core import ParameterError, PenstockError, StepState, did_you_mean, require
from penstock.notebooks._document import Notebook, NotebookCell
from penstock.notebooks._kernel import CellRun, Kernel
from penstock.notebooks._parameters import read_parameters
from penstock.notebooks._run import Execution, executed_cells, opened, require_runnable
from penstock.notebooks.rules import analyse
from penstock.notebooks.rules._packages import distribution_of
from penstock.provenance import note_read
from penstock.stores import open_store
from penstock.tracking import active_run

_LONGEST_PATH = 1000  # characters; a longer text is no path


def notebook_contents(path: str | Path) -> dict[str, Any]:
    """Return all that decides on a notebook's results: code cells, and the imported packages.

    Outputs, counts, markdown and ids are left out: they change nothing.

    Raises:
        NotFoundError: If the file cannot be read.
        PenstockError: If the file is no Python notebook.
    """
    notebook = require_runnable(path)
    cells = [[cell.index, cell.source, list(cell.tags)] for cell in notebook.code_cells]
    return {"path": str(path), "cells": cells, "packages": _packages(notebook)}


def execute_contents(
    contents: Mapping[str, Any],
    parameters: Mapping[str, Any],
    outputs: Sequence[str],
    *,
    timeout_s: float | None = None,
    kernel: str = "python3",
) -> dict[str, Any]:
    """Execute the result of `notebook_contents`, in a fresh kernel in the notebook's folder.

    Files that the kernel reads are recorded as read by the running step.

    Args:
        contents: Cells and path.
        parameters: Values of parameters.
        outputs: Names whose values are returned.
        timeout_s: Longest duration of a cell, seconds.
        kernel: Name of the kernel.

    Returns:
        The values by name.

    Raises:
        ParameterError: If a parameter is unknown, or a name was not defined at the end.
        PenstockError: If a cell fails.
    """
    notebook = _rebuilt(contents)
    values = read_parameters(notebook, parameters)
    how = Execution(timeout_s=timeout_s, kernel=kernel)
    with opened(notebook, values, how) as (document, running, places):
        running.ask("inside.watch_files()")
        cells = list(executed_cells(running, document, places, how))
        _look_up(running, notebook, values)
        failed = next((cell for cell in cells if cell.state is StepState.FAILED), None)
        results = {} if failed is not None else _values(running, outputs, notebook)
    _log(notebook, document)
    if failed is not None:
        raise _failed(notebook, failed)
    return results


def _rebuilt(contents: Mapping[str, Any]) -> Notebook:
    cells = [
        NotebookCell(place, "code", source, tags=tags)
        for place, (_, source, tags) in enumerate(contents["cells"], start=1)
    ]
    return Notebook(Path(contents["path"]), cells, "python")


def _values(kernel: Kernel, outputs: Sequence[str], notebook: Notebook) -> dict[str, Any]:
    if not outputs:
        return {}
    known = kernel.ask("sorted(name for name in names if not name.startswith('_'))")
    for name in outputs:
        if name not in known:
            raise ParameterError(
                what=f"Notebook {notebook.path.name} defines no {name!r}.",
                why="It was asked for as an output.",
                fix=did_you_mean(name, known),
            )
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/values.db"
        digests = kernel.ask(f"inside.save_values(names, {list(outputs)!r}, {url!r})")
        with open_store(url) as store:
            return {name: store.get(digests[name]) for name in outputs}


def _look_up(kernel: Kernel, notebook: Notebook, values: Mapping[str, Any]) -> None:
    """Record the files that the kernel has read, and those that texts name: native code may read them."""
    installed = (sys.prefix, sys.base_prefix, "/proc", "/dev", "/sys")
    named = [*kernel.ask("inside.opened_files()")["read"], *_texts(notebook), *values.values()]
    for name in named:
        if not isinstance(name, str) or "\0" in name or len(name) > _LONGEST_PATH:
            continue
        path = (notebook.path.parent / _source(name)).absolute()
        with contextlib.suppress(OSError):
            if path.is_file() and not str(path).startswith(installed):
                note_read(str(path))


def _texts(notebook: Notebook) -> list[str]:
    trees = [cell.python.tree for cell in notebook.code_cells if cell.python.tree is not None]
    return [
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def _source(name: str) -> str:
    """Return the source of a compiled module."""
    if not name.endswith(".pyc"):
        return name
    try:
        return importlib.util.source_from_cache(name)
    except ValueError:
        return name


def _log(notebook: Notebook, document: Any) -> None:
    run = active_run()
    if run is not None:
        nbformat = require("nbformat", extra="notebooks", purpose="writing notebooks")
        run.log_artifact(nbformat.writes(document).encode(), name=f"{notebook.path.stem}.ipynb")


def _failed(notebook: Notebook, cell: CellRun) -> PenstockError:
    first = json.dumps(cell.source.strip().splitlines()[0][:80])
    return PenstockError(
        what=f"A cell of {notebook.path.name} failed: {cell.error}.",
        why=f"It begins with {first}.",
        fix=f"Try it with: penstock notebook run {notebook.path}",
    )


def _packages(notebook: Notebook) -> dict[str, str]:
    """Return the versions of Python and of the packages that the cells import."""
    modules = {name.partition(".")[0] for name in analyse(notebook).imported.values()}
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for module in sorted(modules - sys.stdlib_module_names):
        package = distribution_of(module)
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
