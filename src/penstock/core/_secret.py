"""Secret: a text that is shown to nobody by accident, and the shapes of penstock's own secrets."""

import hmac
import re
from typing import Any, NoReturn

from penstock.core._errors import SerializationError

HIDDEN = "***"
# Tokens of users and of sessions have a prefix, so that a scanner of logs or of a repository finds
# them; a URL may carry a password before its host.
_SHAPES = (
    (re.compile(r"\b(ps[ts]_[a-z0-9]{8,32})_[A-Za-z0-9_-]{20,}"), rf"\1_{HIDDEN}"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=]{8,}"), f"whsec_{HIDDEN}"),
    (re.compile(r"\$argon2id?\$[^\s\"']+"), f"$argon2id${HIDDEN}"),
    (re.compile(r"(://[^\s:/@\"']*:)[^\s/@\"']+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
)


class Secret:
    """A password, token or key: neither ``print`` nor a log, a traceback, a pickle or JSON shows the text.

    >>> key = Secret("correct horse")
    >>> print(key, [key], f"{key:>5}")
    *** [Secret('***')]   ***
    >>> key.reveal()
    'correct horse'

    Args:
        value: The text; a Secret is taken over.
    """

    __slots__ = ("_value",)

    def __init__(self, value: "str | Secret") -> None:
        self._value = value.reveal() if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """Return the text: only where the secret is used."""
        return self._value

    def to_json(self) -> str:
        """Return a mark instead of the text."""
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        """Compare in constant time, so that the time tells nothing about the text."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN!r})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refuse to be stored."""
        raise SerializationError(
            what="A Secret cannot be stored, copied or sent to another process.",
            why="It would stand in an artifact, a step's key or a cache.",
            fix="Read it where it is used, for example from an environment variable.",
        )


def redact(text: str) -> str:
    """Return a text without penstock's tokens, passwords in URLs and authorization headers.

    >>> redact("GET postgresql://ada:hunter2@db/ml")
    'GET postgresql://ada:***@db/ml'
    """
    for shape, shown in _SHAPES:
        text = shape.sub(shown, text)
    return text
