"""Connections of a server: slow clients are closed, a full server makes room; apart from the server.

uvicorn waits for a request without a time limit, and accepts connections until no file descriptor
is left. Here every request has a time limit to arrive in, and a full server closes the connection
that has been waiting longest.
"""

import asyncio
import contextlib
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
    """

    server_state: State
    reading_since: float | None = None
    idle_since: float | None = None
    received: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Accept a connection, or refuse if no present connection can be closed."""
        self.reading_since = self.loop.time()
        crowded = len(self.connections) >= self.server_state.limit
        super().connection_made(transport)
        if crowded and not make_room(self.server_state, self.loop.time()):
            self._say(503, "The server has no connection left.", retry=True)

    def on_message_begin(self) -> None:
        """Record when a request begins to arrive."""
        self.idle_since, self.received = None, 0
        if self.reading_since is None:
            self.reading_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start to answer; while the server stops, mark this response as the connection's last."""
        super().on_headers_complete()
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
            body = b'{"error":{"what":"%s","why":"","fix":""}}' % text.encode()
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n"
            )
            self.transport.write(
                head.encode() + (b"retry-after: 1\r\n" if retry else b"") + b"\r\n" + body
            )
        self.transport.close()


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
