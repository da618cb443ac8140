"""``write_chart``: the Helm chart of server, scheduler and model servers, as files."""

import shutil
from pathlib import Path

from penstock.core import ConflictError

_CHART = Path(__file__).parent / "chart"


def write_chart(folder: str | Path) -> list[Path]:
    """Write the Helm chart into a new folder, and return its files.

    >>> import tempfile
    >>> [path.name for path in write_chart(Path(tempfile.mkdtemp(), "penstock"))][:2]
    ['Chart.yaml', 'NOTES.txt']

    Args:
        folder: The folder, which does not exist or is empty.

    Raises:
        ConflictError: If the folder has files.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConflictError(
            what=f"{target} exists and is not an empty folder.",
            why="A chart that was edited would be overwritten.",
            fix="Name another folder, or delete this one first.",
        )
    shutil.copytree(_CHART, target, dirs_exist_ok=True)
    return sorted(path for path in target.rglob("*") if path.is_file())
