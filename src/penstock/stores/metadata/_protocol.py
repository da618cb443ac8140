"""MetadataStore: what every back end must do; one contract suite (penstock.testing) proves it."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from penstock.core import (
    AlertRecord,
    ApprovalRecord,
    ArtifactRecord,
    DecisionRecord,
    DeploymentEvent,
    DeploymentRecord,
    Edge,
    EventRecord,
    EventState,
    ExperimentRecord,
    GateResult,
    HookRecord,
    LogLine,
    MetricColumns,
    MetricPoint,
    ModelRecord,
    ModelVersionRecord,
    PredictionRecord,
    ProofRecord,
    ReportRecord,
    RunRecord,
    ScheduleRecord,
    SnapshotRecord,
    Stage,
    StageEvent,
    StepRunRecord,
    TickRecord,
    TickState,
)


class MetadataStore(Protocol):
    """Facts about runs, models, deployments and predictions.

    Threads: every method may be called from any thread of a process. Processes: any number may
    work on one store at once; a method waits for a lock instead of failing. Each method is one
    transaction: it happens whole or not at all. Records are immutable; times are aware UTC.
    Lookups of something that does not exist raise NotFoundError with did-you-mean. Run ids may be
    given as a unique prefix, or as ``last`` for the newest run.
    """

    # Runs
    def create_run(self, run: RunRecord) -> None: ...
    def get_run(self, run_id: str) -> RunRecord: ...
    def update_run(
        self, run_id: str, *, only_attempt: int | None = None, **changes: Any
    ) -> RunRecord:
        """Change fields of a run by name; a state change must be in RUN_MOVES (ConflictError).

        With ``only_attempt`` a run that was resumed meanwhile is a ConflictError. A resume gives
        the next attempt; of two at once the second is a ConflictError. The end of a run that is
        presumed killed counts. No run ends before it began.
        """
        ...

    def beat(self, run_id: str, at: datetime, *, attempt: int | None = None) -> bool:
        """Note a sign of life, which revives a run that was presumed killed.

        Returns:
            Whether the run is still this attempt's; else nothing happens.
        """
        ...

    def kill_dead_runs(self) -> list[str]:
        """Presume running runs killed whose process is gone or silent, their steps too; ids."""
        ...

    def note_missed(self, run_id: str, sentences: Sequence[str]) -> None:
        """Note what was logged of a run and could not be recorded; of a run that is gone nothing."""
        ...

    def search_runs(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        offset: int = 0,
        after: str | None = None,
        experiment: str | None = None,
    ) -> list[RunRecord]:
        """Runs that meet a filter (see penstock.stores.metadata._query), a page of them.

        ``after`` is the run that the page before ended with. Archived and deleted runs are found
        only by a filter that names ``archived_at`` or ``deleted_at``.
        """
        ...

    def count_runs(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        experiment: str | None = None,
        most: int | None = None,
    ) -> int:
        """How many runs meet a filter; with ``most`` counting stops there."""
        ...

    def list_experiments(self) -> list[str]: ...
    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Add parameters; giving another value to an existing one is a ConflictError."""
        ...

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None: ...
    def delete_tags(self, run_id: str, names: Sequence[str]) -> None: ...

    # Metrics
    def log_metrics(self, run_id: str, points: Sequence[MetricPoint]) -> None: ...
    def append_metrics(
        self, columns: Sequence[MetricColumns], *, journal: str | None = None, position: int = 0
    ) -> None:
        """Add points with their summaries; of a run that is gone nothing is kept.

        With ``journal`` they are a part of that journal, up to ``position``: the position is
        written with them, and what is not behind the position written before is left out whole.
        """
        ...

    def journal_position(self, journal: str) -> int:
        """How far a journal is in the store; -1 if nothing of it is."""
        ...

    def forget_journal(self, journal: str) -> None:
        """Remove the position of a journal that does not exist any more."""
        ...

    def merge_metrics(self, run_id: str) -> None:
        """Write the small chunks of a run's points as few large ones."""
        ...

    def metric_history(self, run_id: str, key: str, *, most: int | None = None) -> MetricColumns:
        """Points in order of step, then time, then arrival; empty if there are none.

        With ``most`` at most so many, the lowest and the highest of each stretch among them; their
        times may be 0 then.
        """
        ...

    def copy_metrics(
        self,
        source: str,
        target: str,
        *,
        keys: Sequence[str] | None = None,
        until_step: float = math.inf,
        between: tuple[int, int] = ...,
    ) -> int:
        """Give a run the points that another has; says how many.

        Of these keys only, up to a step, logged between two times (microseconds since 1970).
        """
        ...

    # Experiments and models: made with their first run and version
    def search_experiments(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ExperimentRecord]: ...
    def update_experiment(self, name: str, **changes: Any) -> None:
        """Change note, archived_at or deleted_at."""
        ...

    def set_experiment_tags(self, name: str, tags: Mapping[str, str]) -> None: ...
    def search_models(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "model",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ModelRecord]: ...
    def update_model(self, model: str, **changes: Any) -> None:
        """Change the note."""
        ...

    def set_model_tags(self, model: str, tags: Mapping[str, str]) -> None: ...
    def search_versions(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        offset: int = 0,
    ) -> list[ModelVersionRecord]: ...
    def set_version_tags(self, model: str, version: int, tags: Mapping[str, str]) -> None: ...

    # Steps
    def start_step(self, step: StepRunRecord) -> None: ...
    def finish_step(
        self,
        step: StepRunRecord,
        *,
        outputs: Sequence[ArtifactRecord] = (),
        edges: Iterable[Edge] = (),
        logs: Sequence[LogLine] = (),
        next_step: StepRunRecord | None = None,
    ) -> None:
        """Record a step's end with its artifacts, edges and log; start the next in the same commit.

        A step that was never started (cached, skipped) is inserted.
        """
        ...

    def list_steps(self, run_id: str) -> list[StepRunRecord]:
        """Latest state of each step of the run, by position."""
        ...

    def find_cached_step(
        self, key: str, holds: Callable[[StepRunRecord], bool] | None = None
    ) -> StepRunRecord | None:
        """The newest finished step run with this key whose outputs are all still recorded.

        With ``holds``, the newest of which that says True; some of the newest are tried. The
        outputs are renewed, see renew_artifacts.
        """
        ...

    def add_decision(self, decision: DecisionRecord) -> None:
        """Record that someone let a step go on, or not; the latest counts."""
        ...

    def list_decisions(self, run_id: str) -> list[DecisionRecord]:
        """The decisions about steps of a run, oldest first."""
        ...

    def take_lease(self, name: str, holder: str, until: datetime, *, most: int = 1) -> bool:
        """Take one of so many leases of a name, or prolong one's own; False if all are taken.

        A lease that has run out is free. Any number of processes may ask at once.
        """
        ...

    def list_holders(self, name: str) -> list[str]:
        """Who holds a lease of a name."""
        ...

    def drop_lease(self, name: str, holder: str) -> None:
        """Give a lease back; nothing happens if it is not held."""
        ...

    def add_logs(self, run_id: str, lines: Sequence[LogLine]) -> None:
        """Add what a tracked run printed; it is listed by the run's id."""
        ...

    def list_logs(self, step_run_id: str) -> list[LogLine]:
        """What a step wrote, or a tracked run."""
        ...

    # Artifacts and lineage
    def add_artifacts(self, artifacts: Sequence[ArtifactRecord]) -> None: ...
    def renew_artifacts(self, digests: Collection[str]) -> bool:
        """Count artifacts as stored now, so that gc leaves them; says whether all are recorded.

        For who relies on what is there without storing it again. Stored or content digests.
        """
        ...

    def get_artifact(self, digest: str, content_digest: str | None = None) -> ArtifactRecord:
        """By stored digest, else by content digest.

        Other values can have equal bytes (b"1" and 1): with ``content_digest`` it is that one.
        """
        ...

    def log_artifact(self, run_id: str, name: str, artifact: ArtifactRecord) -> None: ...
    def log_artifacts(
        self,
        run_id: str,
        artifacts: Mapping[str, ArtifactRecord],
        *,
        parts: Sequence[ArtifactRecord] = (),
        edges: Iterable[Edge] = (),
    ) -> None:
        """Log several by name, with the parts of bundles and the lineage, in one transaction."""
        ...

    def drop_artifacts(self, run_id: str, names: Collection[str]) -> None:
        """Forget what a run kept under names; gc removes the bytes if nobody else names them."""
        ...

    def list_artifacts(self, run_id: str) -> dict[str, ArtifactRecord]: ...
    def add_edges(self, edges: Iterable[Edge]) -> None: ...
    def list_edges(self, node: str, *, direction: str, depth: int = 100) -> list[Edge]:
        """Arrows reachable from a node: ``direction`` is ``up`` (what made it) or ``down``."""
        ...

    def add_snapshot(self, snapshot: SnapshotRecord) -> None: ...
    def last_snapshot(self, source: str) -> SnapshotRecord | None: ...

    # Schedules
    def save_schedule(self, schedule: ScheduleRecord) -> None:
        """Insert or replace by name."""
        ...

    def get_schedule(self, name: str) -> ScheduleRecord: ...
    def list_schedules(self) -> list[ScheduleRecord]: ...
    def delete_schedule(self, name: str) -> None:
        """Remove a schedule with its ticks; the runs that they led to stay."""
        ...

    def advance_schedule(
        self, name: str, *, expected_revision: int, ticks: Sequence[TickRecord] = (), **changes: Any
    ) -> bool:
        """Change fields of a schedule and add what is due, together, unless its revision moved.

        A tick whose key is there already is left as it is.
        """
        ...

    def add_tick(self, tick: TickRecord) -> bool:
        """Add a tick; False if its key is there already."""
        ...

    def list_ticks(
        self,
        schedule: str | None = None,
        *,
        states: Collection[TickState] | None = None,
        limit: int = 100,
    ) -> list[TickRecord]:
        """Latest due first."""
        ...

    def claim_tick(
        self, tick: TickRecord, *, holder: str, until: datetime, run_id: str, at_most: int
    ) -> TickRecord | None:
        """Begin to work on a tick that is queued, or whose holder is silent; None if that is not so.

        Nor is it given if ``at_most`` others of its schedule are worked on. ``run_id`` becomes its
        run's id unless it has one.
        """
        ...

    def update_tick(self, tick: TickRecord, *, held_by: str | None, **changes: Any) -> bool:
        """Change fields of a tick, if this is its holder; says whether it was."""
        ...

    # Hooks: whom to tell, and what they have not been told yet
    def save_hook(self, hook: HookRecord) -> None:
        """Insert or replace by name; what was delivered is kept."""
        ...

    def get_hook(self, name: str) -> HookRecord: ...
    def list_hooks(self) -> list[HookRecord]: ...
    def delete_hook(self, name: str) -> None:
        """Remove a hook with what it has not been told."""
        ...

    def list_events(
        self,
        hook: str,
        *,
        state: EventState = EventState.PENDING,
        due: datetime | None = None,
        limit: int = 100,
    ) -> list[EventRecord]:
        """What a hook has not been told, oldest first; with ``due`` what is to be tried by then.

        Events are written by the methods that change the state of runs and steps, with it.
        """
        ...

    def count_events(self) -> dict[str, dict[str, int]]:
        """``{hook: {state: number}}``."""
        ...

    def drop_events(self, hook: str, event_ids: Sequence[str], *, delivered: bool) -> None:
        """Remove events: they arrived, or nobody wants them any more."""
        ...

    def update_event(self, event_id: str, **changes: Any) -> None:
        """Change fields of an event; an error is told of its hook too."""
        ...

    # Proofs
    def add_proof(self, proof: ProofRecord) -> None: ...
    def list_proofs(self, run_id: str) -> list[ProofRecord]: ...

    # Registry
    def create_model_version(
        self, version: ModelVersionRecord, *, actor: str
    ) -> ModelVersionRecord:
        """Give the next number (``version.version`` is ignored) and insert.

        The same content digest under the same model and run gives the existing version back.
        """
        ...

    def get_model_version(self, model: str, version: int) -> ModelVersionRecord: ...
    def list_models(self) -> list[str]: ...
    def list_model_versions(self, model: str) -> list[ModelVersionRecord]: ...
    def update_model_version(
        self,
        model: str,
        version: int,
        *,
        expected_revision: int,
        actor: str | None = None,
        **changes: Any,
    ) -> ModelVersionRecord:
        """Change gates, card or note; ConflictError if the revision moved.

        Gates that answer otherwise than before leave an event in the history. A declared gate
        that is missing from the new ones is a ParameterError: gates are never erased.
        """
        ...

    def move_stages(
        self,
        moves: Sequence[StageEvent],
        *,
        expected: Mapping[int, int],
        gates: Mapping[int, Sequence[GateResult]] | None = None,
        approvals: Sequence[ApprovalRecord] = (),
        deployments: Sequence[tuple[DeploymentRecord, DeploymentEvent]] = (),
    ) -> None:
        """Make all moves in one transaction, with their events and what goes with them.

        ``gates`` are a moved version's answers of this moment, ``approvals`` those given with the
        move, ``deployments`` the next generations of deployments that the move takes effect on.

        ``expected`` is the revision by version that the caller saw. A move not in STAGE_MOVES, a
        stale revision or a second production version is a ConflictError and nothing happens.
        """
        ...

    def list_stage_events(self, model: str) -> list[StageEvent]: ...
    def version_at(self, model: str, stage: Stage, at: datetime) -> int | None:
        """Which version was in a stage at a time."""
        ...

    def add_approval(self, approval: ApprovalRecord) -> None: ...
    def list_approvals(self, model: str, version: int) -> list[ApprovalRecord]: ...
    def change_counter(self) -> int:
        """A number that moves whenever a model or deployment changes; cheap to poll."""
        ...

    # Deployments
    def save_deployment(
        self,
        deployment: DeploymentRecord,
        *,
        expected_generation: int | None,
        event: DeploymentEvent | None = None,
    ) -> DeploymentRecord:
        """Insert (expected None) or replace; gives it back with its new generation."""
        ...

    def get_deployment(self, name: str) -> DeploymentRecord: ...
    def list_deployments(self) -> list[DeploymentRecord]: ...
    def add_deployment_event(self, event: DeploymentEvent) -> None: ...
    def list_deployment_events(self, name: str, *, limit: int = 200) -> list[DeploymentEvent]: ...

    # Predictions and their truth
    def add_predictions(self, predictions: Sequence[PredictionRecord]) -> None: ...
    def get_prediction(self, prediction_id: str) -> PredictionRecord: ...
    def get_predictions(self, prediction_ids: Sequence[str]) -> dict[str, PredictionRecord]:
        """By id; those that are not known are left out."""
        ...

    def add_truth(self, truth: Mapping[str, Any], at: datetime) -> list[str]:
        """Set the true value by prediction id; gives back the ids that are not known."""
        ...

    def list_predictions(
        self,
        deployment: str,
        *,
        version: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        with_truth: bool = False,
        limit: int | None = None,
    ) -> list[PredictionRecord]:
        """In order of time; with ``limit`` the newest ones."""
        ...

    def count_predictions(
        self, deployment: str, *, since: datetime | None = None
    ) -> dict[int, dict[str, int]]:
        """``{version: {"requests", "rows", "errors", "truth"}}``: a batch is one request."""
        ...

    # Monitoring
    def add_report(self, report: ReportRecord) -> None: ...
    def list_reports(self, deployment: str, *, limit: int = 50) -> list[ReportRecord]: ...
    def save_alert(self, alert: AlertRecord) -> None:
        """Insert or replace by alert id."""
        ...

    def list_alerts(
        self, deployment: str | None = None, *, open_only: bool = False
    ) -> list[AlertRecord]: ...

    # Settings of the store itself
    def get_setting(self, name: str) -> str | None: ...
    def add_setting(self, name: str, value: str) -> str:
        """Set it unless it is set; gives what it is."""
        ...

    def set_setting(self, name: str, value: str, *, actor: str | None = None) -> None:
        """Write a setting; a change of one that promotions depend on stands in STORE_HISTORY."""
        ...

    def close(self) -> None: ...
