"""RunOptions: how a pipeline is run, in an object from the caller to the scheduler."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from penstock.core import require_choice, require_number
from penstock.execution.engine._reporter import Reporter
from penstock.stores import Store

# The failure policy: what a failed step means for the steps that do not depend on it.
OnFailure = Literal["finish_independent", "stop"]
RunnerName = Literal["local", "processes", "ray"]

RECORDED = frozenset({
    "seed", "only", "from_step", "until", "name", "experiment", "tags", "entry", "partition",
    "run_id", "store",
})  # fmt: skip
"""Options that are fixed when a run is recorded; the rest control how steps are executed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """How a pipeline is run; `run` takes the same options by keyword.

    >>> RunOptions(workers=2).stop_on_failure
    False

    Args:
        runner: Name of the runner that executes the steps.
        workers: Maximum number of steps at the same time, where there are workers; None for the
            number for each core.
        on_failure: Failure policy.
        seed: The run seed that every step's seed derives from.
        use_cache: False to execute every step, even if a cached result exists.
        refresh: Names of steps to execute even if a cached result exists.
        only: Names of the only steps to execute, on results of earlier runs.
        from_step: Execute this step and all that depend on the result, on results of earlier runs.
        until: Execute this step and the predecessors.
        name: Name of the run; None for the pipeline's name.
        experiment: Experiment that groups the run; None for the pipeline's name.
        tags: Tags of the run.
        entry: Entry point of the run; None for where the pipeline is defined.
        partition: Key of the pipeline's partition to run.
        run_id: Id of the run; None for a new id.
        reporter: Progress reporter; None for the default of the terminal.
        store: Store or store URL; None for the project's store.

    Raises:
        ParameterError: If an option cannot be used, whatever the pipeline.
    """

    runner: RunnerName = "local"
    workers: int | None = None
    on_failure: OnFailure = "finish_independent"
    seed: int = 0
    use_cache: bool = True
    refresh: Iterable[str] = ()
    only: Iterable[str] = ()
    from_step: str | None = None
    until: str | None = None
    name: str | None = None
    experiment: str | None = None
    tags: Mapping[str, object] | None = None
    entry: str | None = None
    partition: str | None = None
    run_id: str | None = None
    reporter: Reporter | None = None
    store: Store | str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None:
            require_number("workers", self.workers, low=1, whole=True)
        require_choice("on_failure", self.on_failure, get_args(OnFailure))
        require_number("seed", self.seed, low=0, whole=True)

    @property
    def stop_on_failure(self) -> bool:
        """True to end the running steps and start no more after a failure."""
        return self.on_failure == "stop"
