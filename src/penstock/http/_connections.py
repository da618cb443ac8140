"""Connections of a server: slow clients are closed, a full server makes room; apart from the server.

uvicorn waits for a request without a time limit, and accepts connections until no file descriptor
is left. Here every request has a time limit to arrive in, and a full server closes the connection
that has been waiting longest.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

ACCEPT_AT_ONCE = 64  # asyncio accepts this many before it serves any
_HEAD_S = 10.0  # for a request's headers to arrive
_BODY_S = 60.0  # for the whole request to arrive
_SLOWEST = 50_000  # bytes of a body per second for which a long request has more time
_YOUNG_S = 1.0  # younger connections are not closed to make room
_OTHER_FILES = 64  # open files of the store, the models and the log
_MOST_CONNECTIONS = 10_000
_MOST_HEAD = 64 << 10  # bytes of a request's line and headers
_MOST_HEADERS = 200
_ENDLESS_HEAD = (
    512 << 10
)  # arrived, and still no end: more than one read brings of the next request
# Two of these, and a proxy and this server could each follow another one.
_ONCE = frozenset({b"host", b"authorization", b"content-type", b"content-encoding"})


class State(ServerState):
    """State shared by all connections of a server.

    Args:
        limit: Connections that may be open at once.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit, self.draining = limit, False


class Connection(HttpToolsProtocol):
    """A connection that records how long the server has waited for the client.

    Attributes:
        reading_since: When the incomplete request began; None between requests.
        idle_since: When the last request was answered; None before and during a request.
        received: Bytes of the present request's body.
        head_bytes: Bytes that have arrived since a head began whose end has not arrived.
    """

    server_state: State
    reading_since: float | None = None
    idle_since: float | None = None
    received: int = 0
    head_bytes: int = 0
    in_head: bool = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Accept a connection, or refuse if no present connection can be closed."""
        self.reading_since = self.loop.time()
        crowded = len(self.connections) >= self.server_state.limit
        super().connection_made(transport)
        if crowded and not make_room(self.server_state, self.loop.time()):
            self._say(503, "The server has no connection left.", retry=True)

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head does not end."""
        super().data_received(data)
        # Of a header without an end no callback tells.
        self.head_bytes = self.head_bytes + len(data) if self.in_head else 0
        if self.head_bytes > _ENDLESS_HEAD:
            self.head_bytes = 0
            self._say(431, "The headers are too large.")

    def on_message_begin(self) -> None:
        """Record when a request begins to arrive."""
        self.idle_since, self.received, self.in_head = None, 0, True
        if self.reading_since is None:
            self.reading_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start to answer; while the server stops, mark this response as the connection's last."""
        self.in_head, app = False, self.app
        refusal = head_refusal(self.url, self.headers)
        if refusal is not None:
            self.app = partial(_refuse, *refusal)  # in its place among pipelined requests
        super().on_headers_complete()
        self.app = app
        if self.server_state.draining:
            self.close_after_answer()

    def on_body(self, body: bytes) -> None:
        """Count arrived bytes: a large file takes longer than a minute."""
        self.received += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Record that the request has arrived."""
        self.reading_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Record that the connection waits for the next request."""
        self.idle_since = self.loop.time()
        super().on_response_complete()

    @property
    def has_headers(self) -> bool:
        """True from a request's last header to the end of the response."""
        cycle: Any = self.cycle  # uvicorn's types declare it as always present
        return cycle is not None and not cycle.response_complete

    @property
    def is_busy(self) -> bool:
        """True while a request that has arrived is being answered."""
        return self.has_headers and not self.cycle.more_body

    def close_if_slow(self, now: float) -> None:
        """Close the connection if the request takes too long to arrive."""
        if self.reading_since is None:
            return
        allowed = _BODY_S + self.received / _SLOWEST if self.has_headers else _HEAD_S
        if now - self.reading_since > allowed:
            self._say(408, "The request took too long to arrive.")

    def close_after_answer(self) -> None:
        """Close the connection after the response under way."""
        if self.has_headers:
            self.cycle.keep_alive = False

    def let_go(self) -> None:
        """Close at once, to make room for a new connection."""
        self.connections.discard(self)
        self.transport.abort()

    def _say(self, status: int, text: str, *, retry: bool = False) -> None:
        """Respond outside any handler, and close."""
        if not (self.has_headers and self.cycle.response_started):
            body = _error_body(text)
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n"
            )
            self.transport.write(
                head.encode() + (b"retry-after: 1\r\n" if retry else b"") + b"\r\n" + body
            )
        self.transport.close()


def head_refusal(url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, str] | None:
    """Return status and reason for a head that no handler should see; None for a proper one.

    >>> head_refusal(b"/", [(b"host", b"a"), (b"host", b"b")])
    (400, 'The request has the header host twice.')
    """
    size = len(url) + sum(len(name) + len(value) for name, value in headers)
    if size > _MOST_HEAD or len(headers) > _MOST_HEADERS:
        return 431, f"The headers are larger than {_MOST_HEAD >> 10} KiB or {_MOST_HEADERS} lines."
    names = [name for name, _ in headers if name in _ONCE]
    twice = next((name for name in names if names.count(name) > 1), None)
    return None if twice is None else (400, f"The request has the header {twice.decode()} twice.")


async def _refuse(status: int, text: str, _scope: Any, _receive: Any, send: Any) -> None:
    """Answer as an application does that refuses everything, and close the connection."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(_error_body(text))),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": _error_body(text)})


def _error_body(text: str) -> bytes:
    return b'{"error":{"what":"%s","why":"","fix":""}}' % text.encode()


def make_room(state: State, now: float) -> bool:
    """Close the connection that has been waiting longest for the client.

    Half-sent requests are closed before idle connections; requests being answered are never closed.

    Returns:
        False if every connection is busy or has only just begun.
    """
    slow = [
        (since, connection)
        for connection in state.connections
        if isinstance(connection, Connection)
        and not connection.is_busy
        and (since := connection.reading_since) is not None
        and now - since > _YOUNG_S
    ]
    idle = [
        (since, connection)
        for connection in state.connections
        if isinstance(connection, Connection) and (since := connection.idle_since) is not None
    ]
    closable = slow or idle
    if not closable:
        return False
    min(closable, key=lambda pair: pair[0])[1].let_go()
    return True


def connection_limit() -> int:
    """Compute how many connections the process can have open, from the limit of open files."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files != resource.RLIM_INFINITY:
            room = files - ACCEPT_AT_ONCE - _OTHER_FILES
            return max(min(room, _MOST_CONNECTIONS), 16)
    return _MOST_CONNECTIONS
