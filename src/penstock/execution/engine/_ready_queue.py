"""ReadyQueue: which steps can start now, which wait for steps, and which for a moment.

The order is the same for all runners: by priority, then in the order of the pipeline's body, so
that a single worker executes the steps in the order in which the body is read.
"""

import heapq
import time
from collections.abc import Callable, Collection, Sequence

from penstock.execution.step import Work
from penstock.pipelines import Node

Rank = tuple[int, ...]
"""Position of a node in the pipeline's body; for an item, below the position of the map."""


class ReadyQueue:
    """The steps of a run that have not started.

    Args:
        clock: Seconds, ever increasing.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready: list[tuple[int, Rank, Node]] = []
        self._postponed: list[tuple[float, Rank, Work]] = []
        self._needed: dict[str, set[str]] = {}  # by waiting node: unfinished nodes before it
        self._followers: dict[str, list[Node]] = {}
        self._ranks: dict[str, Rank] = {}
        self._unfinished: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._ready or self._postponed)

    def add(
        self, nodes: Sequence[Node], below: Rank = (), only: Collection[str] | None = None
    ) -> None:
        """Add nodes; nodes without unfinished predecessors are ready.

        Args:
            nodes: Nodes in the order of the body.
            below: Rank of the map or loop whose item they are.
            only: Names of the nodes to add; None for all.
        """
        chosen = [
            (place, node) for place, node in enumerate(nodes) if only is None or node.name in only
        ]
        self._unfinished.update(node.name for _, node in chosen)
        for place, node in chosen:
            self._ranks[node.name] = (*below, place)
            needed = {name for name in node.needs if name in self._unfinished}
            for name in needed:
                self._followers.setdefault(name, []).append(node)
            if needed:
                self._needed[node.name] = needed
            else:
                self._push(node)

    def rank(self, name: str) -> Rank:
        """Return the rank of a node that was added."""
        return self._ranks[name]

    def pop(self) -> Node | None:
        """Remove and return the first ready node; None if no node is ready."""
        return heapq.heappop(self._ready)[2] if self._ready else None

    def postpone(self, work: Work, seconds: float) -> None:
        """Keep planned work until a time: a retry, or something that the step needs is in use."""
        entry = (self._clock() + seconds, self._ranks[work.node.name], work)
        heapq.heappush(self._postponed, entry)

    def pop_due(self) -> Work | None:
        """Remove and return postponed work whose time has come; None if there is none."""
        if self._postponed and self._postponed[0][0] <= self._clock():
            return heapq.heappop(self._postponed)[2]
        return None

    def seconds_to_next(self) -> float | None:
        """Return the seconds until postponed work is due; None if nothing is postponed."""
        return max(0.0, self._postponed[0][0] - self._clock()) if self._postponed else None

    def drop_postponed(self) -> None:
        """Forget postponed work: the run is being stopped."""
        self._postponed.clear()

    def end(self, name: str) -> None:
        """Record that a node has ended: followers that wait for no further node are ready."""
        self._unfinished.discard(name)
        for follower in self._followers.pop(name, ()):
            needed = self._needed[follower.name]
            needed.discard(name)
            if not needed:
                del self._needed[follower.name]
                self._push(follower)

    def _push(self, node: Node) -> None:
        heapq.heappush(self._ready, (-node.step.priority, self._ranks[node.name], node))
