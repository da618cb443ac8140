"""The current step of this thread or task, kept in a single place."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StepContext:
    """The step that is running.

    Args:
        step: Name of the step.
        step_run_id: Id of the step run in the store.
        seed: The seed that was set before the step.
        logged: Last value and step by metric logged while the step runs; a run that reuses the step
            gets these metrics too.
        key: The digest of all that the step's result depends on.
        checkpoints: Names of the states that the step stores with the run while it runs.
        run_id: The run of the step; threads inside of the step find the step by this id.
        shards: Number of logical shards that the step declares; None without.
        threads: Threads of numerical libraries that the step declares; None without.
        rank: Number of this process among those that execute the step together; None for one.
        notes: Facts that are recorded with the step run, such as how a module was trained.
    """

    step: str
    step_run_id: str
    seed: int
    logged: dict[str, tuple[float, float]] = field(default_factory=dict, compare=False)
    key: str | None = None
    checkpoints: set[str] = field(default_factory=set, compare=False)
    run_id: str = ""
    shards: int | None = None
    threads: int | None = None
    rank: int | None = None
    notes: dict[str, Any] = field(default_factory=dict, compare=False)


_step: ContextVar[StepContext | None] = ContextVar("penstock_step", default=None)
_lock = threading.Lock()
_running: list[StepContext] = []


def current_step() -> StepContext | None:
    """Return the step that is running here; None outside of steps.

    >>> current_step() is None
    True
    """
    return _step.get()


@contextmanager
def use_step(step: StepContext | None) -> Iterator[StepContext | None]:
    """Activate a step as the current step inside a with-block."""
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
    """Return the step that data logged to a run belongs to; see `current_step`.

    A thread inside of a step has no own step: the thread works for the running step.
    """
    step = _step.get()
    if step is not None or not _running:
        return step
    with _lock:
        contexts = list(_running)
    return contexts[0] if len(contexts) == 1 and contexts[0].run_id == run_id else None
