"""RunOrder: a whole run to be executed in any process, and RunEnd: the end of the run."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from penstock.core import PenstockError, RunRecord, RunState, StepRunRecord
from penstock.execution.engine import (
    PipelineResult,
    RunOptions,
    new_session,
    perform,
    project_of,
    resumed_session,
)
from penstock.execution.runners._local import LocalRunner
from penstock.hooks import Courier
from penstock.pipelines import Pipeline
from penstock.stores import Store
from penstock.tracking import Run, RunsHeartbeat, RunStopped, listen_to_metrics, use_run

_HOOKS_EVERY_S = 1.0


@dataclass(frozen=True)
class RunOrder:
    """A run of a pipeline, to be executed in this process or a different process.

    Args:
        run_id: Id of the run.
        params: Parameters of the pipeline, as values or text.
        parent: Id of the outer run.
        options: Options of the run by name, as in RunOptions.
        resumes: True if the run exists and is to be resumed.
        watched: Name of the metric whose points are passed on while the run works; or None.
    """

    run_id: str
    params: Mapping[str, Any]
    parent: str
    options: Mapping[str, Any] = field(default_factory=dict)
    resumes: bool = False
    watched: str | None = None


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How an ordered run ended.

    Args:
        run_id: Id of the run.
        state: State at the end; None if the run could not be started.
        error: Line about the failure; or None.
        stopped: True if the run was stopped at a logged metric.
        refusal: The error because of which the run could not be started; or None.
        record: The run's record at the end; None if the process does not know the run.
    """

    run_id: str
    state: RunState | None
    error: str | None = None
    stopped: bool = False
    refusal: PenstockError | None = None
    record: RunRecord | None = None


class RunListener(Protocol):
    """Receiver of an ordered run's start and points; called in the process of the run."""

    def started(self, run_id: str) -> None:
        """Take note that the run is recorded."""
        ...

    def reported(self, run_id: str, value: float, step: float | None) -> bool:
        """Take a point of the watched metric; return whether the run is to be stopped."""
        ...


class RunExecutor:
    """Executes ordered runs in sequence in this process, as a with-block.

    Shared objects of a study's runs are made once: the project's folder, the outer run, the heartbeat,
    the delivery of events to hooks, and the recorded state of the process while unchanged.

    Args:
        pipeline: The pipeline of the runs.
        store: Store that records the runs.
        listener: Receiver of starts and points.
    """

    def __init__(self, pipeline: Pipeline[..., Any], store: Store, listener: RunListener) -> None:
        self._pipeline, self._store, self.listener = pipeline, store, listener
        self._project = project_of(pipeline.file)
        self._runner, self._reporter = LocalRunner(), _Announcer(listener)
        self._heartbeat = RunsHeartbeat(store=store)
        self._courier, self._looked_at = Courier(store=store), -_HOOKS_EVERY_S
        self._parents: dict[str, Run] = {}

    def execute(self, order: RunOrder) -> RunEnd:
        """Execute an ordered run; a failure is part of the end.

        Raises:
            KeyboardInterrupt: If the run is interrupted; the run is marked as killed.
        """
        self._deliver_events()
        options = RunOptions(**order.options, run_id=order.run_id, store=self._store)
        watcher, check = _watcher(order, self.listener), self._runner.check
        try:
            with use_run(self._parent(order.parent)), listen_to_metrics(watcher):
                if order.resumes:
                    session = resumed_session(
                        order.run_id, self._pipeline, {}, options, self._reporter, check=check
                    )
                else:
                    session = new_session(
                        self._pipeline,
                        order.params,
                        options,
                        self._reporter,
                        check=check,
                        project=self._project,
                    )
                result = perform(self._runner, session, shared=self._heartbeat)
        except RunStopped as stop:
            return RunEnd(order.run_id, RunState.KILLED, str(stop), stopped=True)
        except PenstockError as error:
            return RunEnd(order.run_id, None, str(error), refusal=error)
        return RunEnd(order.run_id, result.state, result.error, record=session.run.record)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._heartbeat.stop()
        self._courier.stop()

    def _parent(self, run_id: str) -> Run:
        if run_id not in self._parents:
            record = self._store.metadata.runs.get(run_id)
            self._parents[run_id] = Run(record, self._store)
        return self._parents[run_id]

    def _deliver_events(self) -> None:
        """Deliver events from now on, if there are hooks by now."""
        moment = time.monotonic()
        if moment - self._looked_at >= _HOOKS_EVERY_S and not self._courier.is_started:
            self._looked_at = moment
            self._courier.start()


def _watcher(
    order: RunOrder, listener: RunListener
) -> Callable[[str, str, float, float | None], None]:
    def watch(run_id: str, key: str, value: float, step: float | None) -> None:
        if key != order.watched or run_id != order.run_id:
            return
        if listener.reported(run_id, float(value), step):
            raise RunStopped(f"pruned: {key} was {value:g}" + _at(step))

    return watch


def _at(step: float | None) -> str:
    return "" if step is None else f" at step {step:g}"


class _Announcer:
    """Reporter that passes on only that the run is recorded."""

    def __init__(self, listener: RunListener) -> None:
        self._listener = listener

    def run_started(self, run_id: str, name: str, steps: Sequence[str]) -> None:  # noqa: ARG002
        """See Reporter."""
        self._listener.started(run_id)

    def step_started(self, step: str) -> None:
        """See Reporter."""

    def items_started(self, step: str, count: int) -> None:
        """See Reporter."""

    def item_finished(self, step: str, record: StepRunRecord) -> None:
        """See Reporter."""

    def step_finished(self, record: StepRunRecord) -> None:
        """See Reporter."""

    def run_finished(self, result: PipelineResult) -> None:
        """See Reporter."""
