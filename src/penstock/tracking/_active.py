"""The current run of this thread or task: the one place that keeps it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from penstock.core import NotFoundError
from penstock.tracking._run import Run

_run: ContextVar[Run | None] = ContextVar("penstock_run", default=None)


def current_run() -> Run | None:
    """Give the run that is active here; None if there is none.

    >>> current_run() is None
    True
    """
    return _run.get()


def require_run() -> Run:
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


def set_run(run: Run | None) -> None:
    """Make a run the current one from here on, without an end; prefer `use_run`."""
    _run.set(run)


@contextmanager
def use_run(run: Run | None) -> Iterator[Run | None]:
    """Make a run the current one inside a with-block."""
    token = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(token)
