"""A limit on how long a block may run, by the operating system's alarm."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 1.0  # after the limit, for code that catches everything and goes on


class _OverTimeError(BaseException):
    """Ends code that is over its time; no ``except Exception`` of it catches this."""


def can_limit_time() -> bool:
    """Say whether a limit can be enforced here: only a process's main thread can be interrupted."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and hasattr(signal, "SIGALRM")


@contextmanager
def time_limit(seconds: float | None) -> Iterator[bool]:
    """Raise TimeoutError from the block after so many seconds.

    Only the main thread of a process can be interrupted, and not while it is inside a C function
    that does not return to Python. There, and where the code goes on whatever is raised in it, a
    block that has ended too late raises all the same.

    Args:
        seconds: The limit, above 0; None for no limit.

    Yields:
        True if the block can be interrupted, or there is no limit.

    Raises:
        TimeoutError: If the block ran longer.
    """
    if seconds is None:
        yield True
        return
    began = time.monotonic()
    enforced = can_limit_time()
    running = True

    def ring(_number: int, _frame: FrameType | None) -> None:
        if running:
            raise _OverTimeError

    before = None
    if enforced:
        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield enforced
    except _OverTimeError as error:
        raise _too_late(seconds).with_traceback(error.__traceback__) from None
    finally:
        running = False
        if enforced:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    if time.monotonic() - began > seconds:
        raise _too_late(seconds)


def _too_late(seconds: float) -> TimeoutError:
    return TimeoutError(f"it ran longer than its timeout of {seconds:g} s")
