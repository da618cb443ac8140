"""backfill: run a pipeline for the partitions that have no finished run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.core import (
    ConflictError,
    NotFoundError,
    ParameterError,
    RunState,
    did_you_mean,
    new_id,
)
from penstock.execution import (
    PartitionState,
    QuietReporter,
    entry_of,
    list_partitions,
    load_pipeline,
    project_of,
    require_partitions,
    run_pipeline,
    runs_by_partition,
)
from penstock.pipelines import Pipeline, dump_value
from penstock.scheduling._run_process import RunOrder, RunProcess, undisturbed
from penstock.stores import Store, open_store

_POLL_S = 0.05
Progress = Callable[[PartitionState, int, int], None]


@dataclass(frozen=True, slots=True)
class Backfill:
    """What came of a backfill.

    Args:
        parts: The partitions that it ran, in order, with their runs.
        left: Those that it left alone, since they were done or someone else ran them.
    """

    parts: tuple[PartitionState, ...]
    left: tuple[str, ...]

    @property
    def failed(self) -> list[PartitionState]:
        """Those that were not done."""
        return [part for part in self.parts if not part.is_done]

    @property
    def ok(self) -> bool:
        """True if every partition that it ran was done."""
        return not self.failed


def backfill(
    pipeline: Pipeline[..., Any] | str,
    *,
    since: str | None = None,
    until: str | None = None,
    partitions: Sequence[str] = (),
    again: bool = False,
    at_once: int = 1,
    stop_on_failure: bool = False,
    store: Store | str | None = None,
    runner: str = "local",
    workers: int | None = None,
    progress: Progress | None = None,
    **params: Any,
) -> Backfill:
    """Run a pipeline for its partitions that have no finished run, oldest first.

    What has ended is recorded: a backfill that was interrupted goes on when it is asked for again.
    A partition that someone else is running is left to them.

    ```python
    backfill(trips_of_a_day, since="2016-01-01", until="2016-02-01", at_once=2)
    ```

    Args:
        pipeline: The pipeline, or ``file.py:name``.
        since: The first partition, by its key.
        until: The partition to stop before.
        partitions: These only, by their keys.
        again: True to run also what is done.
        at_once: How many runs may go on at once, each in a process of its own if more than one.
        stop_on_failure: True to begin no other once one has failed.
        store: A store or its URL; by default the project's.
        runner: Where the steps of a run are executed, see `run`.
        workers: How many at once, see `run`.
        progress: Told of each partition that has ended, how many have, and of how many.
        **params: The pipeline's other parameters.

    Raises:
        ParameterError: If the pipeline has no partitions, or a parameter cannot be used.
        NotFoundError: If there is no such partition.
    """
    found = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    opened = open_store(store) if store is None or isinstance(store, str) else store
    if at_once < 1:
        raise ParameterError(what=f"{at_once} runs are to go on at once.", fix="Give 1 or more.")
    chosen = choose(found, list_partitions(found, store=opened), since, until, partitions)
    wanted = [part for part in chosen if again or not (part.is_done or part.is_going_on)]
    left = [part.key for part in chosen if part not in wanted]
    if wanted:
        found.bind_part(wanted[0].key, params)  # a mistake is told once, and not for each
    how = {"runner": runner, "workers": workers}
    work = _Work(found, opened, params, how, again=again, total=len(wanted), progress=progress)
    run_all = work.one_by_one if at_once == 1 else work.side_by_side
    run_all([part.key for part in wanted], at_once=at_once, stop_on_failure=stop_on_failure)
    return Backfill(tuple(work.ended), (*left, *work.left))


def choose(
    pipeline: Pipeline[..., Any],
    parts: Sequence[PartitionState],
    since: str | None,
    until: str | None,
    keys: Sequence[str] = (),
) -> list[PartitionState]:
    """Choose partitions from one, up to another, or by their keys.

    Raises:
        NotFoundError: If there is none of that key.
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
    if until is not None:  # of time, the end may be one that is not over yet
        last = known.get(until, sum(part.key < until for part in parts))
    return [part for part in parts[first:last] if not keys or part.key in keys]


class _Work:
    """The runs of one backfill."""

    def __init__(
        self,
        pipeline: Pipeline[..., Any],
        store: Store,
        params: dict[str, Any],
        how: dict[str, Any],
        *,
        again: bool,
        total: int,
        progress: Progress | None,
    ) -> None:
        self.pipeline, self.store, self.params, self.how = pipeline, store, params, how
        self.again, self.total, self.progress = again, total, progress
        self.ended: list[PartitionState] = []
        self.left: list[str] = []

    def one_by_one(self, keys: Sequence[str], *, at_once: int, stop_on_failure: bool) -> None:  # noqa: ARG002 - as side_by_side
        for key in keys:
            if self._is_taken(key):
                self.left.append(key)
                continue
            try:
                result = run_pipeline(
                    self.pipeline,
                    self.params,
                    partition=key,
                    store=self.store,
                    reporter=QuietReporter(),
                    **self.how,
                )
            except ConflictError:  # someone was faster
                self.left.append(key)
                continue
            self._note(key, result.run_id)
            if stop_on_failure and not result.ok:
                return

    def side_by_side(self, keys: Sequence[str], *, at_once: int, stop_on_failure: bool) -> None:
        project = project_of(self.pipeline.file)
        entry = entry_of(self.pipeline, project)
        if entry is None:
            raise ParameterError(
                what=f"Pipeline {self.pipeline.name!r} is in no file of the project.",
                why="Runs that go on at once are processes of their own, which must find it.",
                fix="Move it to the top level of a file, or run one at a time: at_once=1.",
            )
        waiting = list(keys)
        going: dict[str, RunProcess] = {}
        try:
            while waiting or going:
                while waiting and len(going) < at_once:
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

    def _begin(self, key: str, entry: str, project: Path, going: dict[str, RunProcess]) -> None:
        if self._is_taken(key):
            self.left.append(key)
            return
        params = {name: dump_value(value) for name, value in self.params.items()}
        order = RunOrder(entry, new_id(), params, partition=key, **self.how)
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
        """Look again whether somebody has run it, or is running it."""
        run = runs_by_partition(self.store, self.pipeline.name, key).get(key)
        if run is None:
            return False
        taken = {RunState.QUEUED, RunState.RUNNING}
        return run.state in (taken if self.again else taken | {RunState.FINISHED})

    def _note(self, key: str, run_id: str) -> None:
        part = PartitionState(key, self.store.metadata.runs.get(run_id))
        self.ended.append(part)
        if self.progress is not None:
            self.progress(part, len(self.ended), self.total)
