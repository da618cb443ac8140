"""LocalRunner: executes the steps of a run in this process, in sequence.

In sequence because the generators of random, numpy and torch and the thread counts belong to the
process: two steps at the same time would make results depend on timing.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from penstock.core import ParameterError, StepRunRecord
from penstock.execution.engine import Session, StepScheduler, Values, Workers
from penstock.execution.runners._processes import process_pool
from penstock.execution.step import Outcome, Work, Workplace, can_limit_time
from penstock.pipelines import Graph
from penstock.provenance import StateKeeper


class LocalRunner:
    """Runner that executes steps in the calling thread; serves any number of runs in sequence."""

    def __init__(self) -> None:
        self._keeper: StateKeeper | None = None

    def check(self, graph: Graph) -> None:
        """Refuse timeouts that cannot be enforced here.

        Raises:
            ParameterError: If a step has a timeout, and this is not the main thread.
        """
        if can_limit_time():
            return
        for node in graph.nodes:
            if node.step.timeout is not None and not node.step.isolate:
                raise ParameterError(
                    what=f"Step {node.name!r} has a timeout of {node.step.timeout}, which cannot be"
                    " enforced here.",
                    why="A step that runs in this process is interrupted by an alarm, which only the"
                    " main thread gets.",
                    fix="Isolate it: @step(isolate=True), or run all steps in"
                    " processes: runner='processes' (--runner processes).",
                    step=node.name,
                )

    def run(self, session: Session) -> list[StepRunRecord]:
        """See Runner."""
        if self._keeper is None or not self._keeper.is_current():
            self._keeper = StateKeeper()
        with ExitStack() as pools:
            here = _Here(
                Workplace(session.store, session.project, session.pipeline, keeper=self._keeper),
                lambda: pools.enter_context(process_pool(session, size=1)),
            )
            return StepScheduler(session, here).run()


class _Here:
    """Workers of a single thread: a step at a time is accepted, and executed in `wait`.

    Args:
        workplace: Executes the steps.
        make_pool: Makes the process for steps that need a separate process.
    """

    def __init__(self, workplace: Workplace, make_pool: Callable[[], Workers]) -> None:
        self._workplace, self._make_pool = workplace, make_pool
        self._pool: Workers | None = None
        self._taken: tuple[Work, Values] | None = None

    @property
    def has_room(self) -> bool:
        """See Workers."""
        return self._taken is None

    def can_take(self, work: Work) -> bool:  # noqa: ARG002 - one step at a time has all cards
        """See Workers."""
        return True

    def submit(self, work: Work, values: Values) -> None:
        """See Workers."""
        self._taken = (work, values)

    def wait(self, seconds: float | None) -> Sequence[tuple[Work, Outcome]]:
        """See Workers."""
        if self._taken is None:
            return ()
        work, values = self._taken
        if work.node.step.isolate:
            return self._elsewhere(work, values, seconds)
        try:
            return ((work, self._workplace.do(work, _inputs(values, work))),)
        finally:
            self._taken = None

    def cancel(self) -> None:
        """See Workers."""
        self._taken = None
        if self._pool is not None:
            self._pool.cancel()

    def _elsewhere(
        self, work: Work, values: Values, seconds: float | None
    ) -> Sequence[tuple[Work, Outcome]]:
        if self._pool is None:
            self._pool = self._make_pool()
        if self._pool.has_room:
            self._pool.submit(work, values)
        ended = self._pool.wait(seconds)
        if ended:
            self._taken = None
        return ended


def _inputs(values: Values, work: Work) -> dict[str, object] | Exception:
    try:
        return values.inputs(work.node)
    except Exception as error:  # noqa: BLE001 - a value that cannot be read fails its step
        return error
