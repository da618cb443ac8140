"""Call, Reply and their JSON: request and response of a handler; apart from any HTTP server."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from penstock.core import (
    AccessError,
    ConflictError,
    DataError,
    GateError,
    NotFoundError,
    ParameterError,
    PenstockError,
    RateLimitError,
    SerializationError,
    SignInError,
    StoreError,
)
from penstock.http._values import require_few_values

JSON = b"application/json"
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
_STATUS: tuple[tuple[type[PenstockError], int], ...] = (
    (SignInError, 401),
    (AccessError, 403),
    (RateLimitError, 429),
    (NotFoundError, 404),
    (ConflictError, 409),
    (GateError, 409),
    (DataError, 400),
    (ParameterError, 400),
    (SerializationError, 422),
    (StoreError, 503),
)
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NO_NUMBER = re.compile(rb"-?\b(?:NaN|Infinity)\b|-Infinity")
_HALVES = re.compile("[\ud800-\udfff]")
_T = TypeVar("_T")


class HttpError(PenstockError):
    """An HTTP status with a reason, for a request that cannot be answered.

    Args:
        status: HTTP status code.
        what: The event, as a sentence.
        why: Why the event matters.
        fix: How to fix the cause.
        allow: For 405, the methods that the path takes.
    """

    def __init__(
        self, status: int, what: str, why: str = "", fix: str = "", allow: Sequence[str] = ()
    ) -> None:
        super().__init__(what, why, fix, status=status)
        self.status = status
        self.allow = tuple(allow)


@dataclass(slots=True)
class Call:
    """A request.

    Args:
        path: Parameters of the path by name.
        headers: Headers by lower-case name.
        body: The whole body.
        deployment: Filled in by the handler once known, for the metrics.
        version: Filled in by the handler once known, for the metrics.
    """

    path: Mapping[str, Any]
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    deployment: str = ""
    version: str = ""
    _named: dict[bytes, bytes] | None = field(default=None, init=False, repr=False, compare=False)

    def header(self, name: bytes) -> str | None:
        """Return a header's text; None if the header was not sent."""
        if self._named is None:  # of a header that came twice the first one counts
            self._named = dict(reversed(self.headers))
        value = self._named.get(name)
        return None if value is None else value.decode("latin-1")


@dataclass(slots=True)
class Reply:
    """A response.

    Args:
        body: The whole body.
        status: HTTP status code.
        headers: Further headers.
        content_type: Type of the body.
    """

    body: bytes
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    content_type: bytes = JSON


def reply_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Build a JSON response.

    >>> reply_json({"live": True}).body
    b'{"live":true}'

    Args:
        value: A value that msgspec encodes; values of unknown types are encoded as text.
        status: HTTP status code.
        headers: Further headers.
    """
    pairs = [(name.encode(), text.encode("latin-1")) for name, text in (headers or {}).items()]
    return Reply(encode_json(value), status, pairs)


def encode_json(value: Any, unknown: Callable[[Any], Any] = str) -> bytes:
    """Encode a value as JSON in UTF-8, whatever texts a sender has put into it.

    Half of a character (a lone surrogate, which JSON can write as an escape) has no bytes in UTF-8;
    it becomes U+FFFD, so that an error that shows it reaches the sender.

    >>> encode_json({"half": chr(0xD800)}).decode()
    '{"half":"\ufffd"}'

    Args:
        value: A value that msgspec encodes.
        unknown: Function that makes such a value of one that msgspec does not know.
    """
    try:
        return msgspec.json.encode(value, enc_hook=unknown)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(value, enc_hook=unknown, str_keys=True)
        return msgspec.json.encode(_with_whole_characters(plain))


def _with_whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return _HALVES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_with_whole_characters(k): _with_whole_characters(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_with_whole_characters(each) for each in value]
    return value


def read_json(body: bytes, decoder: "msgspec.json.Decoder[_T]", example: str) -> _T:
    """Decode a body, or raise an error that explains why the body is unusable.

    Args:
        body: The body's bytes.
        decoder: Decoder of the expected schema.
        example: A valid body, for the message.

    Raises:
        HttpError: 400 if the body is no JSON or has a different schema.
        ParameterError: If it has more values than a server can read.
    """
    require_few_values(body)
    try:
        if not body.isascii():
            body.decode()  # the decoder looks at names that it knows only
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError) as error:
        text = str(error)[:300].rstrip(".")
        number = _no_number(body)
        raise HttpError(
            400,
            f"The body has {number}, which is not JSON."
            if number
            else f"The body cannot be read: {text or type(error).__name__}.",
            "JSON has no such number." if number else "The server reads one form of JSON here.",
            "Send null for a missing value." if number else f"Send for example {example}",
        ) from error


def _no_number(body: bytes) -> str:
    """Search, outside of texts, for numbers that Python's json writes and JSON does not have."""
    outside = _TEXTS.sub(b'""', body)
    match = _NO_NUMBER.search(outside)
    return match[0].decode() if match else ""


def status_of(error: PenstockError) -> int:
    """Return the HTTP status that an error stands for; 500 for errors not caused by the caller."""
    if isinstance(error, HttpError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def render_error(error: PenstockError) -> Reply:
    """Render an error with sentences for people and details for programs."""
    document: dict[str, Any] = error.to_json()
    # Details for programs, beside the sentences for people.
    for name in ("field", "row", "problems"):
        if name in error.values:
            document[name] = error.values[name]
    return reply_json({"error": document}, status_of(error), retry_header(error))


def retry_header(error: PenstockError) -> dict[str, str]:
    """Return the headers that say how to ask again: when, with which method or sign-in."""
    if isinstance(error, HttpError) and error.allow:
        return {"allow": ", ".join(error.allow)}
    match status_of(error):
        case 503:
            return {"retry-after": "1"}
        case 429:
            return {"retry-after": str(math.ceil(error.values.get("retry_after_s", 1)))}
        case 401:
            return {"www-authenticate": 'Bearer realm="penstock"'}
    return {}
