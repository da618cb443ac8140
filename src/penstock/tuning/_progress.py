"""Progress of a study as lines: a line for each trial, with the best so far."""

import sys
from collections.abc import Sequence
from typing import TextIO

from penstock.tuning._spec import StudySpec
from penstock.tuning._trial import Trial, TrialState


class StudyLines:
    """Writer of a line for each trial that has ended.

    Args:
        spec: The study.
        stream: Where the lines go; None for standard error.
    """

    def __init__(self, spec: StudySpec, stream: TextIO | None = None) -> None:
        self._spec, self._stream = spec, stream
        self._best: Trial | None = None

    def begin(self, ended: Sequence[Trial]) -> None:
        """Take note of trials of an earlier attempt, whose lines are not written again."""
        for trial in ended:
            self.line(trial)

    def __call__(self, trial: Trial) -> None:
        """Write the line of a trial."""
        stream = self._stream or sys.stderr
        print(self.line(trial), file=stream, flush=True)

    def interrupted(self, study: str, trials: int | None) -> None:
        """Write how an interrupted study is resumed.

        Args:
            study: Id of the study.
            trials: The limit that it had; None if it had another one.
        """
        limit = "" if trials is None else f" --trials {trials}"
        line = f"Resume with:  penstock tune --resume {study}{limit}"
        print(line, file=self._stream or sys.stderr, flush=True)

    def line(self, trial: Trial) -> str:
        """Return the line of a trial: number, values or cause, parameters, best so far."""
        params = " ".join(f"{name}={_short(value)}" for name, value in trial.params.items())
        if trial.state is not TrialState.COMPLETE:
            cause = (trial.error or trial.state.value).partition("\n")[0][:120]
            return f"trial {trial.number}  {trial.state.value}: {cause}  ({params})"
        values = " ".join(
            f"{each.metric} {value:.6g}"
            for each, value in zip(self._spec.objectives, trial.values, strict=True)
        )
        return f"trial {trial.number}  {values}  ({params}){self._mark(trial)}"

    def _mark(self, trial: Trial) -> str:
        if not trial.is_feasible:
            return "  beyond a constraint"
        if self._spec.is_multi:
            return ""
        objective, best = self._spec.objectives[0], self._best
        if best is None or objective.is_better(trial.values[0], best.values[0]):
            self._best = trial
            return "  best so far"
        return f"  best {best.values[0]:.6g} (trial {best.number})"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
