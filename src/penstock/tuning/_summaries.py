"""StudySummary: a study without its trials, for lists; a finished study has its counts recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.core import RunRecord, RunState
from penstock.stores import Store, open_store
from penstock.tuning._spec import StudySpec
from penstock.tuning._study import REFIT_TAG, Study, read_study
from penstock.tuning._trial import STUDY_TAG, TrialState

_COUNT = "trials_"
_BEST = "best_"
_FRONT = "front_size"


@dataclass(frozen=True)
class StudySummary:
    """A study without its trials.

    Args:
        run: Record of the study's run.
        spec: What is searched and how.
        trial_counts: Number of trials by state.
        front_size: Number of best trials: those of the Pareto front, or one.
        best_values: Value of each objective in the best trial; empty with several objectives, and
            if no trial has values and keeps the constraints.
        refit_id: Id of the run that fitted the best trial again; or None.
    """

    run: RunRecord
    spec: StudySpec
    trial_counts: Mapping[str, int]
    front_size: int
    best_values: tuple[float, ...]
    refit_id: str | None = None

    @property
    def study_id(self) -> str:
        """Id of the study: the id of its run."""
        return self.run.run_id

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.spec.name

    @property
    def state(self) -> str:
        """State of the study's run: running, finished, failed or killed."""
        return self.run.state.value

    @property
    def trial_count(self) -> int:
        """Number of trials."""
        return sum(self.trial_counts.values())

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        return {
            "study_id": self.study_id,
            "name": self.name,
            "state": self.state,
            "error": self.run.error,
            "started_at": self.run.started_at.isoformat() if self.run.started_at else None,
            "objectives": [[each.metric, each.direction] for each in self.spec.objectives],
            "trial_counts": dict(self.trial_counts),
            "front_size": self.front_size,
            "best_values": list(self.best_values),
            "refit_run_id": self.refit_id,
        }


def list_studies(*, limit: int = 50, store: Store | str | None = None) -> list[StudySummary]:
    """List studies without their trials, newest first; `get_study` reads a study with its trials.

    The trials of studies that have finished are not read: their counts are recorded.

    Args:
        limit: Page size.
        store: A store or a store URL; by default the project's.
    """
    opened = open_store(store)
    opened.flush()
    opened.metadata.runs.kill_dead()
    runs = opened.metadata.runs.search(f"tags.\"{STUDY_TAG}\" != ''", limit=limit)
    refits = _refits(opened) if runs else {}
    return [_summarize(opened, run, refits.get(run.run_id)) for run in runs]


def figures_of(study: Study) -> dict[str, float]:
    """Return the figures of a study by which it is listed, as metrics of its run."""
    counts = {state.value: 0 for state in TrialState}
    for trial in study.trials:
        counts[trial.state.value] += 1
    figures = {f"{_COUNT}{state}": float(count) for state, count in counts.items()}
    front = study.pareto_front
    if front and not study.spec.is_multi:
        names = [f"{_BEST}{each.metric}" for each in study.spec.objectives]
        figures |= dict(zip(names, front[0].values, strict=True))
    return {**figures, _FRONT: float(len(front))}


def _summarize(store: Store, run: RunRecord, refit: str | None) -> StudySummary:
    spec = StudySpec.from_json(run.params["study"])
    figures = {name: each.last for name, each in run.metrics.items()}
    # Only the end of a study records its figures: a resumed one has more trials than they say.
    if run.state is not RunState.FINISHED or _FRONT not in figures:
        figures = figures_of(read_study(store, run))
    counts = {state.value: int(figures.get(f"{_COUNT}{state.value}", 0)) for state in TrialState}
    best = [figures.get(f"{_BEST}{each.metric}") for each in spec.objectives]
    values = tuple(float(value) for value in best if value is not None)
    return StudySummary(run, spec, counts, int(figures[_FRONT]), values, refit)


def _refits(store: Store) -> dict[str, str]:
    """Return by study the newest run that fitted the best trial again."""
    runs = store.metadata.runs.search(f"tags.\"{REFIT_TAG}\" != ''", limit=1_000)
    return {run.tags[REFIT_TAG]: run.run_id for run in reversed(runs)}
