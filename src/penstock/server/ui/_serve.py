"""``serve_ui``: the UI on a port of this machine; apart from the app, which needs no socket."""

import ipaddress
import socket
from typing import TYPE_CHECKING

from penstock.core import ServingError
from penstock.server.ui._app import create_ui
from penstock.server.ui._guard import LOCAL_HOSTS

if TYPE_CHECKING:
    from penstock.stores import Store


def serve_ui(store: "Store", host: str = "127.0.0.1", port: int = 4270) -> None:
    """Serve the UI until interrupted.

    Args:
        store: The open store to show.
        host: Address of this machine to listen on; only loopback addresses, as there is no login.
        port: TCP port.

    Raises:
        ServingError: If the port is taken or the address would expose the store to a network.
    """
    import uvicorn

    _require_loopback(host, port)
    with _listen(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        app = create_ui(store, hosts=(*LOCAL_HOSTS, name))
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _require_loopback(host: str, port: int) -> None:
    if host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ServingError(
            what=f"{host} is not an address of this machine alone.",
            why="The UI has no login yet: everyone on the network could read the store.",
            fix=f"Use --host 127.0.0.1; from elsewhere: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE",
            host=host,
        )


def _listen(host: str, port: int) -> socket.socket:
    """Open the socket before uvicorn does, so that a taken port is an error and not a log line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ServingError(
            what=f"Port {port} on {host} cannot be used: {error.strerror or error}.",
            why="Another program, perhaps another `penstock ui`, listens there.",
            fix=f"Stop it, or choose another: penstock ui --port {port + 1}",
            host=host,
            port=port,
        ) from error
    return listener
