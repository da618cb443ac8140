"""``serve_mlflow``: MLflow's protocol alone on a port of this machine."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from litestar import Litestar
from litestar.exceptions import HTTPException

from penstock.core import ServingError
from penstock.http import Server, is_loopback, listen, url_host
from penstock.server.mlflow._app import answer_error, mlflow_router
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store


def create_mlflow(store: "Store | str | None" = None) -> Litestar:
    """Create an ASGI application that speaks MLflow's protocol, for one person: nobody signs in.

    Args:
        store: The open store; by default the project's.
    """
    return Litestar(
        route_handlers=[mlflow_router(open_store(store))],
        exception_handlers={Exception: answer_error, HTTPException: answer_error},
        openapi_config=None,
        logging_config=None,
    )


def serve_mlflow(
    host: str = "127.0.0.1",
    port: int = 5000,
    *,
    ready: Callable[[str], None] | None = None,
    store: "Store | str | None" = None,
) -> None:
    """Serve MLflow's protocol until interrupted.

    Args:
        host: Address of this machine to listen on; only loopback addresses, as there is no login.
        port: TCP port; 0 takes a free one.
        ready: Called with the URL once it answers.
        store: The open store; by default the project's.

    Raises:
        ServingError: If the port is taken or the address would expose the store to a network.
    """
    if not is_loopback(host):
        raise ServingError(
            what=f"{host} is not an address of this machine alone.",
            why="Here nobody signs in: everyone on the network could write to the store.",
            fix="Use 127.0.0.1; for a team run: penstock server",
            host=host,
        )
    with listen(host, port) as listener:
        url = f"http://{url_host(host)}:{listener.getsockname()[1]}"
        app = create_mlflow(store)
        with contextlib.suppress(KeyboardInterrupt):
            Server(app, listener, partial(ready, url) if ready else None).run(sockets=[listener])
