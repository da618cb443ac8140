"""serve: run the model server on a port; apart because it owns sockets and signals."""

import contextlib
import errno
import importlib
import ipaddress
import socket
from collections.abc import Callable, Sequence
from functools import partial

from penstock.core import NotFoundError, ServingError
from penstock.stores import Store

_LAST_PORT = 65_535


def serve(
    store: Store,
    names: Sequence[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_remote: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve deployments over HTTP until interrupted.

    Args:
        store: The store of the deployments and models.
        names: Deployments (or models in production) to serve; None for all.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        allow_remote: Needed for an address that other machines can reach.
        ready: Called with the server's URL once the server answers.

    Raises:
        ServingError: If the port is in use or may not be used, or the address is not this machine's
            own and ``allow_remote`` is not given.
        NotFoundError: If there is nothing to serve, or a name is not known.
    """
    _require_loopback(host, allow_remote=allow_remote)
    listener = _listen(host, port)
    with contextlib.closing(listener):
        hosts = None if allow_remote else ["127.0.0.1", "localhost", "[::1]", host]
        # Imported here: the module loads litestar, which no other command needs.
        application = importlib.import_module("penstock.serving._app")
        app = application.create_app(store, names=names, allowed_hosts=hosts)
        _require_something(store)
        connections = importlib.import_module("penstock.serving._connections")
        url = f"http://{_shown(host)}:{listener.getsockname()[1]}"
        server = connections.ModelServer(app, listener, partial(ready, url) if ready else None)
        # uvicorn has already shut down in order when it passes the interrupt on.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off: otherwise replies wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    listener.set_inheritable(True)
    return listener


def _cannot_listen(host: str, port: int, error: Exception) -> ServingError:
    number = getattr(error, "errno", None)
    other = port + 1 if port < _LAST_PORT else 8001
    if number == errno.EADDRINUSE:
        return ServingError(
            what=f"Port {port} on {host} is in use.",
            why="Another program answers there.",
            fix=f"Choose another port: --port {other}",
            port=port,
        )
    if number == errno.EACCES:
        return ServingError(
            what=f"Port {port} on {host} may not be used by this user.",
            why="Ports below 1024 belong to the system.",
            fix="Choose another port: --port 8000",
            port=port,
        )
    return ServingError(
        what=f"{host}:{port} cannot be listened on ({error}).",
        why="The address must be one of this machine's, the port from 0 to 65535.",
        fix="Use for example: --host 127.0.0.1 --port 8000",
        port=port,
    )


def _require_loopback(host: str, *, allow_remote: bool) -> None:
    if allow_remote or host == "localhost":
        return
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    raise ServingError(
        what=f"{host} can be reached from other machines.",
        why="The server asks nobody who they are: anyone there could ask for predictions and post "
        "truth.",
        fix="Use --host 127.0.0.1 behind your own gateway, or say that you mean it: --allow-remote",
        host=host,
    )


def _require_something(store: Store) -> None:
    if not store.metadata.deployments.list():
        raise NotFoundError(
            what=f"There is nothing to serve in {store.url}.",
            why="No model has a version in production.",
            fix="Run a pipeline with a register step, then: penstock promote MODEL",
        )


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
