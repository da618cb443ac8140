"""read_duration_text: durations as ISO 8601, Python, pandas and polars write them; see `_values`."""

import re
from datetime import timedelta
from decimal import Decimal

_SECONDS = r"(?P<seconds>\d{1,15}(?:[.,]\d{1,12})?)"
# Years and months have no fixed length. pandas writes -1 s as P-1DT23H59M59S.
_ISO = re.compile(
    rf"""(?P<sign>[+-]?)P(?=[+-]?\d|T\d)(?:(?P<weeks>\d{{1,9}})W)?(?:(?P<days>[+-]?\d{{1,9}})D)?
    (?:T(?=\d)(?:(?P<hours>\d{{1,9}})H)?(?:(?P<minutes>\d{{1,9}})M)?(?:{_SECONDS}S)?)?""",
    re.VERBOSE | re.ASCII,
)
# Behind days of its own sign the clock counts forwards, as in '-1 day, 23:59:30'.
_CLOCK = re.compile(
    r"""(?:(?P<days>[+-]?\d{1,9})[ ]days?,?[ ]\+?|(?P<sign>[+-]?))
    (?P<hours>\d{1,9}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d(?:\.\d{1,12})?)""",
    re.VERBOSE | re.ASCII,
)
_MICROSECONDS = 1_000_000


def read_duration_text(text: str) -> timedelta | None:
    """Read a duration; None if the text is none, or does not say which unit is meant, as '1:30'.

    >>> str(read_duration_text("PT1H30M")), str(read_duration_text("-1 day, 23:59:30"))
    ('1:30:00', '-1 day, 23:59:30')

    Raises:
        OverflowError: If no timedelta is that long.
    """
    plain = text.strip()
    found = _ISO.fullmatch(plain) or _CLOCK.fullmatch(plain)
    if found is None:
        return None
    parts = {name: part or "0" for name, part in found.groupdict().items()}
    seconds = Decimal(parts["seconds"].replace(",", "."))
    duration = timedelta(
        weeks=int(parts.get("weeks", "0")),
        days=int(parts["days"]),
        hours=int(parts["hours"]),
        minutes=int(parts["minutes"]),
        microseconds=int((seconds * _MICROSECONDS).to_integral_value()),
    )
    return -duration if parts["sign"] == "-" else duration
