"""MetadataStore: what every back end must do; one contract suite (penstock.testing) proves it."""

from typing import Protocol

from penstock.stores.metadata.protocols import (
    ArtifactIndex,
    DeploymentStore,
    HookStore,
    MetricStore,
    ModelStore,
    PredictionStore,
    RunStore,
    ScheduleStore,
    SettingStore,
    StepStore,
)


class MetadataStore(Protocol):
    """Facts by noun: ``store.metadata.runs.get(run_id)``.

    Threads: every method may be called from any thread of a process. Processes: any number may
    work on one store at once; a method waits for a lock instead of failing. Each method is one
    transaction: it happens whole or not at all. Records are immutable; times are aware UTC.
    Lookups of something that does not exist raise NotFoundError with did-you-mean. Run ids may be
    given as a unique prefix, or as ``last`` for the newest run.
    """

    @property
    def runs(self) -> RunStore:
        """Runs with their parameters, tags and experiments."""
        ...

    @property
    def metrics(self) -> MetricStore:
        """Metric points of runs, and how far each journal was taken in."""
        ...

    @property
    def steps(self) -> StepStore:
        """Step runs with their logs, decisions about them, and leases on what few may use."""
        ...

    @property
    def artifacts(self) -> ArtifactIndex:
        """Artifacts of runs, lineage, snapshots of sources, and proofs."""
        ...

    @property
    def models(self) -> ModelStore:
        """Models, their versions, stages, approvals and audited history."""
        ...

    @property
    def deployments(self) -> DeploymentStore:
        """Deployments with their events, drift reports and alerts."""
        ...

    @property
    def predictions(self) -> PredictionStore:
        """Logged predictions and their ground truth."""
        ...

    @property
    def schedules(self) -> ScheduleStore:
        """Schedules and their ticks."""
        ...

    @property
    def hooks(self) -> HookStore:
        """Hooks, and the events that are to be delivered to them."""
        ...

    @property
    def settings(self) -> SettingStore:
        """Settings of the store itself, and the counter of its changes."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
