"""The current run and step of this thread or task: the one place that keeps them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.core import NotFoundError

if TYPE_CHECKING:
    from penstock.tracking._run import Run


@dataclass(frozen=True, slots=True)
class StepContext:
    """The step that is running.

    Args:
        step: Its name.
        step_run_id: Its id in the store.
        seed: The seed that was set before it.
    """

    step: str
    step_run_id: str
    seed: int


_run: ContextVar["Run | None"] = ContextVar("penstock_run", default=None)
_step: ContextVar[StepContext | None] = ContextVar("penstock_step", default=None)


def current_run() -> "Run | None":
    """Give the run that is active here; None if there is none.

    >>> current_run() is None
    True
    """
    return _run.get()


def require_run() -> "Run":
    """Give the run that is active here.

    Raises:
        NotFoundError: If there is none.
    """
    run = _run.get()
    if run is None:
        raise NotFoundError(
            what="No run is active here.",
            why="What is logged belongs to a run.",
            fix="Write: with penstock.start_run(): … or log inside a step of a running pipeline.",
        )
    return run


def set_run(run: "Run | None") -> None:
    """Make a run the current one from here on, without an end; prefer `use_run`."""
    _run.set(run)


@contextmanager
def use_run(run: "Run | None") -> Iterator["Run | None"]:
    """Make a run the current one inside a with-block."""
    token = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(token)


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
