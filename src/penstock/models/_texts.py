"""Texts of a request, read by the training file's rule; apart because the code is the file's.

A row of the file and the same row as a request have equal features. Texts that the rule cannot
parse are left unchanged, and the readers of values refuse them with a message.
"""

import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from penstock.models._time_values import FIRST_SECOND
from penstock.models._values import MAX_TEXT
from penstock.tables import Column, to_seconds
from penstock.tables.reading import ReadingRule, is_missing_text, missing_in, read_values

# Python's own parser of ISO times parses these as the rule does: a single value needs no frame.
_ISO = {
    ("date", ""): re.compile(r"\d{4}-\d\d-\d\d", re.ASCII),
    ("datetime", ""): re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", re.ASCII),
    ("datetime", "UTC"): re.compile(
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", re.ASCII
    ),
}


def read_texts(values: Sequence[Any], column: Column, levels: frozenset[str] | None) -> list[Any]:
    """Replace texts by the values that the source would have read; missing marks by None.

    Args:
        values: The received values of a column.
        column: The column.
        levels: The column's categories; a category is a value, even if spelled like a missing
            mark.
    """
    rule = column.reading
    if rule is None:
        return list(values)
    if rule.type == "text":
        return [_read_text(value, rule, levels or frozenset()) for value in values]
    places = [place for place, value in enumerate(values) if _is_read(value, rule)]
    texts_read = list(values)
    if not places:
        return texts_read
    texts = _series([_as_text(values[place]) for place in places])
    trimmed = texts.str.strip_chars()
    missing, read = missing_in(trimmed, rule), read_values(texts, rule)
    for place, gone, value in zip(places, missing, read, strict=True):
        if gone or (value is not None and not _is_counter(value, rule, column)):
            texts_read[place] = value
        elif not isinstance(values[place], str):
            texts_read[place] = str(
                values[place]
            )  # a number that is no time must not become a time
    return texts_read


def _is_counter(value: Any, rule: ReadingRule, column: Column) -> bool:
    """Check for a number that would be a time long before training: 20240205 is no second."""
    if not rule.times.startswith("epoch_"):
        return False
    seconds = abs(to_seconds(value.replace(tzinfo=UTC)))
    return seconds < FIRST_SECOND and (column.minimum is None or column.minimum > FIRST_SECOND)


def _read_text(value: Any, rule: ReadingRule, levels: frozenset[str]) -> Any:
    if not isinstance(value, str) or value in levels or len(value) > MAX_TEXT:
        return value
    text = value
    if not (value.isascii() and value.isprintable()) or value[:1] == " " or value[-1:] == " ":
        try:
            text = _series([value]).str.strip_chars()[0]
        except UnicodeEncodeError:
            return value  # half a character: refused later with the field's name
    if text in levels:
        return text
    return None if is_missing_text(text, rule) else text


def _is_read(value: Any, rule: ReadingRule) -> bool:
    if isinstance(value, str):
        quick = _ISO.get((rule.type, rule.zone)) if rule.times == "iso" else None
        return len(value) <= MAX_TEXT and not (quick is not None and quick.fullmatch(value))
    # Numbers have the same meaning as in the file: a compact day, or the file's unit since 1970.
    return rule.times not in {"", "iso"} and type(value) in {int, float}


def _as_text(value: Any) -> str:
    if type(value) is float and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - exact
        return str(int(value))
    try:
        text = str(value)
        text.encode()
    except (UnicodeEncodeError, ValueError):
        return "\ufffd"  # half a character, or a number without end: not readable
    return text


def _series(texts: list[str]) -> Any:
    import polars as pl

    return pl.Series("texts", texts, dtype=pl.String)
