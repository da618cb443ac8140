"""Where a pipeline's code is: the folder of the project, and the entry point."""

import os
from pathlib import Path
from typing import Any

from penstock.core import find_project
from penstock.pipelines import Pipeline
from penstock.provenance import is_own


def project_of(file: str) -> Path:
    """Return the folder whose source a run records: the project of the pipeline's file.

    Args:
        file: File that defines the pipeline; for a notebook, the current project is used.
            PENSTOCK_PROJECT takes precedence if the file is in that folder.
    """
    path = Path(file)
    if not is_own(path):
        return find_project().resolve()
    given = os.environ.get("PENSTOCK_PROJECT")
    if given and path.resolve().is_relative_to(Path(given).resolve()):
        return Path(given).resolve()
    return find_project(path.parent).resolve()


def entry_of(pipeline: Pipeline[..., Any], project: Path) -> str | None:
    """Return a pipeline's entry point: ``file.py:name`` or ``module:name``.

    Returns:
        None if there is no entry point: the pipeline was made in a notebook or inside a function.
    """
    function, path = pipeline.function, Path(pipeline.file)
    if "." in function.__qualname__ or not path.is_file():
        return None
    if not is_own(path):
        return f"{function.__module__}:{function.__name__}"
    path = path.resolve()
    if not path.is_relative_to(project):
        return None
    return f"{path.relative_to(project).as_posix()}:{function.__name__}"
