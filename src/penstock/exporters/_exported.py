"""Exported: a file for another engine, as text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exported:
    """A pipeline, run or model in the form of another system.

    Args:
        to: The engine or platform: ``airflow``.
        file: Usual name of the file.
        text: The file.
        notes: What is not carried over, a sentence each.
    """

    to: str
    file: str
    text: str
    notes: tuple[str, ...] = ()
