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
    """One execution of a pipeline or of a tracked script.

    Args:
        run_id: Sortable unique id.
        name: What people call it.
        experiment: The group of runs that it belongs to.
        pipeline: Name of the pipeline; None for a tracked script or notebook.
        entry: Where it was started from, ``file.py:function``, relative to the project; or None.
        state: See RunState.
        seed: The run seed that all step seeds derive from.
        attempt: 1, and one more for each resume.
        parent_run_id: The run that this one is nested in.
        created_at: When it was made; UTC as all times.
        started_at: When it began to run.
        ended_at: When it ended.
        heartbeat_at: Last sign of life.
        host: Machine that runs it.
        pid: Process that runs it; with ``pid_started`` unique on the host.
        pid_started: Start time of that process, seconds since 1970.
        user: Who started it.
        error: One line about what failed.
        params: Values as given and as logged, JSON-like.
        tags: Free marks.
        metrics: Summary by key.
        provenance: Digest of the artifact with its Manifest (code, environment, hardware); or None.
        graph: The pipeline's spec as plain JSON; or None.
        note: Markdown by the user.
        group: Runs that belong together, such as the folds of one validation; or empty.
        forked_from: The run whose points up to a step it began with; or None.
        forked_at: That step.
        archived_at: When it was put aside; None while it is among the others.
        deleted_at: When it was deleted; it can be restored until ``penstock gc`` removes it.
        process: Which boot and process namespace of the host the process belongs to, and when in
            that boot it began and beat last; compared on the same machine only.
        presumed_at: When it was presumed killed since no sign of life came; a later one revives it.
        missed: Sentences on what was logged and could not be recorded.
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
        """What its pipeline was given: its parameters without those that steps have logged.

        One whose plain value says too little (a Timestamp, a dict by numbers) is a StoredArgument.
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
    """A named group of runs; made with its first run.

    Args:
        name: Its name.
        created_at: When its first run was made.
        note: Markdown by the user.
        tags: Free marks.
        runs: How many runs it has, without deleted ones.
        last_run_at: When the newest of them was made.
        archived_at: When it was put aside.
        deleted_at: When it was deleted.
    """

    name: str
    created_at: datetime
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=empty)
    runs: int = 0
    last_run_at: datetime | None = None
    archived_at: datetime | None = None
    deleted_at: datetime | None = None
