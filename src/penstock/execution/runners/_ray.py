"""RayRunner: executes steps and items as Ray tasks, on this machine or on a cluster.

A Ray worker gets the same work as a worker process: names, and records of the inputs. Values go
through the store, so a task may run on any node that reaches the store, and the loss of a node
affects only the tasks that ran there, which are executed elsewhere.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from penstock.core import StepRunRecord
from penstock.execution.engine import Session, StepScheduler, Values
from penstock.execution.runners._ray_cluster import (
    MOVES,
    alive_nodes,
    cores_of,
    is_node_lost,
    ray_cluster,
    ray_options,
)
from penstock.execution.runners._ray_ranks import RayRanks
from penstock.execution.runners._setup import Setup, make_setup
from penstock.execution.runners._worker import Worker
from penstock.execution.runners._workshop import pack_work
from penstock.execution.step import Outcome, Work, failed, lost
from penstock.pipelines import Graph
from penstock.stores import Store, open_store

_LOOK_EVERY_S = 10.0
_AHEAD = 2  # tasks per core submitted to Ray, so that no core is idle
_workers: dict[str, Worker] = {}


class RayRunner:
    """Runner that executes steps as Ray tasks with the resources that they ask for.

    A running Ray is used (``RAY_ADDRESS``, or an earlier ``ray.init``); else Ray is started on this
    machine for the run.
    """

    def check(self, graph: Graph) -> None:
        """See Runner; a separate process honours every option of a step."""

    def run(self, session: Session) -> list[StepRunRecord]:
        """See Runner."""
        workers = session.options.workers
        with ray_cluster("running steps on Ray", workers) as ray:
            tasks = RayTasks(ray, make_setup(session), workers, store=session.store)
            return StepScheduler(session, tasks).run()


@dataclass
class _Task:
    """A step that was submitted to Ray, as a task or as a group of ranks."""

    work: Work
    packed: bytes
    nodes: frozenset[str]
    moves: int = 0
    ranks: RayRanks | None = None


class RayTasks:
    """Workers that are tasks of a Ray cluster.

    Args:
        ray: The package.
        setup: Settings that each worker gets.
        most: Maximum number of tasks submitted to Ray at a time; None for a number derived from the cores.
        store: Store of the run.
    """

    def __init__(self, ray: Any, setup: Setup, most: int | None, *, store: Store) -> None:
        self._store = store
        self._ray, self._setup, self._most = ray, ray.put(setup), most
        self._own_setup = setup
        self._call = ray.remote(execute_work)
        self._tasks: dict[Any, _Task] = {}
        self._groups: list[_Task] = []  # with ranks
        self._ended: list[tuple[Work, Outcome]] = []
        self._room, self._asked = 0, 0.0

    @property
    def has_room(self) -> bool:
        """See Workers."""
        return len(self._tasks) + len(self._groups) < self._limit()

    def can_take(self, work: Work) -> bool:  # noqa: ARG002 - ray counts the cards itself
        """See Workers."""
        return True

    def submit(self, work: Work, values: Values) -> None:
        """See Workers."""
        try:
            packed = pack_work(self._own_setup, work, values)
        except Exception as error:  # noqa: BLE001 - a step that cannot be sent has failed
            self._ended.append((work, failed(work.node.name, error)))
            return
        self._send(_Task(work, packed, alive_nodes(self._ray)))

    def wait(self, seconds: float | None) -> Sequence[tuple[Work, Outcome]]:
        """See Workers."""
        if self._groups:
            seconds = min(seconds or _LOOK_EVERY_S, _LOOK_EVERY_S)
        of_ranks = {ref: task for task in self._groups for ref in _ranks(task).references}
        references = [*self._tasks, *of_ranks]
        if not self._ended and references:
            ready, _ = self._ray.wait(references, num_returns=1, timeout=seconds)
            if ready:  # take all tasks that have ended by now, not only the first
                ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
            for reference in ready:
                if reference in self._tasks:
                    self._take(reference, self._tasks.pop(reference))
                elif of_ranks[reference] in self._groups:
                    self._take_rank(reference, of_ranks[reference])
            for task in self._groups:
                _ranks(task).warn_if_waiting()
        ended, self._ended = self._ended, []
        return ended

    def cancel(self) -> None:
        """See Workers."""
        for reference in self._tasks:
            with suppress(Exception):
                self._ray.cancel(reference, force=True, recursive=True)
        for task in self._groups:
            _ranks(task).end()
        self._tasks.clear()
        self._groups.clear()
        self._ended.clear()

    def _send(self, task: _Task) -> None:
        if (task.work.node.step.workers or 1) > 1:
            task.ranks = RayRanks(self._ray, self._setup, task.work, task.packed)
            self._groups.append(task)
            return
        options = {**ray_options(task.work.node.step), "max_retries": 0}
        reference = self._call.options(**options).remote(
            self._setup, task.work.node.name, task.packed
        )
        self._tasks[reference] = task

    def _take(self, reference: Any, task: _Task) -> None:
        try:
            self._end(task, self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            self._lose(task, error)

    def _take_rank(self, reference: Any, task: _Task) -> None:
        ranks = _ranks(task)
        if reference not in ranks.references:
            return  # taken together with a rank that failed
        try:
            ranks.take(reference)
        except self._ray.exceptions.RayError as error:
            self._groups.remove(task)
            ranks.end()
            self._lose(task, error)
            return
        if ranks.is_done:
            self._groups.remove(task)
            ranks.end()
            self._end(task, ranks.outcome(self._store))

    def _end(self, task: _Task, outcome: Outcome) -> None:
        for line in outcome.logs:  # runners on this machine show it at once
            print(line.text, file=sys.stderr)  # noqa: T201 - what the step printed
        self._ended.append((task.work, outcome))

    def _lose(self, task: _Task, error: Exception) -> None:
        """Take note that a task was lost: the task is executed elsewhere if the node was lost."""
        name = task.work.node.name
        if isinstance(error, self._ray.exceptions.OutOfMemoryError):
            self._ended.append((task.work, lost(name, f"its node ran out of memory: {error}")))
            return
        gone = is_node_lost(self._ray, error, task.nodes)
        if gone and task.moves < MOVES and not task.work.node.step.effect:
            task.moves += 1
            task.nodes = alive_nodes(self._ray)
            self._send(task)
            return
        why = "its node was lost" if gone else "its process ended"
        message = str(error).strip().splitlines()[0]
        self._ended.append((task.work, lost(name, f"{why} ({type(error).__name__}: {message})")))

    def _limit(self) -> int:
        if self._most is not None:
            return self._most
        if time.monotonic() - self._asked > 1:  # a cluster grows and shrinks
            cores = cores_of(self._ray)
            self._room, self._asked = max(1, int(cores * _AHEAD)), time.monotonic()
        return self._room


def _ranks(task: _Task) -> RayRanks:
    assert task.ranks is not None  # of a group
    return task.ranks


def execute_work(setup: Setup, name: str, packed: bytes) -> Outcome:
    """Execute work in a Ray worker, which stays warm for the run."""
    worker = _workers.get(setup.run_id)
    if worker is None:
        _workers.clear()  # the workers of earlier runs are not needed any more
        store = open_store(setup.store, artifacts=setup.artifacts)
        worker = _workers[setup.run_id] = Worker(setup, store)
    return worker.execute(name, packed)
