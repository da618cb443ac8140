"""Durations as people write them: ``10m``, ``1h30m``, ``2 days``."""

import re
from datetime import timedelta

from penstock.core._errors import ParameterError

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WORDS = {
    "second": "s",
    "sec": "s",
    "minute": "m",
    "min": "m",
    "hour": "h",
    "day": "d",
    "week": "w",
}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def parse_duration(text: str | float | timedelta) -> timedelta:
    """Read a duration from text.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    >>> parse_duration("2 days")
    datetime.timedelta(days=2)

    Args:
        text: Numbers with units ms, s, m, h, d, w (or their words); a bare number is seconds.

    Raises:
        ParameterError: If the text cannot be read.
    """
    if isinstance(text, timedelta):
        return text
    if isinstance(text, int | float):
        return timedelta(seconds=text)
    rest, total = text.lower(), 0.0
    try:
        return timedelta(seconds=float(rest))
    except ValueError:
        pass
    position = 0
    while position < max(len(rest), 1):
        part = _PART.match(rest, position)
        unit = part and _unit(part[2])
        if not part or not unit:
            raise ParameterError(
                what=f"{text!r} is no duration.",
                fix="Write for example '10m', '1h30m', '7d' or '2 weeks'.",
                text=text,
            )
        total += float(part[1]) * _SECONDS[unit]
        position = part.end()
    return timedelta(seconds=total)


def _unit(word: str) -> str | None:
    if word in _SECONDS:
        return word
    return _WORDS.get(word.removesuffix("s"))
