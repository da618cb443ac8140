"""Identifiers that sort by time, and which names are legal."""

import os
import re
import time

from penstock.core._errors import ParameterError

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_LEGAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def new_id() -> str:
    """Make a unique id of 20 characters that sorts by creation time.

    >>> first = new_id()
    >>> len(first)
    20
    """
    number = (time.time_ns() // 1_000_000) << 52 | int.from_bytes(os.urandom(7), "big") >> 4
    digits = []
    for _ in range(20):
        number, rest = divmod(number, 32)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


def require_name(name: str, kind: str) -> str:
    """Return the name if it is legal for a model, an experiment, ….

    >>> require_name("big-tips", "model")
    'big-tips'

    Args:
        name: What the user chose.
        kind: What it names, for the message.

    Raises:
        ParameterError: If the name has characters that do not survive a URL or a file name.
    """
    if _LEGAL_NAME.fullmatch(name):
        return name
    proposal = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:100] or "my-" + kind
    raise ParameterError(
        what=f"{name!r} is no legal name for {'an' if kind[0] in 'aeiou' else 'a'} {kind}.",
        why="Names appear in URLs, files and commands: letters, digits, '.', '_' and '-' only.",
        fix=f"Use for example {proposal!r}.",
        name=name,
    )
