"""Secret: a text that is shown to nobody by accident, and the shapes of penstock's own secrets."""

import hmac
import re
from typing import Any, NoReturn
from weakref import WeakValueDictionary

from penstock.core._errors import SerializationError

HIDDEN = "***"
# Secrets that are known by their form: penstock's own, passwords in URLs and connection strings, and
# the keys of services that models are trained with, whose makers gave them a prefix for scanners.
# Each is found in linear time: an exception's text may be a whole table.
_SHAPES = (
    (re.compile(r"\b(ps[ts]_[a-z0-9]{8,32})_[A-Za-z0-9_-]{20,}"), rf"\1_{HIDDEN}"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=]{8,}"), f"whsec_{HIDDEN}"),
    (re.compile(r"\$argon2id?\$[^\s\"']+"), f"$argon2id${HIDDEN}"),
    (re.compile(r"(://[^\s:/@\"']*:)[^\s/@\"']+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(hooks\.slack\.com/(?:services|workflows|triggers))/[^\s\"']+"), rf"\1/{HIDDEN}"),
    (re.compile(r"(\.webhook\.office\.com/[^\s\"'@]{0,500})@[^\s\"']+"), rf"\1@{HIDDEN}"),
    (re.compile(r"(discord(?:app)?\.com/api/webhooks/\d+)/[^\s\"']+"), rf"\1/{HIDDEN}"),
    (
        re.compile(
            r"(?i)([?&;](?:[a-z_-]*(?:token|secret|password|passwd|api[_-]?key|signature|credential)"
            r"|sig|key|pwd)=)[^\s&;\"'#]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(
            r"(?i)((?<![a-z0-9_-])[a-z0-9_-]*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key"
            r"|account[_-]?key|private[_-]?key)[\"']?\s*[=:]\s*[\"']?)(?!\*\*\*|[\d.]+\b|[<\[{(])[^\s\"',;&)}\]]{6,}"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(A[KS]IA)[A-Z0-9]{16}\b"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(hf_|npm_|dop_v1_|sk_live_|rk_live_)[A-Za-z0-9]{24,}"), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"\b(glpat-|xox[abeprs]-|pypi-Ag|AIza|ya29\.|sk-(?=[a-z-]{0,40}[A-Z0-9]))[A-Za-z0-9_-]{16,}"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(r"\beyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
        f"eyJ{HIDDEN}",
    ),
    (
        re.compile(
            r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL
        ),
        rf"\1{HIDDEN}",
    ),
)
# Most lines of a log have none: one look decides, so that a million lines cost a second.
_HINT = re.compile(
    r"(?i)ps[ts]_|whsec_|argon2|://|bearer|basic|slack|office\.com|discord|token|secret|passw|pwd|key"
    r"|sig|credential|A[KS]IA|gh[pousr]_|github_pat|glpat|hf_|sk[-_]|rk_|xox|npm_|pypi-|dop_|AIza"
    r"|ya29|eyJ"
)
_SHORTEST = 8  # shorter values would be found in innocent words
# The secrets that live in this process, so that a text that shows one is recognized; weakly, so that
# the token of a request is gone with it.
_LIVE: "WeakValueDictionary[int, Secret]" = WeakValueDictionary()


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

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: "str | Secret") -> None:
        self._value = value.reveal() if isinstance(value, Secret) else value
        if len(self._value) >= _SHORTEST:
            _LIVE[id(self)] = self

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


def hide_known(text: str) -> str:
    """Return a text without the values of the `Secret`s that live in this process.

    >>> key = Secret("correct horse")
    >>> hide_known("The key is correct horse.")
    'The key is ***.'
    """
    for reference in _LIVE.valuerefs():
        secret = reference()
        if secret is not None and secret.reveal() in text:
            text = text.replace(secret.reveal(), HIDDEN)
    return text


def redact(text: str) -> str:
    """Return a text without secrets: those that `hide_known` hides, and what looks like one.

    Tokens and keys with a known form, passwords in URLs and connection strings, and values that are
    named as passwords or keys. A secret without a form, never held in a `Secret`, is not found.

    >>> redact("GET postgresql://ada:hunter2@db/ml with AWS_SECRET_ACCESS_KEY=abc/def+ghi")
    'GET postgresql://ada:***@db/ml with AWS_SECRET_ACCESS_KEY=***'
    """
    text = hide_known(text)
    if _HINT.search(text) is None:
        return text
    for shape, shown in _SHAPES:
        text = shape.sub(shown, text)
    return text
