"""ColumnDrift: the difference of a column's values from training, with the checks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from penstock.monitoring._effects import Measure

Verdict: TypeAlias = Literal["drifted", "unclear", "steady", "not compared"]

_TELLS_NOTHING = 5.0  # limits: a change that may be this large is not "as in training"


@dataclass(frozen=True, slots=True)
class Check:
    """A test of a single aspect of a column: evidence, effect size and verdict.

    Args:
        aspect: ``distribution``, ``missing``, ``new`` or ``level``.
        statistic: ``w1``, ``tvd``, ``share`` or ``ratio``.
        effect: Effect size: how large the change is.
        minimum: Minimum effect: the lower bound must exceed this for the change to matter.
        p: Evidence that there is any change, as a p-value.
        p_adjusted: The p-value, adjusted for all checks of the report.
        drifted: True if the change is significant and the effect's lower bound exceeds the minimum.
        subject: The changed part of the column; empty for the column as a whole.
        reason: The verdict as a sentence.
    """

    aspect: str
    statistic: str
    effect: Measure
    minimum: float
    p: float
    p_adjusted: float = 1.0
    drifted: bool = False
    subject: str = ""
    reason: str = ""

    @property
    def is_unclear(self) -> bool:
        """True if there is no drift, but five times the minimum cannot be ruled out."""
        if self.drifted or self.aspect == "level":  # the distribution's check covers it
            return False
        far = self.effect.high > _TELLS_NOTHING * self.minimum
        return far and self.effect.value > self.minimum

    def to_json(self) -> dict[str, Any]:
        """Return the check as plain JSON."""
        return {
            "aspect": self.aspect,
            "statistic": self.statistic,
            "effect": self.effect.to_json(),
            "minimum": self.minimum,
            "p": _significant(self.p),
            "p_adjusted": _significant(self.p_adjusted),
            "drifted": self.drifted,
            "subject": self.subject,
            "unclear": self.is_unclear,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Check":
        """Read the JSON of ``to_json``."""
        facts = {name: each for name, each in value.items() if name != "unclear"}
        return cls(**{**facts, "effect": Measure(**facts["effect"])})


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """The difference of a column's values from training.

    Args:
        column: The column's name.
        kind: As in the training profile.
        role: ``feature``, ``prediction`` or ``score``.
        checks: The checks made; empty if the column could not be checked.
        measures: All distances computed, by name.
        bins: Labels of the compared bins, with reference and current counts, for pictures.
        reference_rows: Values in the profile.
        rows: Current values.
        missing: Share of missing values in training and now.
        new_values: Up to 5 values that training never saw.
        note: Why a comparison was not made; else empty.
    """

    column: str
    kind: str
    role: str
    checks: tuple[Check, ...] = ()
    measures: Mapping[str, Measure] = field(default_factory=dict)
    bins: tuple[tuple[str, int, int], ...] = ()
    reference_rows: int = 0
    rows: int = 0
    missing: tuple[float, float] = (0.0, 0.0)
    new_values: tuple[str, ...] = ()
    note: str = ""

    @property
    def drifted(self) -> bool:
        """True if any check found drift."""
        return any(check.drifted for check in self.checks)

    @property
    def verdict(self) -> Verdict:
        """``drifted``, ``unclear`` (too few rows to decide), ``steady`` or ``not compared``."""
        if self.drifted:
            return "drifted"
        if not self.checks:
            return "not compared"
        return "unclear" if any(check.is_unclear for check in self.checks) else "steady"

    @property
    def main(self) -> Check | None:
        """The check of the distribution; None if the distribution was not compared."""
        return next((check for check in self.checks if check.aspect == "distribution"), None)

    @property
    def statistic(self) -> str:
        """Name of the deciding distance; empty if the distribution was not compared."""
        return self.main.statistic if self.main else ""

    @property
    def effect(self) -> float | None:
        """The deciding distance."""
        return self.main.effect.value if self.main else None

    @property
    def low(self) -> float | None:
        """Lower 95 % bound of the deciding distance."""
        return self.main.effect.low if self.main else None

    @property
    def high(self) -> float | None:
        """Upper 95 % bound of the deciding distance."""
        return self.main.effect.high if self.main else None

    @property
    def p(self) -> float | None:
        """p-value of the distribution's check, adjusted for all checks of the report."""
        return self.main.p_adjusted if self.main else None

    @property
    def reason(self) -> str:
        """Why the column drifted or not, as sentences."""
        reasons = [check.reason for check in self.checks if check.drifted]
        reasons = reasons or [check.reason for check in self.checks if check.is_unclear]
        if not reasons and self.main:
            reasons = [self.main.reason]
        return " ".join(reasons) or self.note

    @property
    def severity(self) -> float:
        """The largest effect as a multiple of the minimum, for sorting."""
        effects = (check.effect.value / check.minimum for check in self.checks if check.minimum)
        return max(effects, default=0.0)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain JSON."""
        return {
            "column": self.column,
            "kind": self.kind,
            "role": self.role,
            "drifted": self.drifted,
            "verdict": self.verdict,
            "reason": self.reason,
            "checks": [check.to_json() for check in self.checks],
            "measures": {name: measure.to_json() for name, measure in self.measures.items()},
            "bins": [list(each) for each in self.bins],
            "reference_rows": self.reference_rows,
            "rows": self.rows,
            "missing": [round(share, 6) for share in self.missing],
            "new_values": list(self.new_values),
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ColumnDrift":
        """Read the JSON of ``to_json``."""
        return cls(
            column=value["column"],
            kind=value["kind"],
            role=value["role"],
            checks=tuple(Check.from_json(check) for check in value["checks"]),
            measures={name: Measure(**each) for name, each in value["measures"].items()},
            bins=tuple((str(label), int(a), int(b)) for label, a, b in value["bins"]),
            reference_rows=value["reference_rows"],
            rows=value["rows"],
            missing=(value["missing"][0], value["missing"][1]),
            new_values=tuple(value["new_values"]),
            note=value["note"],
        )


def drifted_columns(columns: Iterable[ColumnDrift]) -> list[ColumnDrift]:
    """Return the columns that drifted, the largest effect first."""
    drifted = [each for each in columns if each.drifted]
    return sorted(drifted, key=lambda each: (-each.severity, each.column))


def _significant(value: float) -> float:
    return float(f"{value:.4g}")
