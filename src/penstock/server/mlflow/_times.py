"""Times as protobuf's JSON form writes them."""

from datetime import datetime

from penstock.server.mlflow._desk import from_ms, to_ms
from penstock.server.mlflow._errors import invalid


def read_time(text: str, name: str) -> int:
    """Return a time in milliseconds since 1970.

    >>> read_time("1970-01-01T00:00:01.5Z", "request_time")
    1500

    Args:
        text: The time as it was sent.
        name: The field, for messages.
    """
    try:
        found = to_ms(datetime.fromisoformat(text))
    except (ValueError, TypeError, OverflowError):
        found = None
    if found is None or found < 0:
        raise invalid(f"Invalid value {text[:100]!r} for parameter '{name}' supplied.")
    return found


def write_time(value: int, name: str) -> str:
    """Return milliseconds since 1970 as a client reads them.

    >>> write_time(1500, "request_time")
    '1970-01-01T00:00:01.500Z'
    """
    return from_ms(value, name).isoformat(timespec="milliseconds").replace("+00:00", "Z")
