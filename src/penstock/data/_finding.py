"""Finding: an observation about columns or rows; separate because all checks return findings."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypeAlias

Level: TypeAlias = Literal["fail", "warn", "info"]
LEVELS: tuple[Level, ...] = ("fail", "warn", "info")
"""Levels in order, the worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An observation of a check.

    >>> Finding("warn", "constant", "unit", "Column 'unit' holds one value.").to_json()["level"]
    'warn'

    Args:
        level: ``fail`` (the work cannot be trusted), ``warn`` (worth a look) or ``info``.
        rule: Short name of the check, for example ``L5`` or ``constant``.
        column: The column concerned; empty for the whole table.
        message: A sentence or two with the figures.
    """

    level: Level
    rule: str
    column: str
    message: str

    def to_json(self) -> dict[str, str]:
        """Return plain values for storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Create a finding from the result of to_json."""
        return cls(value["level"], value["rule"], value["column"], value["message"])


def findings_to_json(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Return plain values of many findings."""
    return [finding.to_json() for finding in findings]


def findings_from_json(values: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Create findings from the result of findings_to_json."""
    return tuple(Finding.from_json(value) for value in values)
