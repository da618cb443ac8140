"""FeatureSkew: how often a served feature differs from the history; apart because reports store these figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, TypeAlias

Cause: TypeAlias = Literal["late data", "ttl", "type", "missing", "transform", "request"]
LIMIT = 0.001


@dataclass(frozen=True, slots=True)
class FeatureSkew:
    """The skew of a feature.

    Args:
        view: Name of the view.
        feature: The feature.
        rows: Rows that were served with the feature.
        mismatches: Rows on which history and served value differ.
        low: Lower end of the share's 95 % interval (Wilson).
        high: Upper end.
        causes: Number of mismatches by cause.
        examples: Some of them: prediction id, served and right value.
        limit: Share of mismatches above which the skew is an alarm.
    """

    view: str
    feature: str
    rows: int
    mismatches: int
    low: float
    high: float
    causes: Mapping[Cause, int] = field(default_factory=dict)
    examples: tuple[Mapping[str, Any], ...] = ()
    limit: float = LIMIT

    @property
    def share(self) -> float:
        """Share of rows that differ."""
        return self.mismatches / self.rows

    @property
    def cause(self) -> Cause | None:
        """The most frequent cause; None without a mismatch."""
        return max(self.causes, key=lambda cause: self.causes[cause], default=None)

    @property
    def is_alarm(self) -> bool:
        """Whether a larger share of the rows differs than the limit, by default 0.1 %."""
        return self.share > self.limit

    @property
    def subject(self) -> str:
        """The feature with the view, as ``view:feature``."""
        return f"{self.view}:{self.feature}"

    def to_json(self) -> dict[str, Any]:
        """Return the skew as plain JSON."""
        derived = {"share": self.share, "cause": self.cause, "is_alarm": self.is_alarm}
        return {**asdict(self), **derived}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read the JSON of ``to_json``."""
        return cls(
            view=value["view"],
            feature=value["feature"],
            rows=value["rows"],
            mismatches=value["mismatches"],
            low=value["low"],
            high=value["high"],
            causes=value["causes"],
            examples=tuple(value["examples"]),
            limit=value["limit"],
        )

    def describe(self) -> str:
        """Return the skew as a sentence."""
        counts = ", ".join(f"{cause} {count:,}" for cause, count in self.causes.items())
        return (
            f"{self.subject} differs from its history on {self.mismatches:,} of"
            f" {self.rows:,} rows ({self.share:.2%}, 95 % interval {self.low:.2%} to"
            f" {self.high:.2%}): {counts}."
        )
