"""Requests that fit, nearly fit and do not fit, for every API; and the server's own way to answer them.

Apart from the tests, so that all APIs are sent the same kinds of nonsense. What draws is a seeded
`random.Random`: one in a hundred thousand requests is found again by the number of its seed.
"""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HOST = (b"host", b"127.0.0.1")
JSON = (b"content-type", b"application/json")
DEEP = 100_000
# Texts that some layer below might take for more than a text.
TEXTS = (
    "", " ", "a", "r1", "m", "0", "1", "-1", "last", "*", "%", "NaN", "Infinity", "null", "true", "\0", "a\0b",
    "\ud800", "\udfff\ud800", "\uffff", "\u202e", "\U0001f41f", "é", "e\u0301", "'", '"', "';--", "a' or '1'='1",
    "${jndi:ldap://x}", "{{7*7}}", "%s%n", "../../etc/passwd", "..\\x", "/", "//", "file:///etc/passwd",
    "http://169.254.169.254/", "sha256:", "sha256:" + "0" * 64, "models:/m/1", "runs:/r1/x", "1e999", "-0", "1_0",
    "0x10", "\u0661", "metrics.x > 1", "params.`a` = 'b'", "attributes.run_id = ''", "name like '%'", "not " * 500,
    "(" * 500, "a" * 300, "x" * 70_000, "2026-01-31T00:00:00Z", "0000-00-00T00:00:00Z", "<script>alert(1)</script>",
    "\r\nset-cookie: x=y", "id,name\n", "=cmd()", "AAAAAAAAAAA=", "=", "Staging", "Production", "FINISHED", "1 desc",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 7, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**40, 0.5, -0.0, 5e-324, 1.8e308,
    1e15,
)  # fmt: skip


class Raw(str):
    """A piece of a body that no JSON writer makes."""

    __slots__ = ()


