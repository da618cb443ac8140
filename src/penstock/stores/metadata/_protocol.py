"""MetadataStore: the protocol of every back end; a contract suite (penstock.testing) checks every back end."""

from typing import Protocol

from penstock.stores.metadata._database import Database
from penstock.stores.metadata.protocols import (
    ArtifactIndex,
    AuditStore,
    DeploymentStore,
    DocumentStore,
    HookStore,
    MetricStore,
    ModelStore,
    PredictionStore,
    ProjectStore,
    RunStore,
    ScheduleStore,
    SettingStore,
    StepStore,
    TokenStore,
    UserStore,
)


class MetadataStore(Protocol):
    """Facts by noun: ``store.metadata.runs.get(run_id)``.

    Threads: every method may be called from any thread of a process. Processes: any number may work
        on a store at once; a method waits for a lock instead of failing. Each method is a
        transaction: all happens, or nothing. Records are immutable; times are aware UTC.
        Lookups of a name that does not exist raise NotFoundError with did-you-mean. Run ids may be
        passed as a unique prefix, or as ``last`` for the newest run.
    """

    @property
    def runs(self) -> RunStore:
        """Runs with their parameters, tags and experiments."""
        ...

    @property
    def metrics(self) -> MetricStore:
        """Metric points of runs, and the stored position of each journal."""
        ...

    @property
    def steps(self) -> StepStore:
        """Step runs with their logs, approvals and rejections, and leases on limited resources."""
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
    def documents(self) -> DocumentStore:
        """Documents of foreign protocols, with named files."""
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
        """Webhooks and their undelivered events."""
        ...

    @property
    def users(self) -> UserStore:
        """Users, and their roles in projects."""
        ...

    @property
    def tokens(self) -> TokenStore:
        """Tokens of programs, sessions of browsers, failed sign-ins."""
        ...

    @property
    def projects(self) -> ProjectStore:
        """Projects: the parts of the store that teams work in."""
        ...

    @property
    def audit(self) -> AuditStore:
        """The audit trail: actor, change and time."""
        ...

    @property
    def settings(self) -> SettingStore:
        """Settings of the store itself, and the counter of changes."""
        ...

    @property
    def database(self) -> Database:
        """Transactions on the tables of all nouns, for upkeep: copy, backup, check, clean.

        The tables are the same in every back end; everything else asks by noun.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
