"""Exported: a file for another engine, as text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exported:
    """A pipeline in the form of another engine.

    Args:
        to: The engine: ``airflow``.
        file: Usual name of the file.
        text: The file.
        notes: What the engine does not carry over, a sentence each.
    """

    to: str
    file: str
    text: str
    notes: tuple[str, ...] = ()
