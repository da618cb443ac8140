"""Files between the process that supervises the ranks of a step and the ranks."""

from pathlib import Path

ECHO = "echo"
"""File with what rank 0 prints."""


def request_path(folder: Path) -> Path:
    """Return the file with the work of all ranks."""
    return folder / "request"


def outcome_path(folder: Path, rank: int) -> Path:
    """Return the file with the outcome of a rank."""
    return folder / f"outcome-{rank}"
