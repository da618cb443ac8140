"""How many values a JSON body may have: its size alone does not say what it takes to read it."""

import re

from penstock.core import ParameterError

MOST_VALUES = 4_000_000
"""Values of one JSON body: about 60 bytes of memory each once they are objects of Python."""
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_SIGNS = (b",", b"[", b"{")


def require_few_values(body: bytes) -> None:
    """Check that a JSON body has no more values than a server can read.

    >>> require_few_values(b'{"a": [1, 2]}')

    Args:
        body: The body, before it is read.

    Raises:
        ParameterError: If there are more than `MOST_VALUES`.
    """
    if len(body) < MOST_VALUES or _count(body) <= MOST_VALUES:
        return
    count = _count(_TEXT.sub(b"", body))  # signs in texts are no values
    if count > MOST_VALUES:
        raise ParameterError(
            what=f"The body has {count:,} values.",
            why=f"A request may have {MOST_VALUES:,}: each takes about 60 bytes of memory.",
            fix="Send several requests.",
        )


def _count(body: bytes) -> int:
    return sum(map(body.count, _SIGNS))
