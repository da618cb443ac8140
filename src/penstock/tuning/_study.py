"""Study: a search with its trials, read from the store; and the studies of a store."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.core import NotFoundError, RunRecord, did_you_mean
from penstock.stores import Store, open_store
from penstock.tuning._importance import Importance, measure_importance
from penstock.tuning._spec import StudySpec
from penstock.tuning._trial import STUDY_TAG, TRIAL_TAG, Trial, TrialState, read_trial

if TYPE_CHECKING:
    import polars as pl

_PAGE = 1_000
REFIT_TAG = "penstock.refit"
"""Tag of the run that fitted a study's best trial again, with the study's id."""


@dataclass(frozen=True, eq=False)
class Study:
    """A hyperparameter search and its trials, as recorded when it was read.

    Args:
        run: Record of the study's run.
        spec: What is searched and how.
        trials: All trials, by number.
        refit_id: Id of the run that fitted the best trial again; or None.
        model_version: ``model@version`` that this run registered; or None.
    """

    run: RunRecord
    spec: StudySpec
    trials: tuple[Trial, ...]
    refit_id: str | None = None
    model_version: str | None = None

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

    @cached_property
    def complete(self) -> tuple[Trial, ...]:
        """Trials that have values."""
        return tuple(t for t in self.trials if t.state is TrialState.COMPLETE)

    @cached_property
    def pareto_front(self) -> tuple[Trial, ...]:
        """Feasible trials that no other is at least as good as in all objectives and better in one."""
        feasible = [trial for trial in self.complete if trial.is_feasible]
        return tuple(t for t in feasible if not any(self._dominates(o, t) for o in feasible))

    @cached_property
    def best_trial(self) -> Trial:
        """The best trial that keeps the constraints; the first of equal ones.

        Raises:
            NotFoundError: If no trial has values and keeps the constraints, or the study has
                several objectives.
        """
        if self.spec.is_multi:
            names = " and ".join(each.metric for each in self.spec.objectives)
            raise NotFoundError(
                what=f"Study {self.name!r} has no best trial: it weighs {names}.",
                why="Each trial of the Pareto front is best at a different price.",
                fix="Choose one of study.pareto_front.",
            )
        if not self.pareto_front:
            raise NotFoundError(
                what=f"Study {self.name!r} has no best trial: {_count_text(self.trials)}.",
                why="Only a trial that is complete and keeps the constraints can be the best.",
                fix=f"See the causes with: penstock studies show {self.study_id}",
            )
        return self.pareto_front[0]

    @property
    def best_params(self) -> dict[str, Any]:
        """Suggested values of the best trial; see `best_trial`."""
        return dict(self.best_trial.params)

    @property
    def best_value(self) -> float:
        """Value of the best trial; see `best_trial`."""
        return self.best_trial.values[0]

    def importance(self, *, objective: int = 0) -> tuple[Importance, ...]:
        """Measure how much each parameter decides about an objective, by PED-ANOVA.

        Args:
            objective: Position of the objective.

        Returns:
            A share per parameter, largest first; empty with fewer than two different values.
        """
        if objective not in self._importances:
            importances = measure_importance(self.spec, self.complete, objective)
            self._importances[objective] = importances
        return self._importances[objective]

    @cached_property
    def _importances(self) -> dict[int, tuple[Importance, ...]]:
        return {}

    def to_frame(self) -> "pl.DataFrame":
        """Return the trials as a table: number, state, parameters, values, seconds, run."""
        import polars as pl

        metrics = [each.metric for each in self.spec.objectives]
        rows = [
            {
                "number": trial.number,
                "state": trial.state.value,
                **{f"params.{name}": trial.params.get(name) for name in self.spec.space},
                **dict(zip(metrics, trial.values or [None] * len(metrics), strict=True)),
                "seconds": trial.seconds,
                "run_id": trial.run_id,
                "error": trial.error,
            }
            for trial in self.trials
        ]
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)

    def to_json(self) -> dict[str, Any]:
        """Return the study with its trials as plain JSON."""
        return {
            **summary_to_json(self),
            "spec": self.spec.to_json(),
            "trials": [trial.to_json() for trial in self.trials],
        }

    def _dominates(self, one: Trial, other: Trial) -> bool:
        pairs = list(zip(self.spec.objectives, one.values, other.values, strict=True))
        return not any(o.is_better(b, a) for o, a, b in pairs) and (
            any(o.is_better(a, b) for o, a, b in pairs)
            or (one.values == other.values and one.number < other.number)
        )


def summary_to_json(study: Study) -> dict[str, Any]:
    """Return a study without its trials as plain JSON."""
    front = study.pareto_front
    counts = {state.value: 0 for state in TrialState}
    for trial in study.trials:
        counts[trial.state.value] += 1
    return {
        "study_id": study.study_id,
        "name": study.name,
        "state": study.state,
        "error": study.run.error,
        "started_at": study.run.started_at.isoformat() if study.run.started_at else None,
        "objectives": [[each.metric, each.direction] for each in study.spec.objectives],
        "trial_counts": counts,
        "best": [trial.to_json() for trial in front],
        "refit_run_id": study.refit_id,
        "model_version": study.model_version,
    }


def get_study(study: str, *, store: Store | str | None = None) -> Study:
    """Read a study with its trials.

    Args:
        study: Id of the study, a unique prefix of it, its name (the newest of that name), or
            ``last``.
        store: A store or a store URL; by default the project's.

    Raises:
        NotFoundError: If there is no such study.
    """
    opened = open_store(store)
    opened.flush()
    opened.metadata.runs.kill_dead()
    return read_study(opened, find_study(opened, study))


def find_study(store: Store, study: str) -> RunRecord:
    """Return the run of a study; see `get_study`.

    Raises:
        NotFoundError: If there is no such study.
    """
    search = store.metadata.runs.search
    quoted = study.replace("'", "''")
    wanted = f'tags."{STUDY_TAG}" ' + ("!= ''" if study == "last" else f"= '{quoted}'")
    named = search(wanted, limit=1)
    if named:
        return named[0]
    try:
        run = store.metadata.runs.get(study)
    except NotFoundError:
        run = None
    if run is not None and STUDY_TAG in run.tags:
        return run
    names = [each.tags[STUDY_TAG] for each in search(f"tags.\"{STUDY_TAG}\" != ''", limit=100)]
    raise NotFoundError(
        what=f"There is no study {study!r}" + (": it is a run." if run is not None else "."),
        fix=did_you_mean(study, names) or "List the studies with: penstock studies list",
        name=study,
    )


def read_study(store: Store, run: RunRecord) -> Study:
    """Read a study from its run and the runs of its trials."""
    spec = StudySpec.from_json(run.params["study"])
    trials = tuple(read_trial(each, spec) for each in trial_runs(store, run.run_id))
    refits = store.metadata.runs.search(f"tags.\"{REFIT_TAG}\" = '{run.run_id}'", limit=1)
    study = Study(run, spec, trials)
    if not refits:
        return study
    versions = store.metadata.models.search_versions(f"run_id = '{refits[0].run_id}'")
    version = f"{versions[0].model}@{versions[0].version}" if versions else None
    return replace(study, refit_id=refits[0].run_id, model_version=version)


def trial_runs(store: Store, study_id: str) -> list[RunRecord]:
    """List the runs of a study's trials by number, also archived and deleted ones."""
    any_life = "(deleted_at is null or deleted_at is not null or archived_at is null)"
    wanted = f"parent_run_id = '{study_id}' and tags.\"{TRIAL_TAG}\" != '' and {any_life}"
    runs: list[RunRecord] = []
    while True:
        page = store.metadata.runs.search(
            wanted,
            order_by="created_at",
            limit=_PAGE,
            after=runs[-1].run_id if runs else None,
        )
        runs += page
        if len(page) < _PAGE:
            return sorted(runs, key=lambda run: int(run.tags[TRIAL_TAG]))


def _count_text(trials: Sequence[Trial]) -> str:
    counts: dict[str, int] = {}
    for trial in trials:
        state = trial.state.value
        if trial.state is TrialState.COMPLETE and not trial.is_feasible:
            state = "beyond a constraint"
        counts[state] = counts.get(state, 0) + 1
    return ", ".join(f"{n} {state}" for state, n in counts.items()) or "it has no trials"
