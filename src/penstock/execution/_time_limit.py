"""A limit on how long a block may run, by the operating system's alarm."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def time_limit(seconds: float | None) -> Iterator[bool]:
    """Raise TimeoutError in the block after so many seconds.

    Only the main thread of a process can be interrupted, and not while it is inside a C function
    that does not return to Python; elsewhere the limit is not enforced.

    Args:
        seconds: The limit, above 0; None for no limit.

    Yields:
        True if the limit is enforced or there is none.

    Raises:
        TimeoutError: If the block ran longer.
    """
    if seconds is None:
        yield True
        return
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield False
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"it ran longer than its timeout of {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
