"""Server: run an application on a socket and stop without a reset; apart from the connections.

uvicorn closes idle connections when stopping, even those whose next request is on the way. Here a
stop answers the requests that still arrive before closing.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from penstock.http._connections import ACCEPT_AT_ONCE, Connection, State, connection_limit
from penstock.http._hosts import url_host
from penstock.http._listen import hold_back_new

_KEEP_ALIVE_S = 75  # longer than the pools of usual clients and balancers, so that they close first
_HANDSHAKE_S = 0.2  # how long a stop waits for connections whose handshake is under way
_LAST_REQUESTS_S = 1.0  # how long a stop waits for requests that are on their way
_HALF_SENT_S = 2.0  # how long a stop waits for requests that have begun to arrive
_DRAIN_S = 10.0  # how long a stop waits for responses under way
_WAITING = 2048  # connections that the system holds until they are accepted
_SWEEP_TICKS = 10  # a tick is a tenth of a second


class Server(uvicorn.Server):
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
                backlog=ACCEPT_AT_ONCE,
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
        if hold_back_new(self._listener):
            await asyncio.sleep(_HANDSHAKE_S)
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


def run_server(
    app: Any, listener: socket.socket, host: str, *, ready: Callable[[str], None] | None = None
) -> None:
    """Serve an application on a listening socket until interrupted.

    Args:
        app: The ASGI application.
        listener: A listening socket.
        host: The address that the socket listens on.
        ready: Called with the server's URL once ready.
    """
    url = f"http://{url_host(host)}:{listener.getsockname()[1]}"
    server = Server(app, listener, partial(ready, url) if ready else None)
    # uvicorn has already shut down in order when it passes the interrupt on.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
