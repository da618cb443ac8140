"""The single clock: aware UTC time, replaceable in tests; no second module reads the system's."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_source: ContextVar[Callable[[], datetime] | None] = ContextVar("penstock_clock", default=None)


def now() -> datetime:
    """Return the time now, aware and in UTC.

    >>> now().tzinfo is UTC
    True
    """
    source = _source.get()
    return datetime.now(UTC) if source is None else source()


def now_micros() -> int:
    """Return the time now in whole microseconds since 1970; for points logged a million times.

    >>> abs(now_micros() - now().timestamp() * 1e6) < 1e6
    True
    """
    source = _source.get()
    if source is None:
        return time.time_ns() // 1000
    return (source() - _EPOCH) // timedelta(microseconds=1)


def set_clock(source: Callable[[], datetime] | None) -> None:
    """Replace the clock of this context; None restores the system's."""
    _source.set(source)
