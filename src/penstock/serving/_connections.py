"""Connections of the model server: who is too slow is cut, a stop resets nobody; apart from the app.

uvicorn reads a request for as long as its sender likes, accepts until no file is left, and closes
idle connections when it stops, also those whose next request is on its way. Here every request has
a time to arrive in, a full server lets go of whoever keeps it waiting longest, and a stop answers
what still comes before it closes.
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
_KEEP_ALIVE_S = 75  # above the pools of usual clients and balancers, so that they close first
_YOUNG_S = 1.0  # a connection is not let go of for others before it is this old
_LAST_REQUESTS_S = 1.0  # a stop waits so long for requests that are on their way
_HALF_SENT_S = 2.0  # and so long for those that have begun to arrive
_DRAIN_S = 10.0  # and so long for answers under way
_ACCEPT_AT_ONCE = 64  # asyncio accepts so many before it looks at any
_OTHER_FILES = 64  # of the store, the models and the log
_MOST_CONNECTIONS = 10_000
_WAITING = 2048  # connections that the system holds until they are accepted
_SWEEP_TICKS = 10  # of a tenth of a second


class State(ServerState):
    """What all connections of a server share.

    Args:
        limit: Connections that may be open at once.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit, self.draining = limit, False


class Connection(HttpToolsProtocol):
    """One connection, which knows how long it has been waited for.

    Attributes:
        reading_since: When the request began that has not arrived yet; None between requests.
        idle_since: When the last request was answered; None before and during one.
    """

    server_state: State
    reading_since: float | None = None
    idle_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Take a connection, or refuse it if nobody can be let go of."""
        self.reading_since = self.loop.time()
        crowded = len(self.connections) >= self.server_state.limit
        super().connection_made(transport)
        if crowded and not make_room(self.server_state, self.loop.time()):
            self._say(503, "The server has no connection left.", retry=True)

    def on_message_begin(self) -> None:
        """Note when a request begins to arrive."""
        self.idle_since = None
        if self.reading_since is None:
            self.reading_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start to answer; while the server stops, as the last answer on this connection."""
        super().on_headers_complete()
        if self.server_state.draining:
            self.close_after_answer()

    def on_message_complete(self) -> None:
        """Note that the request has arrived."""
        self.reading_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note that the connection waits for its next request."""
        self.idle_since = self.loop.time()
        super().on_response_complete()

    @property
    def has_headers(self) -> bool:
        """True from a request's last header to the end of its answer."""
        cycle: Any = self.cycle  # uvicorn declares it as always there
        return cycle is not None and not cycle.response_complete

    @property
    def is_busy(self) -> bool:
        """True while a request that has arrived is being answered."""
        return self.has_headers and not self.cycle.more_body

    def close_if_slow(self, now: float) -> None:
        """Close the connection if its request takes too long to arrive."""
        if self.reading_since is None:
            return
        if now - self.reading_since > (_BODY_S if self.has_headers else _HEAD_S):
            self._say(408, "The request took too long to arrive.")

    def close_after_answer(self) -> None:
        """Make the answer under way the last one of the connection."""
        if self.has_headers:
            self.cycle.keep_alive = False

    def let_go(self) -> None:
        """Close at once, for the sake of others."""
        self.connections.discard(self)
        self.transport.abort()

    def _say(self, status: int, text: str, *, retry: bool = False) -> None:
        """Answer outside any handler, and close."""
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
    """Let go of the connection that has kept the server waiting longest.

    Half-sent requests go before idle connections; what is being answered stays.

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
    """Work out how many connections the process can have open, from its limit of open files."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files != resource.RLIM_INFINITY:
            room = files - _ACCEPT_AT_ONCE - _OTHER_FILES
            return max(min(room, _MOST_CONNECTIONS), 16)
    return _MOST_CONNECTIONS


class ModelServer(uvicorn.Server):
    """uvicorn with connections that cannot be held, and a stop that finishes what has begun.

    Args:
        app: The ASGI application.
        listener: A listening socket.
        ready: Called once it answers.
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
        """Start to listen; the system may hold more connections than are accepted at once."""
        await super().startup(sockets=sockets)
        self._listener.listen(_WAITING)
        if self._ready is not None and self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Close what is too slow, once a second."""
        if counter % _SWEEP_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in self._connections():
                connection.close_if_slow(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, answer what is on its way, then close."""
        await self._accept_the_last()
        await self._drain()
        await super().shutdown(sockets=sockets)

    async def _accept_the_last(self) -> None:
        """Accept whoever waits already: closing the listener would reset them."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        accepted = []
        with contextlib.suppress(OSError):  # nobody waits any more
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
        """Close each connection after its last answer; idle ones wait for one more request."""
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
