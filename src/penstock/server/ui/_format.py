"""Numbers, times and values in readable form; apart because every template uses them."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.core import now

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = ("B", "kB", "MB", "GB", "TB")
_NONE = "\u2013"


def ago(moment: datetime | None) -> str:
    """Format how long ago a time was.

    >>> from datetime import timedelta
    >>> ago(now() - timedelta(minutes=3))
    '3 min ago'
    """
    if moment is None:
        return _NONE
    seconds = (now() - moment).total_seconds()
    if seconds < 0:
        return "in " + _rough(-seconds)
    return "just now" if seconds < 5 else _rough(seconds) + " ago"  # noqa: PLR2004 - five seconds


def _rough(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} h"
    days = seconds / _DAY
    if days < 60:  # noqa: PLR2004 - two months
        return f"{days:.0f} days"
    return f"{days / 30.44:.0f} months" if days < 730 else f"{days / 365.25:.0f} years"  # noqa: PLR2004


def exact(moment: datetime | None) -> str:
    """Format a time in full, UTC."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Compute the seconds from start to end, or to now without an end; None without a start."""
    if start is None:
        return None
    return max(0.0, ((end or now()) - start).total_seconds())


def duration(seconds: float | None) -> str:
    """Format a duration.

    >>> duration(0.0123), duration(2.5), duration(64), duration(7500)
    ('12 ms', '2.5 s', '1 min 04 s', '2 h 05 min')
    """
    if seconds is None or seconds < 0:  # a client of MLflow may set an end before the beginning
        return _NONE
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "< 1 ms"  # noqa: PLR2004
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def number(value: Any) -> str:
    """Format a number with four decimals below 1 and four significant digits above.

    Whole numbers are written in full. Figures of the same kind therefore align.

    >>> number(0.812345), number(0.02), number(12.3456), number(123.0), number(0.0000123)
    ('0.8123', '0.0200', '12.35', '123', '1.23e-05')
    >>> number(None), number(True)
    ('\u2013', 'true')
    """
    if value is None:
        return _NONE
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "\u2212∞"}.get(value, "NaN")
    if float(value).is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - exact as a float
        return f"{int(value):,}".replace(",", "\u2009").replace("-", "\u2212")
    magnitude = math.floor(math.log10(abs(value)))
    if not -3 < magnitude < 7:  # noqa: PLR2004 - beyond this, three digits read better
        text = f"{value:.3g}"
        return "\u2212" + text[1:] if value < 0 else text
    text = f"{value:,.{min(4, max(0, 3 - magnitude))}f}".replace(",", "\u2009")
    return text.replace("-", "\u2212")


def signed(value: float | None) -> str:
    """Format a difference with the sign.

    >>> signed(0.25), signed(-0.25), signed(0.0)
    ('+0.2500', '\u22120.2500', '0')
    """
    return ("+" if value is not None and value > 0 else "") + number(value)


def percent(share: float | None) -> str:
    """Format a share (0 to 1) in percent.

    >>> print(percent(0.05), percent(0.1234), percent(1), sep="; ")
    5\u202f%; 12.3\u202f%; 100\u202f%
    """
    if share is None or not math.isfinite(share):
        return _NONE
    return f"{share * 100:.1f}".removesuffix(".0") + "\u202f%"


def size(count: int | None) -> str:
    """Format a number of bytes.

    >>> size(0), size(1536), size(5_000_000)
    ('0 B', '1.5 kB', '5.0 MB')
    """
    if count is None:
        return _NONE
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - SI steps
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def value_text(value: Any, limit: int = 200) -> str:
    """Format any JSON-like value in a single line.

    >>> value_text({"a": [1, 2]}), value_text("x"), value_text(None)
    ('{"a": [1, 2]}', 'x', '\u2013')
    """
    if value is None:
        return _NONE
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool | int | float):
        text = json.dumps(value)
    elif isinstance(value, Mapping | Sequence):
        text = json.dumps(value, default=str, ensure_ascii=False)
    else:
        text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Format a count with the noun.

    >>> plural(1, "run"), plural(3, "run"), plural(2, "entry", "entries")
    ('1 run', '3 runs', '2 entries')
    """
    return f"{number(count)} {noun if count == 1 else many or noun + 's'}"
