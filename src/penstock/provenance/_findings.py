"""Findings: the results of a walk over live objects, apart from the records themselves."""

from dataclasses import dataclass, field
from typing import Any

Record = tuple[Any, ...]
Ref = tuple[Any, ...]


@dataclass(slots=True)
class Findings:
    """The results of a walk, apart from the records.

    Args:
        parts: Facts by which a change is reported, by ``file.py:name``.
        versions: Versions by ``package x``, and digests of the user's compiled modules.
        blind: Places of values that cannot be described.
        unfollowed: Places of calls that run computed code.
        classes: Own classes that were reached.
        passed_on: Own functions that are used as values.
        sources: Reached objects with a ``fingerprint``, by place.
        makes_functions: True if reached code makes functions at run time.
        has_code: True if any code of the user's was reached.
    """

    parts: dict[str, list[str]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    blind: dict[str, str] = field(default_factory=dict)
    unfollowed: set[str] = field(default_factory=set)
    classes: list[type] = field(default_factory=list)
    passed_on: list[Any] = field(default_factory=list)
    sources: dict[str, Any] = field(default_factory=dict)
    makes_functions: bool = False
    has_code: bool = False

    def merge(self, other: "Findings") -> None:
        """Add the findings of an inner walk."""
        for name, facts in other.parts.items():
            self.parts.setdefault(name, []).extend(facts)
        self.versions.update(other.versions)
        self.blind.update(other.blind)
        self.unfollowed |= other.unfollowed
        self.classes += other.classes
        self.passed_on += other.passed_on
        self.sources.update(other.sources)
        self.makes_functions |= other.makes_functions
        self.has_code |= other.has_code
