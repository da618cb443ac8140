"""Ranks of a step as tasks of a Ray cluster, on as many nodes as needed.

A placement group reserves the processors of all ranks, or of none: two steps that each hold half of
a cluster would wait for each other forever. Each rank is a separate process, started by a task on
the node of the rank's part of the group; rank 0 listens for the rest.
"""

import logging
import pickle
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from penstock.core import parse_bytes
from penstock.execution.runners._rank_files import request_path
from penstock.execution.runners._ranks import (
    join_outcomes,
    lost_rank,
    rank_environment,
    ranks_folder,
    read_outcome,
)
from penstock.execution.runners._setup import Setup
from penstock.execution.runners._watch import Watch
from penstock.execution.step import Outcome, Work, lost
from penstock.pipelines import Step
from penstock.stores import Store

_log = logging.getLogger("penstock")
_SETTLES_AFTER_S = 8.0  # ranks that lost a peer end within seconds, and say why less well
_PATIENCE_S = 30.0
_TAIL = 2_000  # bytes of a rank's own output that explain a rank that ended without an outcome


@dataclass(frozen=True, slots=True)
class _RankEnd:
    """How a rank ended.

    Args:
        outcome: The rank's report; None if it was killed.
        code: Exit code of the process.
        tail: The last lines of the rank's output.
    """

    outcome: Outcome | None
    code: int
    tail: str = ""

    @property
    def is_good(self) -> bool:
        """True if the rank ended well."""
        return not self.code and self.outcome is not None and self.outcome.error is None


class RayRanks:
    """The ranks of a step in a placement group.

    Args:
        ray: The package.
        setup: Settings that each rank gets, in Ray's store.
        work: The step.
        packed: The same work, see `pack_work`.
    """

    def __init__(self, ray: Any, setup: Any, work: Work, packed: bytes) -> None:
        from ray.util import placement_group

        self._ray, self._setup, self._work, self._packed = ray, setup, work, packed
        self._count = work.node.step.workers or 1
        self._bundle = _bundle(work.node.step, self._count)
        self._group = placement_group([self._bundle] * self._count, strategy="PACK")
        self._waited: dict[Any, int] = {self._group.ready(): -1}
        self._places: dict[int, tuple[str, int]] = {}
        self._ends: dict[int, _RankEnd] = {}
        self._began, self._is_placed, self._has_warned = time.monotonic(), False, False

    @property
    def references(self) -> list[Any]:
        """The tasks that are waited for."""
        return list(self._waited)

    @property
    def is_done(self) -> bool:
        """True if the step's outcome is known."""
        return not self._waited

    def take(self, reference: Any) -> None:
        """Take the end of a task.

        Raises:
            ray.exceptions.RayError: If the task's process or node was lost.
        """
        rank = self._waited.pop(reference)
        answer = self._ray.get(reference)
        if not self._is_placed:
            self._is_placed = True
            self._waited = {
                self._call(find_place, each).remote(): each for each in range(self._count)
            }
        elif isinstance(answer, _RankEnd):
            self._ends[rank] = answer
            if not answer.is_good:
                self._settle()
        else:
            self._places[rank] = answer
            if not self._waited:
                self._begin()

    def outcome(self, store: Store) -> Outcome:
        """Return the outcome of the step, once done."""
        outcomes = [
            self._ends[rank].outcome if rank in self._ends else None for rank in range(self._count)
        ]
        return join_outcomes(self._work, outcomes, self._failure(), store)

    def warn_if_waiting(self) -> None:
        """Log once that the cluster has too few processors for now."""
        waited = time.monotonic() - self._began
        if self._is_placed or self._has_warned or waited < _PATIENCE_S:
            return
        self._has_warned = True
        _log.warning(
            "Step %s waits for %d workers with %s each; the cluster has %s in all. It begins once"
            " there is room: add nodes, or ask for fewer workers.",
            self._work.node.name,
            self._count,
            _resources_text(self._bundle),
            _resources_text(self._ray.cluster_resources()),
        )

    def end(self) -> None:
        """End all ranks, and free the processors."""
        from ray.util import remove_placement_group

        for reference in self._waited:
            with suppress(Exception):
                self._ray.cancel(reference, force=True, recursive=True)
        self._waited.clear()
        with suppress(Exception):
            remove_placement_group(self._group)

    def _call(self, function: Any, rank: int) -> Any:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        bundle, is_rank = self._bundle, function is execute_rank
        return self._ray.remote(function).options(
            num_cpus=bundle["CPU"] if is_rank else 0,
            num_gpus=bundle.get("GPU", 0) if is_rank else 0,
            max_retries=0,
            scheduling_strategy=PlacementGroupSchedulingStrategy(self._group, rank),
        )

    def _begin(self) -> None:
        """Start the ranks: all know where rank 0 listens."""
        addresses = {address for address, _ in self._places.values()}
        address, port = self._places[0]
        if len(addresses) == 1:
            address = "127.0.0.1"
        name = self._work.node.name
        for rank in range(self._count):
            task = _RankTask(
                rank,
                self._count,
                address,
                port,
                self._places[rank][0],
                self._work.node.step.threads,
            )
            call = self._call(execute_rank, rank)
            self._waited[call.remote(self._setup, name, self._packed, task)] = rank

    def _settle(self) -> None:
        """A rank has failed: take the outcomes of the remaining ranks soon, so that a lost node is known."""
        waited = list(self._waited)
        ready, _ = self._ray.wait(waited, num_returns=len(waited), timeout=_SETTLES_AFTER_S)
        for reference in ready:
            rank = self._waited.pop(reference)
            self._ends[rank] = self._ray.get(reference)
        self.end()

    def _failure(self) -> Outcome | None:
        """Return the failure of the rank that failed first."""
        name = self._work.node.name
        bad = [(rank, end) for rank, end in self._ends.items() if not end.is_good]
        # A rank that was killed is the cause of the errors of its peers.
        killed = next(((rank, end) for rank, end in bad if end.code < 0), None)
        if killed is not None:
            return lost_rank(name, f"worker {killed[0]} of {self._count}", killed[1].code)
        for _, end in bad:
            if end.outcome is not None and end.outcome.error is not None:
                return end.outcome
        if bad:
            last = (bad[0][1].tail.strip().splitlines() or ["no message"])[-1]
            return lost(name, f"worker {bad[0][0]} ended without an outcome ({last})")
        return None


