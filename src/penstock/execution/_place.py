"""Where a pipeline's code is: its project's folder, and the entry that finds it again."""

import os
from pathlib import Path
from typing import Any

from penstock.core import find_project
from penstock.pipelines import Pipeline
from penstock.provenance import is_own


def project_of(file: str) -> Path:
    """Find the folder whose source a run keeps: that of the pipeline's file.

    Args:
        file: The file that the pipeline is defined in; of a notebook, the current project counts.
            PENSTOCK_PROJECT wins if the file is in it.
    """
    path = Path(file)
    if not is_own(path):
        return find_project().resolve()
    given = os.environ.get("PENSTOCK_PROJECT")
    if given and path.resolve().is_relative_to(Path(given).resolve()):
        return Path(given).resolve()
    return find_project(path.parent).resolve()


def entry_of(pipeline: Pipeline[..., Any], project: Path) -> str | None:
    """Tell how a pipeline is found again: ``file.py:name`` or ``module:name``.

    Returns:
        None if it cannot be: it was made in a notebook or inside a function.
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
