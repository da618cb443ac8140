"""Identifiers that sort by time, and checks of names."""

import os
import re
import time

from penstock.core._errors import ParameterError
from penstock.core._words import with_article

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
# A letter for each 5 bits; two at once, as an id is made for every step.
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_LEGAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# PostgreSQL indexes at most 2,704 bytes, of which names share some with ids.
LABEL_BYTES = 1000
TEXT_BYTES = 1_000_000  # of the value of a tag and of a note: MLflow has 100,000 characters at most
NAME_BYTES = 2000  # of experiments and models: MLflow has 500 characters, of four bytes at most


def new_id() -> str:
    """Return a new unique id of 20 characters that sorts by creation time.

    >>> first = new_id()
    >>> len(first)
    20
    """
    number = (time.time_ns() // 1_000_000) << 52 | int.from_bytes(os.urandom(7), "big") >> 4
    return "".join([_PAIRS[number >> place & 1023] for place in range(90, -10, -10)])


def require_name(name: object, kind: str) -> str:
    """Return the name if legal for a model, an experiment, ….

    >>> require_name("big-tips", "model")
    'big-tips'

    Args:
        name: The user's choice.
        kind: Kind of the named object, for the message.

    Raises:
        ParameterError: If the name has characters that do not survive a URL or a file name.
    """
    if isinstance(name, str) and _LEGAL_NAME.fullmatch(name):
        return name
    proposal = re.sub(r"[^A-Za-z0-9._-]+", "-", str(name)).strip("-.")[:100] or "my-" + kind
    raise ParameterError(
        what=f"{name!r} is no legal name for {'an' if kind[0] in 'aeiou' else 'a'} {kind}.",
        why="Names appear in URLs, files and commands: letters, digits, '.', '_' and '-' only.",
        fix=f"Use for example {proposal!r}.",
        name=name,
    )


def require_short(text: str, what: str, *, most: int = TEXT_BYTES) -> str:
    """Return a text that is not longer than it may be.

    >>> require_short("fast", "The tag 'speed'")
    'fast'

    Args:
        text: Any text.
        what: What the text is, for the message.
        most: Longest text, bytes in UTF-8.

    Raises:
        ParameterError: If it is longer.
    """
    # A character has four bytes at most: short texts, as almost all are, are not encoded.
    if 4 * len(text) <= most or (size := len(text.encode("utf-8", "replace"))) <= most:
        return text
    raise ParameterError(
        what=f"{what} has {size:,} bytes: {text[:60]!r}…",
        why=f"Every list and search returns it; at most {most:,} bytes are stored.",
        fix="Shorten it, and log the long text as an artifact: log_artifact(text, name).",
    )


def require_label(label: object, kind: str, *, most: int = LABEL_BYTES) -> str:
    """Return the name of a logged object, if every database can store and find such a name.

    >>> require_label("val/loss", "metric")
    'val/loss'

    Args:
        label: Any text of 1 to ``most`` bytes in UTF-8.
        kind: Kind of the named object, for the message.
        most: Longest label, bytes.

    Raises:
        ParameterError: If the label is not a text, blank, too long, or has characters that cannot
            be stored.
    """
    if isinstance(label, str) and label.isascii() and label.isprintable():
        if label.strip() and len(label) <= most:
            return label
    elif isinstance(label, str) and (trouble := _unwritable(label)):
        raise ParameterError(
            what=f"The name of {with_article(kind)} has {trouble}: {label[:80]!r}.",
            why="It cannot be stored in every database, nor shown.",
            fix="Decode it with the right encoding, or write label.encode('utf-8', 'replace').decode().",
            name=label,
        )
    if not isinstance(label, str) or not label.strip():
        raise ParameterError(
            what=f"{label!r} is no name for {with_article(kind)}.",
            fix="Use a text with at least one character.",
        )
    size = len(label.encode())
    if size > most:
        raise ParameterError(
            what=f"The name of {with_article(kind)} has {size:,} bytes: {label[:60]!r}…",
            why=f"Names are looked up in an index, which takes {most:,} bytes.",
            fix="Shorten it, and log the long text with log_param or log_text.",
            name=label,
        )
    return label


def _unwritable(label: str) -> str:
    if "\0" in label:
        return "a NUL character"
    try:
        label.encode()
    except UnicodeEncodeError as error:
        return f"an undecodable byte ({error.object[error.start]!r})"
    return ""
