"""Time limit of a block, by the operating system's alarm."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 1.0  # interval after the limit, for code that catches everything and continues


class _OverTimeError(BaseException):
    """Raised in code that is over the time limit; not caught by ``except Exception``."""


def can_limit_time() -> bool:
    """Return whether a limit can be enforced here: only the main thread can be interrupted."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and hasattr(signal, "SIGALRM")


@contextmanager
def time_limit(seconds: float | None) -> Iterator[bool]:
    """Raise TimeoutError from the block after a number of seconds.

    Only the main thread of a process can be interrupted, and not inside a C function
    that does not return to Python. There, and where the code catches the exception and continues,
    the error is raised when the block has ended.

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