@dataclass(frozen=True, slots=True)
class _RankTask:
    """A rank to be started.

    Args:
        rank: Number of the rank.
        count: Number of ranks.
        address: Address at which rank 0 listens.
        port: Port at which rank 0 listens.
        own_address: Address of the rank's node.
        threads: Threads of the rank.
    """

    rank: int
    count: int
    address: str
    port: int
    own_address: str
    threads: int | None

    def environment(self) -> dict[str, str]:
        """Return the variables by which torch finds the remaining ranks."""
        variables = {
            **rank_environment(self.threads),
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.count),
            "LOCAL_RANK": "0",  # Ray shows a task its own cards only
            "LOCAL_WORLD_SIZE": "1",
            "GROUP_RANK": str(self.rank),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }
        name = _interface("127.0.0.1" if self.address == "127.0.0.1" else self.own_address)
        if name is not None:
            variables.setdefault("GLOO_SOCKET_IFNAME", name)
        return variables


def find_place() -> tuple[str, int]:
    """Return the address of this node, and a port that is free there."""
    import ray

    address = ray.util.get_node_ip_address()
    with socket.socket() as probe:
        probe.bind(("", 0))
        return address, probe.getsockname()[1]


def execute_rank(setup: Setup, name: str, packed: bytes, task: _RankTask) -> _RankEnd:
    """Execute a rank in a separate process, which ends with this task."""
    with ranks_folder() as folder, Watch() as guard:
        request_path(folder).write_bytes(pickle.dumps((setup, name, packed)))
        command = [sys.executable, "-m", "penstock.execution.runners._rank", str(folder)]
        with (folder / "said").open("wb") as log:
            popen = subprocess.Popen(  # noqa: S603 - this interpreter on our own module
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=task.environment(),
                start_new_session=True,
            )  # fmt: skip
        guard.add(popen.pid)
        try:
            code = popen.wait()
        finally:
            guard.end(popen.pid)
            popen.wait()
        return _RankEnd(read_outcome(folder, task.rank), code, _tail(folder / "said"))


def _tail(path: Path) -> str:
    return path.read_bytes()[-_TAIL:].decode(errors="replace")


def _interface(address: str) -> str | None:
    """Return the name of the network interface that has an address; None if there is none."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(each.address == address for each in addresses):
            return str(name)
    return None


def _bundle(step: Step[..., Any], count: int) -> dict[str, float]:
    """Return the resources of a rank: processors, and the share of cards and memory."""
    resources = step.resources
    bundle: dict[str, float] = {"CPU": resources.cpu or 1}
    if resources.gpu:
        bundle["GPU"] = resources.gpu // count or resources.gpu / count
    if resources.memory:
        bundle["memory"] = parse_bytes(resources.memory) // count
    return bundle


def _resources_text(resources: dict[str, Any]) -> str:
    shown = {"CPU": "processors", "GPU": "cards"}
    return ", ".join(f"{resources.get(key, 0):g} {word}" for key, word in shown.items())
