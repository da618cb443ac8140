"""Finding: one thing that a check noticed about columns or rows; apart because every check gives it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypeAlias

Level: TypeAlias = Literal["fail", "warn", "info"]
LEVELS: tuple[Level, ...] = ("fail", "warn", "info")
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check noticed.

    >>> Finding("warn", "constant", "unit", "Column 'unit' holds one value.").to_json()["level"]
    'warn'

    Args:
        level: ``fail`` (the work cannot be trusted), ``warn`` (look at it) or ``info``.
        rule: Short name of the check, for example ``L5`` or ``constant``.
        column: The column it is about; empty for the whole table.
        message: One or two sentences with the figures.
    """

    level: Level
    rule: str
    column: str
    message: str

    def to_json(self) -> dict[str, str]:
        """Give plain values for storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read back what to_json gave."""
        return cls(value["level"], value["rule"], value["column"], value["message"])


def findings_to_json(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Give plain values of many findings."""
    return [finding.to_json() for finding in findings]


def findings_from_json(values: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Read back what findings_to_json gave."""
    return tuple(Finding.from_json(value) for value in values)
