"""A server of the API in a thread of the tests, on a real socket; each test has a store of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from penstock.http import Server, listen
from penstock.server.api import create_api


class _Door:
    """The application behind the socket; starting a server for each test would take a second."""

    app: Any = None

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@cache
def _server() -> tuple[_Door, str]:
    door, ready = _Door(), threading.Event()
    listener = listen("127.0.0.1", 0)
    server = Server(door, listener, ready.set)
    server.config.lifespan = "off"
    work = server.serve(sockets=[listener])
    threading.Thread(target=lambda: asyncio.run(work), daemon=True).start()
    assert ready.wait(10)
    return door, f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serving(store, **options) -> Iterator[str]:
    """Serve a store; give the server's URL."""
    door, url = _server()
    door.app = create_api(store=store, **options)
    yield url
