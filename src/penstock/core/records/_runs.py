"""Runs and the experiments that group them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import RunState
from penstock.core.records._empty import empty
from penstock.core.records._metrics import MetricSummary
from penstock.core.records._steps import StoredArgument


@dataclass(frozen=True, slots=True)
class RunRecord:
    """An execution of a pipeline or of a tracked script.

    Args:
        run_id: Sortable unique id.
        name: Name for people.
        experiment: Experiment of the run.
        pipeline: Name of the pipeline; None for a tracked script or notebook.
        entry: Entry point, ``file.py:function``, relative to the project; or None.
        state: See RunState.
        seed: The run seed that all step seeds derive from.
        attempt: 1, plus 1 for each resume.
        parent_run_id: The outer run of a nested run.
        created_at: Time of creation; UTC as all times.
        started_at: Time of the start.
        ended_at: Time of the end.
        heartbeat_at: Last sign of life.
        host: Machine of the run.
        pid: Process of the run; with ``pid_started`` unique on the host.
        pid_started: Start time of that process, seconds since 1970.
        user: Actor that started the run.
        error: A line about the failure.
        params: Values as passed and as logged, JSON-like.
        tags: Free labels.
        metrics: Summary by key.
        provenance: Digest of the artifact with the run's Manifest (code, environment, hardware); or
            None.
        graph: The pipeline's spec as plain JSON; or None.
        note: Markdown by the user.
        group: Name of a group of runs, such as the folds of a cross-validation; or empty.
        forked_from: The run whose points up to a step were copied at the start; or None.
        forked_at: That step.
        archived_at: Time of archiving; None if not archived.
        deleted_at: Time of deletion; a deleted run can be restored until ``penstock gc`` removes
            the run.
        process: Boot and process namespace of the host, and start and last beat of the process in
            that boot; compared on the same machine only. ``unwatched`` for a run that no process beats for,
            which is never presumed killed.
        presumed_at: Time at which the run was presumed killed for lack of a sign of life; a later
            sign revives the run.
        missed: Sentences on logged data that could not be recorded.
    """

    run_id: str
    name: str
    experiment: str
    pipeline: str | None
    entry: str | None
    state: RunState
    seed: int
    created_at: datetime
    attempt: int = 1
    parent_run_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    heartbeat_at: datetime | None = None
    host: str = ""
    pid: int = 0
    pid_started: float = 0.0
    user: str = ""
    error: str | None = None
    params: Mapping[str, Any] = field(default_factory=empty)
    tags: Mapping[str, str] = field(default_factory=empty)
    metrics: Mapping[str, MetricSummary] = field(default_factory=empty)
    provenance: str | None = None
    graph: Mapping[str, Any] | None = None
    note: str = ""
    group: str = ""
    forked_from: str | None = None
    forked_at: float | None = None
    archived_at: datetime | None = None
    deleted_at: datetime | None = None
    process: str = ""
    presumed_at: datetime | None = None
    missed: tuple[str, ...] = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the pipeline: the parameters without those logged by steps.

        An argument whose plain value says too little (a Timestamp, a dict by numbers) is a
        StoredArgument.
        """
        graph = self.graph or {}
        own, exact = graph.get("parameters", self.params), graph.get("arguments", {})
        return {
            name: StoredArgument(exact[name]) if name in exact else value
            for name, value in self.params.items()
            if name in own
        }


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """A named group of runs; created with the first run.

    Args:
        name: Name of the experiment.
        created_at: Time of the first run's creation.
        note: Markdown by the user.
        tags: Free labels.
        runs: Number of runs, without deleted runs.
        last_run_at: Creation time of the newest run.
        archived_at: Time of archiving.
        deleted_at: Time of deletion.
    """

    name: str
    created_at: datetime
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=empty)
    runs: int = 0
    last_run_at: datetime | None = None
    archived_at: datetime | None = None
    deleted_at: datetime | None = None
