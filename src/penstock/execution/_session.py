"""Session and Runner: all that executing one run needs, and the seam to where it is executed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from penstock.core import StepRunRecord
from penstock.execution._protocol import Reporter
from penstock.execution._result import StepResult
from penstock.pipelines import Graph, Pipeline
from penstock.stores import Store
from penstock.tracking import Run


@dataclass(frozen=True)
class Session:
    """One run about to be executed.

    Args:
        run: The run, recorded and running.
        graph: What to execute.
        store: Where to record it.
        project: The folder that the user's code is in.
        seed: The run seed.
        reporter: Whom to tell.
        use_cache: False to execute steps whatever is known.
        refresh: Steps to execute even if their result is known.
        earlier: Steps of an earlier attempt of this run, by name.
        stop_on_failure: True to begin no other step once one has failed, and to end what runs.
        pipeline: What the graph was traced from: workers in other processes trace it again.
        workers: How many steps may run at once where there are workers; None for one per core.
        alone: The only step to execute: all that it needs must be in ``earlier``.
    """

    run: Run
    graph: Graph
    store: Store
    project: Path
    seed: int
    reporter: Reporter
    use_cache: bool = True
    refresh: frozenset[str] = frozenset()
    earlier: Mapping[str, StepRunRecord] = field(default_factory=dict)
    stop_on_failure: bool = False
    pipeline: Pipeline[..., Any] | None = None
    workers: int | None = None
    alone: str | None = None


class Runner(Protocol):
    """Executes the steps of a session and records each in its store.

    ``run`` is called once, in the thread that the user waits in. It records every step before it
    returns, and lets KeyboardInterrupt through after marking the step that was running as killed.
    """

    def run(self, session: Session) -> list[StepResult]:
        """Execute every step that can run, in order, and give their results."""
        ...
