"""RayRunPool: executes whole runs as Ray tasks, on this machine or on a cluster.

A run's task asks this process, through a mailbox in the cluster, whether the run goes on; so a
pruner judges the runs of all nodes. A run whose node is lost is resumed on a second node: the
finished steps are kept.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from penstock.core import PenstockError, RunState, new_id, now
from penstock.execution.engine import project_of
from penstock.execution.runners._ray_cluster import (
    MOVES,
    alive_nodes,
    cores_of,
    is_node_lost,
    on_this_node,
    ray_cluster,
    ray_options,
)
from penstock.execution.runners._run_order import RunEnd, RunExecutor, RunListener, RunOrder
from penstock.execution.runners._run_pool import RunSetup, make_run_setup, pipeline_of
from penstock.pipelines import Node, Pipeline
from penstock.provenance import capture_source, restore_source
from penstock.stores import Store, open_store

_executors: dict[str, tuple[RunExecutor, Store]] = {}


@dataclass(frozen=True, kw_only=True)
class _ClusterSetup:
    """Settings that each task gets, by reference.

    Args:
        pool: Unique id of the pool.
        runs: Settings of the runs.
        project: Folder of the code on the machine of the study.
        source: The project's source files, for nodes that do not have the pipeline's file.
    """

    pool: str
    runs: RunSetup
    project: str
    source: Mapping[str, bytes]


@dataclass
class _Task:
    """A run that was submitted to Ray."""

    order: RunOrder
    nodes: frozenset[str]
    moves: int = 0


class RayRunPool:
    """Run pool of Ray tasks.

    A task asks for the most cores, cards and memory that a step of its run asks for.

    Args:
        pipeline: The pipeline.
        listener: Receiver of starts and points, in this process.
        size: Maximum number of runs at the same time; None for as many as the cluster has room for.
        store: Store that records the runs; reachable from every node.
    """

    def __init__(
        self,
        pipeline: Pipeline[..., Any],
        listener: RunListener,
        *,
        size: int | None,
        store: Store,
    ) -> None:
        self._pipeline, self._listener, self._store = pipeline, listener, store
        self._most, self._needed = size, 1.0
        self._stack = ExitStack()
        self._tasks: dict[Any, _Task] = {}
        self._recorded: set[str] = set()
        self._ended: list[RunEnd] = []
        self._letters: Any = None  # the mailbox's answer to the request for messages

    @property
    def size(self) -> int:
        """See RunPool; a cluster grows and shrinks."""
        if self._most is not None:
            return self._most
        return max(1, int(cores_of(self._ray) // max(self._needed, 1.0)))

    def submit(self, order: RunOrder) -> None:
        """See RunPool; waits for room in the cluster."""
        self._send(_Task(order, alive_nodes(self._ray)))
        while order.run_id not in self._recorded and self._is_running(order.run_id):
            self._receive()

    def wait(self) -> Sequence[RunEnd]:
        """See RunPool."""
        while not self._ended and self._tasks:
            self._receive()
        ended, self._ended = self._ended, []
        return ended

    def __enter__(self) -> Self:
        purpose = "executing trials on Ray"
        self._ray = self._stack.enter_context(ray_cluster(purpose, self._most))
        with self._stack.pop_all() as stack:  # a failure below disconnects
            project = project_of(self._pipeline.file)
            setup = _ClusterSetup(
                pool=new_id(),
                runs=make_run_setup(self._pipeline, self._store),
                project=str(project),
                source=capture_source(project).files,
            )
            self._setup = self._ray.put(setup)
            self._call = self._ray.remote(execute_order)
            actor = self._ray.remote(Mailbox)
            placed = actor.options(num_cpus=0, scheduling_strategy=on_this_node(self._ray))
            self._mailbox = placed.remote()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        for reference, task in self._tasks.items():
            with suppress(Exception):
                self._ray.cancel(reference, force=True, recursive=True)
            # Where a process on another machine was ended, only this process knows at once.
            if task.order.run_id in self._recorded:
                self._mark_killed(task.order.run_id, "its study was stopped")
        self._tasks.clear()
        with suppress(Exception):
            self._ray.kill(self._mailbox)
        self._stack.close()

    def _send(self, task: _Task) -> None:
        options = self._options(task.order)
        self._needed = options["num_cpus"]
        reference = self._call.options(**options, max_retries=0).remote(
            self._setup, task.order, self._mailbox
        )
        self._tasks[reference] = task

    def _options(self, order: RunOrder) -> dict[str, Any]:
        """Return the most of each resource that a step of a run asks for."""
        params = order.params
        if order.resumes:
            params = self._store.metadata.runs.get(order.run_id).params
        most: dict[str, Any] = {"num_cpus": 1}
        for node in _all_nodes(self._pipeline.trace(**self._pipeline.bind(params)).nodes):
            for name, value in ray_options(node.step).items():
                most[name] = max(most.get(name, 0), value)
        return most

    def _is_running(self, run_id: str) -> bool:
        return any(task.order.run_id == run_id for task in self._tasks.values())

    def _receive(self) -> None:
        """Wait for a message or the end of a task, and take all that are there."""
        if self._letters is None:
            self._letters = self._mailbox.take.remote()
        waited = [self._letters, *self._tasks]
        ready, _ = self._ray.wait(waited, num_returns=1)
        ready, _ = self._ray.wait(waited, num_returns=len(waited), timeout=0)
        if self._letters in ready:
            letters, self._letters = self._ray.get(self._letters), None
            for letter in letters:
                self._read(*letter)
        for reference in ready:
            if reference in self._tasks:
                self._take(reference, self._tasks.pop(reference))

    def _read(self, kind: str, run_id: str, *values: Any) -> None:
        if kind == "started":
            self._recorded.add(run_id)
            self._listener.started(run_id)
            return
        ticket, value, step = values
        # The task may have been lost and begun again: its points count as those of the same run.
        stops = self._is_running(run_id) and self._listener.reported(run_id, value, step)
        self._mailbox.answer.remote(ticket, stops)

    def _take(self, reference: Any, task: _Task) -> None:
        errors, run_id = self._ray.exceptions, task.order.run_id
        try:
            self._ended.append(self._ray.get(reference))
        except errors.OutOfMemoryError as error:
            self._ended.append(RunEnd(run_id, None, f"its node ran out of memory: {error}"))
        except errors.RayTaskError as error:  # raised by the code around the run
            line = str(error.cause or error).strip().splitlines()[-1]
            self._ended.append(RunEnd(run_id, None, f"it could not begin ({line})"))
        except errors.RayError as error:
            if task.moves < MOVES and is_node_lost(self._ray, error, task.nodes):
                self._move(task)
                return
            message = str(error).strip().splitlines()[0]
            why = f"its process ended ({type(error).__name__}: {message})"
            self._ended.append(RunEnd(run_id, None, why))

    def _move(self, task: _Task) -> None:
        """Execute a run again on a second node: from the last recorded state, if any."""
        order = task.order
        if self._store.metadata.runs.count(f"run_id = '{order.run_id}'"):
            self._mark_killed(order.run_id, "its node was lost")
            order = replace(order, params={}, options={}, resumes=True)
        self._send(_Task(order, alive_nodes(self._ray), task.moves + 1))

    def _mark_killed(self, run_id: str, why: str) -> None:
        with suppress(PenstockError):
            runs = self._store.metadata.runs
            if runs.get(run_id).state is RunState.RUNNING:
                runs.update(run_id, state=RunState.KILLED, ended_at=now(), error=why)


class Mailbox:
    """Actor between the tasks of runs and the process that ordered them."""

    def __init__(self) -> None:
        import asyncio

        self._letters: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[bool]] = {}

    async def started(self, run_id: str) -> None:
        """Take the message that a run is recorded."""
        await self._letters.put(("started", run_id))

    async def reported(self, run_id: str, value: float, step: float | None) -> bool:
        """Take a point, and return the answer of the process that ordered the run."""
        import asyncio

        ticket = new_id()
        self._answers[ticket] = asyncio.get_running_loop().create_future()
        await self._letters.put(("reported", run_id, ticket, value, step))
        return await self._answers[ticket]

    async def take(self) -> list[tuple[Any, ...]]:
        """Return the messages, never empty."""
        letters = [await self._letters.get()]
        while not self._letters.empty():
            letters.append(self._letters.get_nowait())
        return letters

    async def answer(self, ticket: str, stops: bool) -> None:
        """Give a task the answer to the reported point."""
        waiting = self._answers.pop(ticket, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(stops)


class _Sender:
    """RunListener in a task: sends to the process that ordered the run."""

    def __init__(self) -> None:
        self.mailbox: Any = None

    def started(self, run_id: str) -> None:
        """See RunListener."""
        self._get(self.mailbox.started.remote(run_id))

    def reported(self, run_id: str, value: float, step: float | None) -> bool:
        """See RunListener."""
        return bool(self._get(self.mailbox.reported.remote(run_id, value, step)))

    @staticmethod
    def _get(reference: Any) -> Any:
        import ray

        return ray.get(reference)


def execute_order(setup: _ClusterSetup, order: RunOrder, mailbox: Any) -> RunEnd:
    """Execute an ordered run in a Ray worker, which stays warm for the pool."""
    if setup.pool not in _executors:
        for executor, store in _executors.values():  # of earlier pools
            executor.__exit__()
            store.close()
        _executors.clear()
        sys.path[:] = list(dict.fromkeys([*setup.runs.path, *sys.path]))
        store = open_store(setup.runs.store, artifacts=setup.runs.artifacts)
        executor = RunExecutor(_pipeline_of(setup), store, _Sender())
        _executors[setup.pool] = executor, store
    executor, _ = _executors[setup.pool]
    sender: Any = executor.listener
    sender.mailbox = mailbox
    return executor.execute(order)


def _pipeline_of(setup: _ClusterSetup) -> Pipeline[..., Any]:
    """Return the pipeline; the source is restored where this machine has no such file."""
    target = setup.runs.target
    if target is not None and target.is_file and not Path(target.module).is_file():
        folder = Path(tempfile.mkdtemp(prefix="penstock-source-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        restore_source(setup.source, folder)
        os.chdir(folder)  # data files are named relative to the project
        file = Path(target.module).relative_to(setup.project).as_posix()
        target = replace(target, module=file).below(folder)
    return pipeline_of(setup.runs, target)


def _all_nodes(nodes: Sequence[Node]) -> Sequence[Node]:
    return [inner for node in nodes for inner in (node, *_all_nodes(node.body))]
