"""Where a pipeline's code is: the folder of the project."""

import os
from pathlib import Path

from penstock.core import find_project
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
    folder = os.environ.get("PENSTOCK_PROJECT")
    if folder and path.resolve().is_relative_to(Path(folder).resolve()):
        return Path(folder).resolve()
    return find_project(path.parent).resolve()
