"""Trial: a run of a study, as read from the run's record."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from penstock.core import ParameterError, RunRecord, RunState
from penstock.tuning._objectives import values_of
from penstock.tuning._spec import StudySpec

STUDY_TAG = "penstock.study"
"""Tag of a study's run, with the study's name."""
TRIAL_TAG = "penstock.trial"
"""Tag of a trial's run, with the trial's number."""
SUGGESTED_TAG = "penstock.suggested"
"""Tag of a trial's run: the suggested values as JSON."""
TOLD_TAG = "penstock.told"
"""Tag of a trial's run: trials whose values the sampler was told since the trial before."""
PRUNED = "pruned: "
"""Begin of the error line of a run that was pruned."""


class TrialState(StrEnum):
    """State of a trial."""

    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Trial:
    """A run of a study.

    Args:
        number: Number in the study, from 0.
        run_id: Id of the run.
        state: State of the trial.
        params: Suggested value by parameter.
        values: Value of each objective; empty unless the trial is complete.
        constraints: Violation by constraint; 0 or less if it is kept.
        error: Why the trial failed or was pruned; or None.
        told: Numbers of the trials that the sampler was told about since the trial before.
        started_at: Start of the run.
        ended_at: End of the run.
    """

    number: int
    run_id: str
    state: TrialState
    params: Mapping[str, Any]
    values: tuple[float, ...] = ()
    constraints: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    told: tuple[int, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """True if the trial is not to be executed again."""
        return self.state in {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED}

    @property
    def is_feasible(self) -> bool:
        """True if every constraint is kept."""
        return all(violation <= 0 for violation in self.constraints.values())

    @property
    def seconds(self) -> float | None:
        """Duration of the run; None if it has not ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    def to_json(self) -> dict[str, Any]:
        """Return the trial as plain JSON."""
        return {
            "number": self.number,
            "run_id": self.run_id,
            "state": self.state.value,
            "params": dict(self.params),
            "values": list(self.values),
            "constraints": dict(self.constraints),
            "error": self.error,
            "seconds": self.seconds,
        }


def trial_tags(number: int, params: Mapping[str, Any], reported: list[int]) -> dict[str, str]:
    """Return the tags by which a run is a trial."""
    return {
        TRIAL_TAG: str(number),
        SUGGESTED_TAG: json.dumps(dict(params)),
        TOLD_TAG: ",".join(map(str, reported)),
    }


def read_trial(run: RunRecord, spec: StudySpec, figures: Mapping[str, Any] | None = None) -> Trial:
    """Read a trial from the run's record.

    Args:
        run: The run.
        spec: The study.
        figures: Figures that the run returned instead of logging them, by name.
    """
    recorded = run.tags.get(TOLD_TAG, "")
    state, error = _state(run)
    values: tuple[float, ...] = ()
    constraints: dict[str, float] = {}
    if state is TrialState.COMPLETE:
        try:
            objectives = values_of({**run.metrics, **(figures or {})}, spec.metrics)
        except ParameterError as missing:
            state, error = TrialState.FAILED, missing.what
        else:
            values = tuple(objectives[each.metric] for each in spec.objectives)
            constraints = {str(c): c.violation(objectives[c.metric]) for c in spec.constraints}
            lost = [o.metric for o, v in zip(spec.objectives, values, strict=True) if v != v]  # noqa: PLR0124 - NaN
            if lost:
                state, error, values = TrialState.FAILED, f"{lost[0]} is not a number", ()
    return Trial(
        number=int(run.tags[TRIAL_TAG]),
        run_id=run.run_id,
        state=state,
        params=json.loads(run.tags[SUGGESTED_TAG]),
        values=values,
        constraints=constraints,
        error=error,
        told=tuple(int(each) for each in recorded.split(",") if each),
        started_at=run.started_at,
        ended_at=run.ended_at,
    )


def _state(run: RunRecord) -> tuple[TrialState, str | None]:
    if run.state is RunState.FINISHED:
        return TrialState.COMPLETE, None
    if run.state is RunState.FAILED:
        return TrialState.FAILED, run.error
    if run.state is RunState.KILLED:
        text = run.error or ""
        if text.startswith(PRUNED):
            return TrialState.PRUNED, text.removeprefix(PRUNED)
        return TrialState.INTERRUPTED, run.error
    if run.state is RunState.QUEUED:
        return TrialState.INTERRUPTED, run.error
    return TrialState.RUNNING, None
