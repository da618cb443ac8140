"""Backfill: run a pipeline for the partitions that have no finished run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.core import (
    ConflictError,
    NotFoundError,
    ParameterError,
    RunState,
    did_you_mean,
    new_id,
    require_number,
)
from penstock.execution import (
    PartitionState,
    QuietReporter,
    RunnerName,
    RunOptions,
    list_partitions,
    load_pipeline,
    project_of,
    require_partitions,
    run_pipeline,
    runs_by_partition,
)
from penstock.pipelines import EntryPoint, Pipeline, dump_value
from penstock.scheduling._run_process import RunCommand, RunProcess, undisturbed
from penstock.stores import Store, open_store

_POLL_S = 0.05
Progress = Callable[[PartitionState, int, int], None]


@dataclass(frozen=True, slots=True)
class Backfill:
    """The result of a backfill.

    Args:
        parts: The partitions that the backfill ran, in order, with their runs.
        left: The partitions left alone: finished already, or run by a different process.
    """

    parts: tuple[PartitionState, ...]
    left: tuple[str, ...]

    @property
    def failed(self) -> list[PartitionState]:
        """Partitions whose run did not finish."""
        return [part for part in self.parts if not part.is_done]

    @property
    def ok(self) -> bool:
        """True if every partition that the backfill ran was finished."""
        return not self.failed


def backfill(
    pipeline: Pipeline[..., Any] | str,
    *,
    since: str | None = None,
    until: str | None = None,
    partitions: Sequence[str] = (),
    again: bool = False,
    max_active_runs: int = 1,
    stop_on_failure: bool = False,
    runner: RunnerName = "local",
    workers: int | None = None,
    progress: Progress | None = None,
    store: Store | str | None = None,
    **params: object,
) -> Backfill:
    """Run a pipeline for all partitions without a finished run, oldest first.

    Finished runs are recorded, so an interrupted backfill continues in the next call. A
    partition that a different process is running is left to that process.

    ```python
    backfill(trips_of_a_day, since="2016-01-01", until="2016-02-01", max_active_runs=2)
    ```

    Args:
        pipeline: The pipeline, or an entry point ``file.py:name``.
        since: Key of the first partition.
        until: Key of the partition to stop before.
        partitions: Keys of the only partitions to run.
        again: True to run finished partitions too.
        max_active_runs: Maximum number of runs at the same time; if more than 1, each has a
            separate process.
        stop_on_failure: True to start no further run after a failure.
        runner: Where the steps of a run are executed, see `run`.
        workers: Maximum number of steps at the same time, see `run`.
        progress: Called at the end of each partition with the partition, the number ended so far
            and the total.
        **params: Remaining parameters of the pipeline.
        store: Store or store URL; by default the project's store.

    Raises:
        ParameterError: If the pipeline has no partitions, or a parameter cannot be used.
        NotFoundError: If there is no such partition.
    """
    definition = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    opened = open_store(store)
    require_number("max_active_runs", max_active_runs, low=1, whole=True)
    chosen = choose(definition, list_partitions(definition, store=opened), since, until, partitions)
    wanted = [part for part in chosen if again or not (part.is_done or part.is_going_on)]
    left = [part.key for part in chosen if part not in wanted]
    if wanted:
        definition.bind_partition(
            wanted[0].key, params
        )  # a mistake is reported once, not per partition
    options = RunOptions(runner=runner, workers=workers, reporter=QuietReporter(), store=opened)
    work = _Work(
        definition, opened, params, options, again=again, total=len(wanted), progress=progress
    )
    run_all = work.one_by_one if max_active_runs == 1 else work.side_by_side
    run_all(
        [part.key for part in wanted],
        max_active_runs=max_active_runs,
        stop_on_failure=stop_on_failure,
    )
    return Backfill(tuple(work.ended), (*left, *work.left))


def choose(
    pipeline: Pipeline[..., Any],
    parts: Sequence[PartitionState],
    since: str | None,
    until: str | None,
    keys: Sequence[str] = (),
) -> list[PartitionState]:
    """Return the partitions from ``since`` up to ``until``, or those named by key.

    Raises:
        NotFoundError: If no partition has that key.
    """
    known = {part.key: place for place, part in enumerate(parts)}
    of_time = require_partitions(pipeline).is_of_time
    for key in (since, *keys, None if of_time else until):
        if key is not None and key not in known:
            raise NotFoundError(
                what=f"There is no partition {key!r}.",
                fix=did_you_mean(key, list(known))
                or "Partitions of time are those that are over. List them with: penstock partitions",
                key=key,
            )
    first = known[since] if since is not None else 0
    last = len(parts)
    if until is not None:  # for time partitions, the end may be one that is not over yet
        last = known.get(until, sum(part.key < until for part in parts))
    return [part for part in parts[first:last] if not keys or part.key in keys]


class _Work:
    """Runs of a backfill."""

    def __init__(
        self,
        pipeline: Pipeline[..., Any],
        store: Store,
        params: dict[str, Any],
        options: RunOptions,
        *,
        again: bool,
        total: int,
        progress: Progress | None,
    ) -> None:
        self.pipeline, self.store, self.params, self.options = pipeline, store, params, options
        self.again, self.total, self.progress = again, total, progress
        self.ended: list[PartitionState] = []
        self.left: list[str] = []

    def one_by_one(
        self,
        keys: Sequence[str],
        *,
        max_active_runs: int,  # noqa: ARG002 - as side_by_side
        stop_on_failure: bool,
    ) -> None:
        for key in keys:
            if self._is_taken(key):
                self.left.append(key)
                continue
            try:
                options = replace(self.options, partition=key)
                result = run_pipeline(self.pipeline, self.params, options)
            except ConflictError:  # a concurrent run of this partition started first
                self.left.append(key)
                continue
            self._note(key, result.run_id)
            if stop_on_failure and not result.ok:
                return

    def side_by_side(
        self, keys: Sequence[str], *, max_active_runs: int, stop_on_failure: bool
    ) -> None:
        project = project_of(self.pipeline.file)
        entry = EntryPoint.of(self.pipeline, project)
        if entry is None:
            raise ParameterError(
                what=f"Pipeline {self.pipeline.name!r} is in no file of the project.",
                why="Concurrent runs are separate processes, which must find the pipeline.",
                fix="Move it to the top level of a file, or run one at a time: max_active_runs=1.",
            )
        waiting = list(keys)
        going: dict[str, RunProcess] = {}
        try:
            while waiting or going:
                while waiting and len(going) < max_active_runs:
                    self._begin(waiting.pop(0), entry, project, going)
                time.sleep(_POLL_S)
                for key, process in list(going.items()):
                    if process.ended() is not None:
                        self._end(key, going.pop(key))
                if stop_on_failure and any(not part.is_done for part in self.ended):
                    waiting.clear()
        except BaseException:
            for process in going.values():
                process.interrupt()
            for process in going.values():
                process.wait()
            raise
        order = {key: place for place, key in enumerate(keys)}
        self.ended.sort(key=lambda part: order[part.key])

    def _begin(
        self, key: str, entry: EntryPoint, project: Path, going: dict[str, RunProcess]
    ) -> None:
        if self._is_taken(key):
            self.left.append(key)
            return
        params = {name: dump_value(value) for name, value in self.params.items()}
        order = RunCommand(entry, params, replace(self.options, partition=key, run_id=new_id()))
        with undisturbed():
            going[key] = RunProcess(order, self.store, project, resume=False)

    def _end(self, key: str, process: RunProcess) -> None:
        try:
            self._note(key, process.order.run_id)
        except NotFoundError:
            if not self._is_taken(key):
                raise ParameterError(
                    what=f"The run for partition {key!r} was not made.",
                    why=process.printed(),
                    fix=f"Try it: penstock run {process.order.target} --partition {key}",
                    key=key,
                ) from None
            self.left.append(key)
        finally:
            process.close()

    def _is_taken(self, key: str) -> bool:
        """Read from the store whether the partition has been run, or is running, elsewhere."""
        run = runs_by_partition(self.pipeline.name, key, store=self.store).get(key)
        if run is None:
            return False
        taken = {RunState.QUEUED, RunState.RUNNING}
        return run.state in (taken if self.again else taken | {RunState.FINISHED})

    def _note(self, key: str, run_id: str) -> None:
        part = PartitionState(key, self.store.metadata.runs.get(run_id))
        self.ended.append(part)
        if self.progress is not None:
            self.progress(part, len(self.ended), self.total)
