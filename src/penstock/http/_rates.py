"""Rates: how often an address or an identity may ask a server; apart from who they are.

A token bucket for each: it holds as much as ten seconds bring, and is refilled all the time. Kept in
memory by process: several servers of one store each allow the whole rate.
"""

import hashlib
import json
import time
from collections import OrderedDict
from typing import Any

from penstock.http._hosts import is_loopback

RATE = 1000.0
"""Requests per second of an address or an identity, by default."""
_BURST_S = 10.0
_FAILURES, _FAILURES_RATE = (
    50.0,
    0.5,
)  # sign-ins of an address that may fail at once, and per second
_MOST = 10_000  # buckets; of more those go that were used longest ago
_UNKNOWN, _DONE = 401, 200
# Answered for everyone, and so no proof that somebody is known.
_OPEN = ("/health", "/version", "/sign-in", "/static/")


class Buckets:
    """Token buckets by key.

    >>> buckets = Buckets(rate=1, size=2)
    >>> [buckets.wait_s("a", at=0.0) for _ in range(3)], buckets.wait_s("a", at=1.5)
    ([0.0, 0.0, 1.0], 0.0)

    Args:
        rate: What is refilled per second.
        size: What a bucket holds.
    """

    def __init__(self, rate: float, size: float) -> None:
        self._rate, self._size = rate, size
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str, *, at: float, cost: float = 1.0) -> float:
        """Take from a bucket, if it holds enough; return how long to wait if not, in seconds."""
        level, before = self._levels.get(key, (self._size, at))
        level = min(level + (at - before) * self._rate, self._size)
        missing = 1.0 - level
        self._levels[key] = (level if missing > 0 else level - cost, at)
        self._levels.move_to_end(key)
        if len(self._levels) > _MOST:
            self._levels.popitem(last=False)
        return max(missing / self._rate, 0.0)


class RateLimit:
    """ASGI wrapper that answers 429 to who asks too often, and to who is unknown too often.

    Requests from this machine itself are counted by identity only: a proxy may be among them. Who is
    known goes on, whatever others send from the same address: it may be an office's or a gateway's.

    Args:
        app: The application.
        rate: Requests per second, for each address and each identity.
    """

    def __init__(self, app: Any, rate: float = RATE) -> None:
        self._app = app
        self._all = Buckets(rate, rate * _BURST_S)
        self._unknown = Buckets(_FAILURES_RATE, _FAILURES)
        self._known: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or say when to try again."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        at, address, identity = time.monotonic(), _address(scope), _identity(scope)
        if not address and not identity:  # nobody to count
            await self._app(scope, receive, send)
            return
        keys = [f"address {address}"] if address else []
        keys += [identity] if identity else []
        wait = max((self._all.wait_s(key, at=at) for key in keys), default=0.0)
        if address and identity not in self._known:
            wait = max(wait, self._unknown.wait_s(address, at=at, cost=0.0))
        if wait > 0:
            await _refuse(wait, send)
            return

        async def counted(message: Any) -> None:
            status = message.get("status")
            if address and status == _UNKNOWN:
                self._unknown.wait_s(address, at=at)
            if identity and status in {_UNKNOWN, _DONE} and not scope["path"].startswith(_OPEN):
                self._remember(identity, known=status == _DONE)
            await send(message)

        await self._app(scope, receive, counted)

    def _remember(self, identity: str, *, known: bool) -> None:
        self._known.pop(identity, None)
        if known:
            self._known[identity] = None
        if len(self._known) > _MOST:
            self._known.popitem(last=False)


def _address(scope: Any) -> str:
    """Return the address that a request comes from; empty for this machine."""
    host = (scope.get("client") or ("",))[0]
    return "" if is_loopback(host) else host


def _identity(scope: Any) -> str:
    """Return what stands for a request's secret, of which only a digest is kept; empty without."""
    headers = dict(scope["headers"])
    secret = headers.get(b"authorization", b"").strip()  # goes before a cookie, as in sign-ins
    cookie = headers.get(b"cookie", b"")
    if not secret and b"penstock_session" in cookie:
        secret = cookie
    return f"identity {hashlib.sha256(secret).hexdigest()}" if secret else ""


async def _refuse(wait: float, send: Any) -> None:
    seconds = max(round(wait + 0.5), 1)
    what = "Too many requests have come from this address or token."
    error = {
        "type": "RateLimitError",
        "what": what,
        "why": "Others would have to wait.",
        "fix": f"Try again in {seconds} s, and send less often.",
        "values": {"retry_after_s": seconds},
    }
    # MLflow's clients read the two fields beside it.
    body = json.dumps(
        {"error": error, "error_code": "REQUEST_LIMIT_EXCEEDED", "message": what}
    ).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"%d" % seconds),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
