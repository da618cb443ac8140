"""Seconds since 1970 (UTC): the unit in which a column's limits hold dates and times."""

from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400


def to_seconds(value: date) -> float:
    """Return a date or time as seconds since 1970; a time without a zone counts as UTC.

    >>> to_seconds(date(1970, 1, 2))
    86400.0
    """
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float((value - _EPOCH.date()).days * _DAY_S)


def from_seconds(seconds: float) -> datetime:
    """Return seconds since 1970 as a time in UTC.

    >>> from_seconds(86_400.0).isoformat()
    '1970-01-02T00:00:00+00:00'
    """
    return _EPOCH + timedelta(seconds=seconds)