RAWS = tuple(map(Raw, ("NaN", "-Infinity", "1e999", "-1e999", "01", "1.", "0x1", "+1", "undefined", "'a'", '"\\ud800"',
                       '"\\u0000"', '"\\x"', '"\t"', "1" * 5000, "-" + "9" * 400, '{"a":1,"a":2}', "[1,]", "{}x",
                       "[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300, "", "tru")))  # fmt: skip


def odd(dice: random.Random, depth: int = 0) -> Any:
    """Return a value of any kind."""
    kind = dice.randrange(9 if depth < 2 else 7)
    if kind < 3:
        return dice.choice(TEXTS)
    if kind < 5:
        return dice.choice(NUMBERS)
    if kind == 5:
        return dice.choice((None, True, False, [], {}))
    if kind == 6:
        return dice.choice(RAWS)
    if kind == 7:
        return [odd(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {dice.choice(TEXTS[:40]): odd(dice, depth + 1) for _ in range(dice.randrange(4))}


def write(value: Any) -> str:
    """Return a value as JSON, with the pieces that are none as they are."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k)}:{write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


def fitting(schema: Mapping[str, Any], parts: Mapping[str, Any], dice: random.Random) -> Any:
    """Return a value that fits a JSON Schema, mostly."""
    if dice.random() < 0.03:
        return odd(dice)
    if "$ref" in schema:
        return fitting(parts[schema["$ref"].rpartition("/")[2]], parts, dice)
    if "anyOf" in schema:
        return fitting(dice.choice(schema["anyOf"]), parts, dice)
    if "enum" in schema:
        return dice.choice(schema["enum"])
    if "prefixItems" in schema:
        return [fitting(each, parts, dice) for each in schema["prefixItems"]]
    kind = schema.get("type")
    if kind == "array":
        return [fitting(schema["items"], parts, dice) for _ in range(dice.randrange(3))]
    if kind == "object" and "properties" in schema:
        needed = set(schema.get("required", ()))
        chosen = {
            name: each
            for name, each in schema["properties"].items()
            if name in needed or dice.random() < 0.4
        }
        return {name: _field(name, each, parts, dice) for name, each in chosen.items()}
    if schema.get("format") == "date-time":
        return dice.choice(("0001-01-01T00:00:00Z", "2026-01-31T00:00:00Z", "9999-12-31T23:59:59Z"))
    simple: dict[Any, Any] = {
        "string": lambda: dice.choice(TEXTS),
        "integer": lambda: dice.choice((0, 1, 2, 3, -1, 2**31, 2**63, 10**30)),
        "number": lambda: dice.choice((0.0, 1.5, -2.25, 1e300)),
        "boolean": lambda: dice.random() < 0.5,
        "null": lambda: None,
    }
    return simple.get(kind, lambda: odd(dice))()


# What there is in the store, so that some calls find it.
_THERE = {"run_id": "r1", "run_ids": ["r1"], "model": "m", "version": 1, "experiment": "m", "source": "r1",
          "target": "r1", "name": "m", "deployment": "m", "filter": None, "order_by": None, "after": None,
          "digest": "sha256:" + "0" * 64, "limit": 10}  # fmt: skip


def _field(
    name: str, schema: Mapping[str, Any], parts: Mapping[str, Any], dice: random.Random
) -> Any:
    if name in _THERE and dice.random() < 0.7:
        return _THERE[name]
    return fitting(schema, parts, dice)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request.

    Args:
        method: HTTP method.
        path: Path, decoded.
        query: Query string.
        headers: Headers.
        body: The body.
        raw_path: Path as it came; by default the decoded one.
    """

    method: str
    path: str
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = (HOST, JSON)
    body: bytes = b""
    raw_path: bytes = b""

    def __str__(self) -> str:
        shown = self.body if len(self.body) < 600 else self.body[:600] + b"..."
        return (
            f"{self.method} {self.path[:200]}?{self.query[:200]!r} {list(self.headers)!r} {shown!r}"
        )


@dataclass(slots=True)
class Answered:
    """A response."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


async def answer_to(app: Any, sent: Sent) -> Answered:
    """Pass a request to an application, as a server does."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": sent.method, "scheme": "http",
        "path": sent.path, "raw_path": sent.raw_path or sent.path.encode("utf-8", "surrogatepass"), "root_path": "",
        "query_string": sent.query, "headers": list(sent.headers), "client": ("127.0.0.1", 1), "state": {},
        "server": ("127.0.0.1", 80),
    }  # fmt: skip
    half = len(sent.body) // 2
    waiting = [(sent.body[half:], False), (sent.body[:half], True)]
    found, parts, whole = Answered(), list[bytes](), asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not waiting:
            await whole.wait()
            return {"type": "http.disconnect"}
        body, more = waiting.pop()
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.status, found.headers = message["status"], dict(message["headers"])
        else:
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                whole.set()

    await asyncio.wait_for(app(scope, receive, send), 120)
    found.body = b"".join(parts)
    return found


def bent(sent: Sent, dice: random.Random) -> Sent:
    """Return a request with something wrong in its bytes, type or headers."""
    headers, body = list(sent.headers), sent.body
    match dice.randrange(9):
        case 0:
            data = bytearray(body or b"x")
            for _ in range(dice.randrange(1, 4)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            body = bytes(data)
        case 1:
            body = body[: dice.randrange(len(body) + 1)]
        case 2:
            kinds = (b"text/plain", b"", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x",
                     b"application/json; charset=utf-7", b"\xff\xfe", b"application/" + b"x" * 3000)  # fmt: skip
            headers = [pair for pair in headers if pair[0] != b"content-type"]
            headers.append((b"content-type", dice.choice(kinds)))
        case 3:
            headers.append(
                (b"content-encoding", dice.choice((b"gzip", b"br", b"identity", b"", b"\xff")))
            )
        case 4:
            names = (b"authorization", b"cookie", b"idempotency-key", b"penstock-actor", b"origin", b"accept",
                     b"accept-language", b"if-none-match", b"range", b"content-length", b"sec-fetch-site",
                     b"x-forwarded-for", b"transfer-encoding")  # fmt: skip
            odd_bytes = (b"", b"\xff", b"Bearer", b"Bearer \xff", b"Basic ////", b"a" * 5000, b"%00%ff", b"bytes=9-1",
                         b"penstock_session=\x01; =; ;;", b"9" * 400, b"-1", b"null", b"\xb2")  # fmt: skip
            headers.append((dice.choice(names), dice.choice(odd_bytes)))
        case 5:
            body = dice.choice((b"", b"[]", b"null", b"1", b'"a"', b"[" * DEEP, b'{"a":' * DEEP, b"\xff\xfe{\0}\0",
                                b"\xef\xbb\xbf{}", b"{}" * 2, b"\0", b"1" * 5000, b"{" + b" " * DEEP + b"}"))  # fmt: skip
        case 6:
            return Sent(dice.choice(("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "X")), sent.path,
                        sent.query, headers, body)  # fmt: skip
        case 7:
            query = dice.choice((b"%", b"%00", b"a", b"a=b&a=c", b"=&=", b"%ff=%ff", b"from=%F0%9F", b"&" * 3000,
                                 b"from=-1", b"from=" + b"9" * 400, b"limit=NaN", b"format=json"))  # fmt: skip
            return Sent(sent.method, sent.path, query, headers, body)
        case _:
            path = sent.path + dice.choice(
                ("/", "//", "\0", "/..", "%2e", "\ufffd", ";a", "/x" * 500, "\n")
            )
            return Sent(sent.method, path, sent.query, headers, body)
    return Sent(sent.method, sent.path, sent.query, headers, body)


def is_json(body: bytes) -> bool:
    """Return whether a body is JSON as its standard has it (RFC 8259)."""

    def refuse(_name: str) -> Any:
        raise ValueError

    try:
        json.loads(body, parse_constant=refuse, parse_int=str)  # an integer may have any length
    except (ValueError, RecursionError):
        return False
    return True


def numbered(seed: int, count: int) -> Iterator[tuple[int, random.Random]]:
    """Yield numbers with dice of their own, so that one request is drawn again without the others."""
    for number in range(count):
        yield number, random.Random(f"{seed} {number}")
