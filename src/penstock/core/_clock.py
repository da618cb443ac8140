"""The one clock: aware UTC time, replaceable in tests; apart so that nothing else asks the system."""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

_source: ContextVar[Callable[[], datetime] | None] = ContextVar("penstock_clock", default=None)


def now() -> datetime:
    """Return the time now, aware and in UTC.

    >>> now().tzinfo is UTC
    True
    """
    source = _source.get()
    return datetime.now(UTC) if source is None else source()


def set_clock(source: Callable[[], datetime] | None) -> None:
    """Replace the clock of this context; None puts the system's back."""
    _source.set(source)
