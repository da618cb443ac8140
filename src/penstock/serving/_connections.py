"""Connections of the model server: slow clients are closed, a stop resets none; apart from the app.

uvicorn waits for a request without a time limit, accepts connections until no file descriptor is
left, and closes idle connections when stopping, even those whose next request is on the way. Here
every request has a time limit to arrive in, a full server closes the connection that has been
waiting longest, and a stop answers the requests that still arrive before closing.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_log = logging.getLogger("penstock.serving")
_HEAD_S = 10.0  # for a request's headers to arrive
_BODY_S = 60.0  # for the whole request to arrive
_KEEP_ALIVE_S = 75  # longer than the pools of usual clients and balancers, so that they close first
_YOUNG_S = 1.0  # younger connections are not closed to make room
_LAST_REQUESTS_S = 1.0  # how long a stop waits for requests that are on their way
_HALF_SENT_S = 2.0  # how long a stop waits for requests that have begun to arrive
_DRAIN_S = 10.0  # how long a stop waits for responses under way
_ACCEPT_AT_ONCE = 64  # asyncio accepts this many before it serves any
_OTHER_FILES = 64  # open files of the store, the models and the log
_MOST_CONNECTIONS = 10_000
_WAITING = 2048  # connections that the system holds until they are accepted
_SWEEP_TICKS = 10  # a tick is a tenth of a second


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
    """

    server_state: State
    reading_since: float | None = None
    idle_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Accept a connection, or refuse it if no present connection can be closed."""
        self.reading_since = self.loop.time()
        crowded = len(self.connections) >= self.server_state.limit
        super().connection_made(transport)
        if crowded and not make_room(self.server_state, self.loop.time()):
            self._say(503, "The server has no connection left.", retry=True)

    def on_message_begin(self) -> None:
        """Record when a request begins to arrive."""
        self.idle_since = None
        if self.reading_since is None:
            self.reading_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start to answer; while the server stops, mark this response as the connection's last."""
        super().on_headers_complete()
        if self.server_state.draining:
            self.close_after_answer()

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
        """True from a request's last header to the end of its response."""
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
        if now - self.reading_since > (_BODY_S if self.has_headers else _HEAD_S):
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
    found = slow or idle
    if not found:
        return False
    min(found, key=lambda pair: pair[0])[1].let_go()
    return True


def connection_limit() -> int:
    """Compute how many connections the process can have open, from the limit of open files."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files != resource.RLIM_INFINITY:
            room = files - _ACCEPT_AT_ONCE - _OTHER_FILES
            return max(min(room, _MOST_CONNECTIONS), 16)
    return _MOST_CONNECTIONS


class ModelServer(uvicorn.Server):
    """A uvicorn server that limits slow connections, and finishes open requests when stopping.

    Args:
        app: The ASGI application.
        listener: A listening socket.
        ready: Called once the server answers.
    """

    def __init__(
        self, app: Any, listener: socket.socket, ready: Callable[[], None] | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                loop="asyncio",
                log_level="warning",
                access_log=False,
                lifespan="on",
                server_header=False,
                backlog=_ACCEPT_AT_ONCE,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=int(_DRAIN_S),
            )
        )
        self._listener, self._ready = listener, ready
        self._state = State(connection_limit())
        self.server_state = self._state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen; the system may queue more connections than are accepted at once."""
        await super().startup(sockets=sockets)
        self._listener.listen(_WAITING)
        if self._ready is not None and self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Close slow connections, once a second."""
        if counter % _SWEEP_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in self._connections():
                connection.close_if_slow(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, answer the requests on their way, then close."""
        await self._accept_the_last()
        await self._drain()
        await super().shutdown(sockets=sockets)

    async def _accept_the_last(self) -> None:
        """Accept the connections already queued: closing the listener would reset them."""
        loop = asyncio.get_running_loop()
        # asyncio must not accept from the same queue at the same time.
        loop.remove_reader(self._listener)
        accepted = []
        with contextlib.suppress(OSError):  # the queue is empty
            while True:
                accepted.append(self._listener.accept()[0])
        for server in self.servers:
            server.close()
        for connection in accepted:
            connection.setblocking(False)
            await loop.connect_accepted_socket(self._make_connection, connection)
        await asyncio.sleep(0)

    def _make_connection(self) -> Connection:
        return Connection(self.config, self._state, self.lifespan.state)

    async def _drain(self) -> None:
        """Close each connection after the last response; idle ones may send a further request."""
        loop, self._state.draining = asyncio.get_running_loop(), True
        began = loop.time()
        for connection in self._connections():
            connection.close_after_answer()
        while self._state.connections and not self.force_exit:
            waited = loop.time() - began
            if waited > _DRAIN_S:
                break
            for connection in self._connections():
                if connection.is_busy:
                    continue
                if waited > (_HALF_SENT_S if connection.has_headers else _LAST_REQUESTS_S):
                    connection.transport.close()
            await asyncio.sleep(0.02)

    def _connections(self) -> list[Connection]:
        return [each for each in self._state.connections if isinstance(each, Connection)]
