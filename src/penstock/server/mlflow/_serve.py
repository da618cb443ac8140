"""``serve_mlflow``: MLflow's protocol alone on a port of this machine."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.core import ServingError
from penstock.http import (
    LOCAL_HOSTS,
    UploadRoom,
    is_loopback,
    known_hosts,
    listen,
    run_server,
)
from penstock.server.mlflow._app import Served, mlflow_routes
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._guard import Authenticate, MlflowGuard
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

_PATHS = (
    "/api/2.0/mlflow",
    "/api/3.0/mlflow",
    "/v1/traces",
    "/ajax-api/",
    "/get-artifact",
    "/model-versions/get-artifact",
    "/health",
    "/version",
)


def create_mlflow(
    *,
    hosts: tuple[str, ...] = LOCAL_HOSTS,
    authenticate: Authenticate | None = None,
    max_artifact_size: int = 0,
    store: "Store | str | None" = None,
) -> MlflowGuard:
    """Create an ASGI application that speaks MLflow's protocol.

    Args:
        hosts: Accepted host names, without port; empty for any.
        authenticate: Function from a request to whoever sends it; None for a store with one user.
        max_artifact_size: Most bytes of an uploaded artifact; 0 for any number.
        store: The open store; by default the project's.
    """
    store = open_store(store)
    room = UploadRoom.of_store(store.artifacts.url, max_artifact_size)
    return MlflowGuard(mlflow_routes(), hosts, authenticate, Served(Desk(store), room))


def mlflow_mounts(
    *,
    hosts: tuple[str, ...] = LOCAL_HOSTS,
    authenticate: Authenticate | None = None,
    max_artifact_size: int = 0,
    store: "Store | str | None" = None,
) -> dict[str, MlflowGuard]:
    """Return the application by the beginnings of its paths, for a server of several; see `create_mlflow`."""
    app = create_mlflow(
        hosts=hosts, authenticate=authenticate, max_artifact_size=max_artifact_size, store=store
    )
    return dict.fromkeys(_PATHS, app)


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
        run_server(create_mlflow(hosts=known_hosts(host), store=store), listener, host, ready=ready)
