"""``serve_ui``: the UI on a port of this machine; apart from the app, which needs no socket."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from penstock.http import known_hosts, listen, names_of_url, require_bind, run_server
from penstock.people import has_users
from penstock.server.ui._app import create_ui
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store


def serve_ui(
    host: str = "127.0.0.1",
    port: int = 4270,
    *,
    allowed_hosts: Sequence[str] = (),
    url: str = "",
    ready: Callable[[str], None] | None = None,
    store: "Store | str | None" = None,
) -> None:
    """Serve the UI until interrupted.

    Args:
        host: Address of this machine to listen on; an address beyond this machine only for a store
            with users.
        port: TCP port; 0 for a free port.
        allowed_hosts: Further names under which readers reach the UI, without a port.
        url: URL under which browsers reach the UI through a proxy that speaks TLS; its name is
            accepted, and cookies of sessions that begin there are Secure.
        ready: Called with the UI's URL once ready.
        store: The open store to show; by default the project's.

    Raises:
        ServingError: If the port is taken or the address would expose the store to a network.
    """
    store = open_store(store)
    require_bind(host, has_users=has_users(store=store))
    with listen(host, port) as listener:
        hosts = known_hosts(host, [*allowed_hosts, *names_of_url(url)])
        app = create_ui(hosts=hosts, url=url, store=store)
        run_server(app, listener, host, ready=ready)
