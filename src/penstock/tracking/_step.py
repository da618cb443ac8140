"""The current step of this thread or task: the one place that keeps it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StepContext:
    """The step that is running.

    Args:
        step: Its name.
        step_run_id: Its id in the store.
        seed: The seed that was set before it.
        logged: Last value and step by metric, of what is logged while it runs; a run that reuses
            the step gets its metrics too.
        key: The digest of all that its result depends on.
        checkpoints: Names of what it keeps with the run while it runs.
    """

    step: str
    step_run_id: str
    seed: int
    logged: dict[str, tuple[float, float]] = field(default_factory=dict, compare=False)
    key: str | None = None
    checkpoints: set[str] = field(default_factory=set, compare=False)


_step: ContextVar[StepContext | None] = ContextVar("penstock_step", default=None)


def current_step() -> StepContext | None:
    """Give the step that is running here; None outside of steps.

    >>> current_step() is None
    True
    """
    return _step.get()


@contextmanager
def use_step(step: StepContext | None) -> Iterator[StepContext | None]:
    """Make a step the current one inside a with-block."""
    token = _step.set(step)
    try:
        yield step
    finally:
        _step.reset(token)
