"""StepVerdict and Verification: results per step and per run; apart because two processes use them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.core import Verdict

UNSTEADY = "on another day or machine it may be another"
"""Words of the reason of an output that is equal, though the code reads a clock or the machine."""
_WORST = [
    Verdict.NOT_EXECUTED,
    Verdict.BITWISE,
    Verdict.WITHIN_TOLERANCE,
    Verdict.CANNOT_VERIFY,
    Verdict.DIFFERS,
]


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """The verdict on a step.

    Args:
        step: Name of the step.
        verdict: See Verdict.
        how: ``executed``; ``joined`` (a map or loop: made of items); ``replayed`` (read from the
            stored snapshot); ``side effect`` (not repeated); ``missing``.
        reason: The reason as a sentence.
        outputs: ``{output: {"recorded": digest, "found": digest}}``.
        differences: Where values differ, at most five.
        cause: Cause of the difference, if found; else empty.
        seconds: Duration of the second execution.
        hash_seeds: Number of hash seeds that the step was executed under; 0 if not executed.
        made_in: Id of the run that executed a reused step; else empty.
    """

    step: str
    verdict: Verdict
    how: str
    reason: str
    outputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    differences: tuple[str, ...] = ()
    cause: str = ""
    seconds: float = 0.0
    hash_seeds: int = 0
    made_in: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain JSON."""
        return {
            "step": self.step,
            "verdict": self.verdict.value,
            "how": self.how,
            "reason": self.reason,
            "outputs": {name: dict(pair) for name, pair in self.outputs.items()},
            "differences": list(self.differences),
            "cause": self.cause,
            "seconds": round(self.seconds, 4),
            "hash_seeds": self.hash_seeds,
            "made_in": self.made_in,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "StepVerdict":
        """Return the verdict that ``to_json`` wrote."""
        return cls(
            step=data["step"],
            verdict=Verdict(data["verdict"]),
            how=data["how"],
            reason=data["reason"],
            outputs=data["outputs"],
            differences=tuple(data["differences"]),
            cause=data["cause"],
            seconds=data["seconds"],
            hash_seeds=data["hash_seeds"],
            made_in=data["made_in"],
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on a run.

    Args:
        run_id: Id of the run.
        verdict: The worst verdict of the steps.
        steps: Verdict of each step, in order.
        notes: Further notes: environment differences, missing parts.
        seconds: Total duration, process start included.
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
    def executed(self) -> tuple[StepVerdict, ...]:
        """The steps that were executed again; only these are proved."""
        return tuple(step for step in self.steps if step.how == "executed")

    @property
    def hash_seeds(self) -> tuple[int, int]:
        """Minimum and maximum number of hash seeds that an executed step was tried under."""
        tried = [step.hash_seeds for step in self.executed] or [0]
        return min(tried), max(tried)

    def count(self, how: str) -> int:
        """Return the number of steps that were judged in a way, such as ``"replayed"``."""
        return sum(step.how == how for step in self.steps)

    @property
    def proved(self) -> bool:
        """True if the outputs of every executed step were equal, or within the tolerance."""
        return self.verdict in {Verdict.BITWISE, Verdict.WITHIN_TOLERANCE}

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain JSON."""
        first = self.first_difference
        return {
            "run_id": self.run_id,
            "verdict": self.verdict.value,
            "executed": len(self.executed),
            "replayed": self.count("replayed"),
            "side_effects": self.count("side effect"),
            "hash_seeds": list(self.hash_seeds),
            "steps": [step.to_json() for step in self.steps],
            "first_difference": first.to_json() if first else None,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of several verdicts; a difference outweighs a step that cannot be judged.

    >>> worst([Verdict.BITWISE, Verdict.DIFFERS, Verdict.CANNOT_VERIFY])
    <Verdict.DIFFERS: 'differs'>
    """
    return max(verdicts, key=_WORST.index, default=Verdict.CANNOT_VERIFY)
