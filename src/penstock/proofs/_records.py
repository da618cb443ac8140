"""What a verification says: per step and as a whole; apart because child and parent share it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.core import Verdict

_WORST = [Verdict.BITWISE, Verdict.WITHIN_TOLERANCE, Verdict.CANNOT_VERIFY, Verdict.DIFFERS]


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """The answer for one step.

    Args:
        step: The step's name.
        verdict: See Verdict.
        how: ``executed``, ``replayed`` (read from the stored snapshot), ``effect`` (not repeated).
        reason: One sentence.
        outputs: ``{output: {"recorded": digest, "found": digest}}``.
        differences: Where values differ, at most five.
        cause: What makes it differ, if that was found; else empty.
        seconds: Time it took to execute again.
    """

    step: str
    verdict: Verdict
    how: str
    reason: str
    outputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    differences: tuple[str, ...] = ()
    cause: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Give the answer as plain JSON."""
        return {
            "step": self.step,
            "verdict": self.verdict.value,
            "how": self.how,
            "reason": self.reason,
            "outputs": {name: dict(pair) for name, pair in self.outputs.items()},
            "differences": list(self.differences),
            "cause": self.cause,
            "seconds": round(self.seconds, 4),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "StepVerdict":
        """Read what ``to_json`` wrote."""
        return cls(
            step=data["step"],
            verdict=Verdict(data["verdict"]),
            how=data["how"],
            reason=data["reason"],
            outputs=data["outputs"],
            differences=tuple(data["differences"]),
            cause=data["cause"],
            seconds=data["seconds"],
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer for a run.

    Args:
        run_id: The run.
        verdict: The worst of its steps.
        steps: One answer per step, in order.
        notes: What else the reader should know: environment differences, what was missing.
        seconds: Whole time, process start included.
    """

    run_id: str
    verdict: Verdict
    steps: tuple[StepVerdict, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def first_difference(self) -> StepVerdict | None:
        """The first step whose outputs differ, or None."""
        return next((step for step in self.steps if step.verdict is Verdict.DIFFERS), None)

    @property
    def proved(self) -> bool:
        """True if every output came out equal, or within the declared tolerance."""
        return self.verdict in {Verdict.BITWISE, Verdict.WITHIN_TOLERANCE}

    def to_json(self) -> dict[str, Any]:
        """Give the answer as plain JSON (architecture, section 3)."""
        first = self.first_difference
        return {
            "run_id": self.run_id,
            "verdict": self.verdict.value,
            "steps": [step.to_json() for step in self.steps],
            "first_difference": first.to_json() if first else None,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


def worst(verdicts: list[Verdict]) -> Verdict:
    """Give the worst of several answers; a difference outweighs a step that cannot be told.

    >>> worst([Verdict.BITWISE, Verdict.DIFFERS, Verdict.CANNOT_VERIFY])
    <Verdict.DIFFERS: 'differs'>
    """
    return max(verdicts, key=_WORST.index, default=Verdict.CANNOT_VERIFY)
