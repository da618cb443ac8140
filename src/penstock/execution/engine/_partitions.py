"""Partitions of a pipeline, run or missing; a single run at a time for each partition."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from penstock.core import ConflictError, ParameterError, RunRecord, RunState, new_id, now
from penstock.pipelines import Partitions, Pipeline
from penstock.stores import Store, open_store

PARTITION = "penstock.partition"
"""Tag of a run that has the key of its partition."""

_MANY = 1_000_000
_GOING_ON = frozenset({RunState.QUEUED, RunState.RUNNING})
_IN_VAIN = frozenset({RunState.FAILED, RunState.KILLED})
_BEGINNING = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class PartitionState:
    """State of a partition.

    Args:
        key: Key of the partition.
        run: Newest run of the partition, but a finished run before a failed one; None without a
            run.
    """

    key: str
    run: RunRecord | None = None

    @property
    def state(self) -> str:
        """``missing``, or the state of the run."""
        return "missing" if self.run is None else self.run.state.value

    @property
    def is_done(self) -> bool:
        """True if a run of the partition has finished."""
        return self.run is not None and self.run.state is RunState.FINISHED

    @property
    def is_going_on(self) -> bool:
        """True if a run of the partition is running, or waits for approval."""
        return self.run is not None and self.run.state in _GOING_ON


def list_partitions(
    pipeline: Pipeline[..., Any], *, at: datetime | None = None, store: Store | str | None = None
) -> list[PartitionState]:
    """List a pipeline's partitions up to now, each with the run, if any.

    ```python
    [part.key for part in list_partitions(trips) if not part.is_done]
    ```

    Args:
        pipeline: A pipeline with partitions.
        at: The moment up to which time partitions are listed; by default now.
        store: Store or store URL; by default the project's store.

    Raises:
        ParameterError: If the pipeline has no partitions.
    """
    partitions = require_partitions(pipeline)
    opened = open_store(store)
    return states_of(pipeline.name, partitions, at=at, store=opened)


def states_of(
    pipeline: str, partitions: Partitions, *, at: datetime | None = None, store: Store
) -> list[PartitionState]:
    """List the partitions of a pipeline given by name."""
    store.metadata.runs.kill_dead()
    runs = runs_by_partition(pipeline, store=store)
    return [PartitionState(key, runs.get(key)) for key in partitions.keys(at or now())]


def runs_by_partition(
    pipeline: str, key: str | None = None, *, store: Store
) -> dict[str, RunRecord]:
    """Return the run of each partition: the newest, but a finished run before a failed run."""
    condition = f"tags.`{PARTITION}` " + ("!= ''" if key is None else f"= {_quoted(key)}")
    query = f"pipeline = {_quoted(pipeline)} and {condition}"
    runs: dict[str, RunRecord] = {}
    for run in store.metadata.runs.search(query, limit=_MANY):  # newest first
        known = runs.get(run.tags[PARTITION])
        if known is None or (run.state is RunState.FINISHED and known.state in _IN_VAIN):
            runs[run.tags[PARTITION]] = run
    return runs


def known_partitions(pipeline: str, *, store: Store) -> Partitions | None:
    """Return a pipeline's partitions as of the last run for a partition; None if never run."""
    spec = store.metadata.settings.get(_setting(pipeline))
    return None if spec is None else Partitions.from_spec(json.loads(spec))


def require_partitions(pipeline: Pipeline[..., Any]) -> Partitions:
    """Return a pipeline's partitions.

    Raises:
        ParameterError: If the pipeline has no partitions.
    """
    if pipeline.partitions is not None:
        return pipeline.partitions
    raise ParameterError(
        what=f"Pipeline {pipeline.name!r} has no partitions.",
        fix='Say what it is run for: @pipeline(partitions=Partitions.daily("2016-01-01")).',
        pipeline=pipeline.name,
    )


@contextmanager
def begin_partition(
    store: Store, pipeline: Pipeline[..., Any], partition: str | None
) -> Iterator[None]:
    """Ensure that a single process starts a run for a partition; the block records the run.

    Raises:
        ParameterError: If the period of the partition is not over yet.
        ConflictError: If the partition is being run elsewhere.
    """
    if partition is None or pipeline.partitions is None:
        yield
        return
    _require_over(pipeline.partitions, partition)
    name, holder = f"partition:{pipeline.name}:{partition}", new_id()
    # Without the lease, two processes could both find no run and both start one.
    if not store.metadata.steps.take_lease(name, holder, now() + _BEGINNING):
        raise _taken(pipeline.name, partition, "is being started by another process")
    try:
        store.metadata.runs.kill_dead()
        run = runs_by_partition(pipeline.name, partition, store=store).get(partition)
        if run is not None and run.state in _GOING_ON:
            raise _taken(pipeline.name, partition, f"is {run.state.value} in run {run.run_id}")
        store.metadata.settings.set(
            _setting(pipeline.name), json.dumps(pipeline.partitions.to_spec())
        )
        yield
    finally:
        store.metadata.steps.drop_lease(name, holder)


def _require_over(partitions: Partitions, key: str) -> None:
    if partitions.is_of_time and (end := partitions.span(key)[1]) > now():
        raise ParameterError(
            what=f"Partition {key!r} is over at {end:%Y-%m-%d %H:%M %Z} only.",
            why="Rows are still to come, and it would count as done without them.",
            fix="Wait for its end, or run the pipeline without --partition.",
            key=key,
        )


def _setting(pipeline: str) -> str:
    return f"partitions:{pipeline}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _taken(pipeline: str, key: str, state: str) -> ConflictError:
    return ConflictError(
        what=f"Partition {key!r} of {pipeline!r} {state}.",
        why="Two runs for one partition would do the same work twice.",
        fix="Wait until it has ended; see: penstock runs",
        key=key,
    )
