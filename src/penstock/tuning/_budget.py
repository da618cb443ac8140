"""Budget: when a study ends: a number of trials, minutes, trials without an improvement."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.core import ParameterError, require_number
from penstock.tuning._objectives import Objective
from penstock.tuning._trial import Trial, TrialState

FIRST_FAILURES = 5
"""A study ends if so many trials have ended and all of them have failed."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When a study ends; whichever comes first.

    Args:
        trials: Number of trials, with those of earlier attempts; None for no limit.
        minutes: Minutes from now; None for no limit. Running trials are finished.
        patience: Number of trials that may end in sequence without an improvement; None for no
            limit.
        is_finite: Whether the search ends without a limit, as a grid does after its last point.

    Raises:
        ParameterError: If there is no limit at all and the search is not finite, or a limit is below 1.
    """

    trials: int | None = None
    minutes: float | None = None
    patience: int | None = None
    is_finite: bool = False
    _began: float = field(default_factory=time.monotonic, compare=False)

    def __post_init__(self) -> None:
        limits = (self.trials, self.minutes, self.patience)
        if limits == (None, None, None) and not self.is_finite:
            raise ParameterError(
                what="The study has no end.",
                why="A search goes on until its budget is used.",
                fix="Give trials=100 (--trials), minutes=30 (--minutes) or patience=20.",
            )
        if self.trials is not None:
            require_number("trials", self.trials, low=1, whole=True)
        if self.minutes is not None:
            require_number("minutes", self.minutes, low=0)
        if self.patience is not None:
            require_number("patience", self.patience, low=1, whole=True)

    def allows(
        self, proposed: int, ended: Sequence[Trial], objectives: Sequence[Objective]
    ) -> bool:
        """Return whether a further trial may start.

        Args:
            proposed: Number of trials so far.
            ended: Trials that have ended, in the order of their ends.
            objectives: Objectives of the study.
        """
        if self.trials is not None and proposed >= self.trials:
            return False
        if self.minutes is not None and time.monotonic() - self._began > self.minutes * 60:
            return False
        return self.patience is None or trials_since_better(ended, objectives) < self.patience


def trials_since_better(ended: Sequence[Trial], objectives: Sequence[Objective]) -> int:
    """Count the trials that have ended since the last improvement.

    With several objectives a trial improves if no earlier one is as good in all of them.

    Args:
        ended: Trials that have ended, in the order of their ends.
        objectives: Objectives of the study.
    """
    best: list[Trial] = []
    count = 0
    for trial in ended:
        count += 1
        if trial.state is not TrialState.COMPLETE or not trial.is_feasible:
            continue
        if not any(_as_good(other, trial, objectives) for other in best):
            best = [other for other in best if not _as_good(trial, other, objectives)] + [trial]
            count = 0
    return count


def _as_good(one: Trial, other: Trial, objectives: Sequence[Objective]) -> bool:
    pairs = zip(objectives, one.values, other.values, strict=True)
    return not any(objective.is_better(b, a) for objective, a, b in pairs)
