"""The current run of this thread, task or notebook cell, kept in a single place.

The run that was started here, or around here, is the current run. A thread without an own run
uses the run that is active in the process, if exactly one exists: a pool inside of a run logs to
that run. Where several runs are active and none belongs to this thread, nothing is guessed.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NoReturn

from penstock.core import NotFoundError
from penstock.tracking._run import Run

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Origin:
    """Origin of an active run: thread, cell and outer run.

    Args:
        thread: Id of the thread.
        cell: Number of the notebook's cell; None outside of notebooks.
        before: The run that was current before.
        times: Number of blocks that use the run: several threads may work for the same run.
    """

    thread: int
    cell: int | None
    before: Run | None
    times: int = 1


_run: ContextVar[Run | None] = ContextVar("penstock_run", default=None)
_lock = threading.Lock()
_active: dict[Run, _Origin] = {}


def active_run() -> Run | None:
    """Return the run that is active here; None if there is none, or if several are possible.

    >>> active_run() is None
    True
    """
    run = _run.get()
    if run is not None and run in _active:
        return run
    return own_run() or _only_run()


def require_run() -> Run:
    """Return the run that is active here.

    Raises:
        NotFoundError: If there is none, or if the run that is meant cannot be determined.
    """
    run = active_run()
    if run is None:
        _refuse()
    return run


def own_run() -> Run | None:
    """Return the run that was started here or around here, and has not ended."""
    run, seen = _run.get(), 0
    while run is not None and run not in _active:
        run, seen = run.before, seen + 1
    return run


def outer_run(*, nested: bool) -> tuple[Run | None, bool]:
    """Return the run that a new run is started inside of.

    Returns:
        The outer run, and whether the new run may be nested there without ``nested``: the run of
        a different thread cannot be ended by this thread.

    Raises:
        NotFoundError: If the new run is to be nested, and the run that is meant cannot be
            determined.
    """
    here = threading.get_ident()
    own = own_run()
    if own is not None:
        return own, _active[own].thread != here
    with _lock:
        origins = dict(_active)
    if here == threading.main_thread().ident:
        cell = _cell()
        earlier = [run for run, origin in origins.items() if origin.cell != cell]
        # The cells of a notebook follow each other, though each has a context of its own.
        return (earlier[-1] if cell is not None and earlier else None), False
    main = threading.main_thread().ident
    of_main = [run for run, origin in origins.items() if origin.thread == main]
    if len(of_main) == 1:
        return of_main[0], True
    if nested and origins:
        _refuse()
    return None, True


def enter_run(run: Run, outer: Run | None) -> None:
    """Activate a run as the current run from here on, until `leave_run`.

    Args:
        run: The run.
        outer: The enclosing run; a different cell of a notebook may have started the outer
            run.
    """
    run.before = outer or own_run()
    with _lock:
        _active[run] = _Origin(threading.get_ident(), _cell(), run.before)
    _run.set(run)


def leave_run(run: Run) -> None:
    """End a run's time as the current run, wherever entered; the previous run is current again."""
    with _lock:
        _active.pop(run, None)
    if _run.get() is run:
        _run.set(own_run())


@contextmanager
def use_run(run: Run | None) -> Iterator[Run | None]:
    """Activate a run as the current run inside a with-block."""
    token = _run.set(run)
    if run is not None:
        _count(run, 1)
    try:
        yield run
    finally:
        _run.reset(token)
        if run is not None:
            _count(run, -1)


def _count(run: Run, change: int) -> None:
    with _lock:
        known = _active.get(run)
        times = change + (0 if known is None else known.times)
        if times <= 0:
            _active.pop(run, None)
        elif known is None:
            _active[run] = _Origin(threading.get_ident(), _cell(), None, times)
        else:
            _active[run] = _Origin(known.thread, known.cell, known.before, times)


def _only_run() -> Run | None:
    """Return the only active run; of nested runs of this thread the inner run."""
    with _lock:
        runs = list(_active)
        origins = list(_active.values())
    if len({run.run_id for run in runs}) == 1:
        return runs[0]
    here = threading.get_ident()
    chain = all(
        origin.thread == here and (place == 0 or origin.before is runs[place - 1])
        for place, origin in enumerate(origins)
    )
    return runs[-1] if runs and chain else None


def _refuse() -> NoReturn:
    with _lock:
        names = [f"{run.run_id} ({run.shown_name!r})" for run in _active]
    if not names:
        raise NotFoundError(
            what="No run is active here.",
            why="What is logged belongs to a run.",
            fix="Write: with penstock.start_run(): … or log inside a step of a running pipeline.",
        )
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise NotFoundError(
        what=f"{len(names)} runs are active in this process, and none was started in this thread:"
        f" {', '.join(names[:_SHOWN])}{more}.",
        why="Logging must not go to the wrong run.",
        fix="Log to the run itself, run.log_metric(…); or say whose child a new one is,"
        " start_run(parent=run).",
    )


def _cell() -> int | None:
    """Return the number of the notebook cell that is running; None outside of notebooks."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return None if shell is None else int(shell.execution_count)
