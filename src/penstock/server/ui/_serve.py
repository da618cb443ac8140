"""``serve_ui``: the UI on a port of this machine; apart from the app, which needs no socket."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from penstock.core import ServingError
from penstock.http import LOCAL_HOSTS, Server, is_loopback, listen, url_host
from penstock.server.ui._app import create_ui

if TYPE_CHECKING:
    from penstock.stores import Store


def serve_ui(
    host: str = "127.0.0.1",
    port: int = 4270,
    *,
    ready: Callable[[str], None] | None = None,
    store: "Store | str | None" = None,
) -> None:
    """Serve the UI until interrupted.

    Args:
        host: Address of this machine to listen on; only loopback addresses, as there is no login.
        port: TCP port; 0 takes a free one.
        ready: Called with the UI's URL once it answers.
        store: The open store to show; by default the project's.

    Raises:
        ServingError: If the port is taken or the address would expose the store to a network.
    """
    _require_loopback(host, port)
    with listen(host, port) as listener:
        url = f"http://{url_host(host)}:{listener.getsockname()[1]}"
        app = create_ui(hosts=(*LOCAL_HOSTS, url_host(host)), store=store)
        # uvicorn has already shut down in order when it passes the interrupt on.
        with contextlib.suppress(KeyboardInterrupt):
            Server(app, listener, partial(ready, url) if ready else None).run(sockets=[listener])


def _require_loopback(host: str, port: int) -> None:
    if not is_loopback(host):
        raise ServingError(
            what=f"{host} is not an address of this machine alone.",
            why="The UI has no login yet: everyone on the network could read the store.",
            fix=f"Use --host 127.0.0.1; from elsewhere: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE",
            host=host,
        )
