"""Session and Runner: the inputs of a run's execution, and the seam to the place of execution."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from penstock.core import StepRunRecord
from penstock.execution.engine._reporter import Reporter
from penstock.pipelines import Graph, Pipeline
from penstock.stores import Store
from penstock.tracking import Run


@dataclass(frozen=True)
class Session:
    """A run about to be executed.

    Args:
        run: The run, recorded and running.
        graph: Graph to execute.
        store: Store that records the run.
        project: Folder of the user's code.
        seed: The run seed.
        reporter: Progress reporter.
        use_cache: False to execute steps even if a cached result exists.
        refresh: Steps to execute even if a cached result exists.
        earlier: Step runs of an earlier attempt of this run, by name.
        stop_on_failure: True to end the running steps and start no more after a failure.
        pipeline: Pipeline of the graph: workers in separate processes trace the pipeline again.
        workers: Maximum number of steps at the same time where there are workers; None for one per
            core.
        alone: The only step to execute: all steps needed must be in ``earlier``.
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
    """The execution of a session's steps, each recorded in the session's store.

    ``run`` is called once, in the thread in which the user waits. ``run`` records every step before
    it returns, and passes KeyboardInterrupt on after marking the running step as killed.
    """

    def run(self, session: Session) -> list[StepRunRecord]:
        """Execute every step that can run, in order, and return the step runs in the pipeline's order."""
        ...
