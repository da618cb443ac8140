"""The current step of this thread or task: the one place that keeps it."""

import threading
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
        run_id: The run that it is a step of; threads inside of the step find it by that.
    """

    step: str
    step_run_id: str
    seed: int
    logged: dict[str, tuple[float, float]] = field(default_factory=dict, compare=False)
    key: str | None = None
    checkpoints: set[str] = field(default_factory=set, compare=False)
    run_id: str = ""


_step: ContextVar[StepContext | None] = ContextVar("penstock_step", default=None)
_lock = threading.Lock()
_running: list[StepContext] = []


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
    if step is not None:
        with _lock:
            _running.append(step)
    try:
        yield step
    finally:
        _step.reset(token)
        if step is not None:
            with _lock:
                _running[:] = [other for other in _running if other is not step]


def step_of(run_id: str) -> StepContext | None:
    """Give the step that something logged to a run belongs to; see `current_step`.

    A thread inside of a step has no step of its own: it works for the one that is running.
    """
    step = _step.get()
    if step is not None or not _running:
        return step
    with _lock:
        found = list(_running)
    return found[0] if len(found) == 1 and found[0].run_id == run_id else None
