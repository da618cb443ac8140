"""The notebook step: a notebook in a fresh kernel -> values of names; apart because only this step has a kernel."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.notebooks import execute_contents, notebook_contents
from penstock.pipelines import Step


def notebook(
    path: str | Path,
    *,
    outputs: Sequence[str] = (),
    timeout_s: float | None = None,
    kernel: str = "python3",
    **params: object,
) -> dict[str, Any]:
    """Execute a notebook from top to bottom in a fresh kernel, as a step.

    The step's key is made of the code cells, the parameters and the versions of the imported
    packages: outputs, counts and markdown do not count. Files that the notebook reads count by
    their bytes.

    Args:
        path: The notebook, relative to the current folder.
        outputs: Names of the notebook whose values at the end are the step's result.
        timeout_s: Longest duration of a cell, seconds; None for no limit.
        kernel: Name of the Jupyter kernel; by default this environment's Python.
        **params: Values of the names assigned literals in the cell tagged ``parameters``.

    Returns:
        The values of ``outputs`` by name. The executed notebook is an artifact of the run.

    Raises:
        NotFoundError: If the file cannot be read.
        ParameterError: If a parameter is unknown, or an output is not defined at the end.
        PenstockError: If a cell fails.
    """
    contents = notebook_contents(path)
    step = Step(_execute, name=Path(path).stem)
    return step(contents, dict(params), list(outputs), timeout_s, kernel)


def _execute(
    contents: Mapping[str, Any],
    parameters: Mapping[str, Any],
    outputs: Sequence[str],
    timeout_s: float | None,
    kernel: str,
) -> dict[str, Any]:
    return execute_contents(contents, parameters, outputs, timeout_s=timeout_s, kernel=kernel)
