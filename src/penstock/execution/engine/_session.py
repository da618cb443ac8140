"""Session and Runner: the inputs of a run's execution, and the seam to the place of execution."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from penstock.core import StepRunRecord
from penstock.execution.engine._options import RunOptions
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
        seed: The run seed; a resumed run keeps that of its first attempt, regardless of the
            options.
        reporter: Progress reporter.
        options: Options of the run.
        refresh: Nodes to execute even if a cached result exists.
        earlier: Step runs of an earlier attempt of this run, by name.
        pipeline: Pipeline of the graph: workers in separate processes trace the pipeline again.
        alone: The only step to execute: all steps needed must be in ``earlier``.
        retries: False if the caller retries a step that fails.
    """

    run: Run
    graph: Graph
    store: Store
    project: Path
    seed: int
    reporter: Reporter
    options: RunOptions = field(default_factory=RunOptions)
    refresh: frozenset[str] = frozenset()
    earlier: Mapping[str, StepRunRecord] = field(default_factory=dict)
    pipeline: Pipeline[..., Any] | None = None
    alone: str | None = None
    retries: bool = True


class Runner(Protocol):
    """The execution of a session's steps, each recorded in the session's store.

    ``run`` is called once, in the thread in which the user waits. ``run`` records every step before
    the call returns, and passes KeyboardInterrupt on after marking the running step as killed.
    """

    def check(self, graph: Graph) -> None:
        """Refuse a graph that cannot be executed as the steps require.

        Raises:
            ParameterError: If an option of a step cannot be kept here.
        """
        ...

    def run(self, session: Session) -> list[StepRunRecord]:
        """Execute every step that can run, in order, and return the step runs in the pipeline's order."""
        ...
