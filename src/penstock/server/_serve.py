"""``serve_store``: a penstock server on a port, with the work that goes on beside the requests."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import PenstockError
from penstock.hooks import Courier
from penstock.http import (
    RATE,
    RateLimit,
    known_hosts,
    listen,
    names_of_url,
    require_bind,
    run_server,
)
from penstock.people import has_users
from penstock.scheduling import Scheduler
from penstock.server._app import create_server
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.server.openid import OpenIdSettings
    from penstock.stores import Store

_log = logging.getLogger("penstock.server")
_LOOK_EVERY_S = 10.0


def serve_store(
    host: str = "127.0.0.1",
    port: int = 4270,
    *,
    share_port: bool = False,
    allowed_hosts: Sequence[str] = (),
    rate: float = RATE,
    mounts: Mapping[str, Any] | None = None,
    openid: "OpenIdSettings | None" = None,
    url: str = "",
    max_artifact_size: int = 0,
    scheduler: bool = False,
    courier: bool = False,
    project: Path | str | None = None,
    ready: Callable[[str], None] | None = None,
    store: "Store | str | None" = None,
) -> None:
    """Serve a store over HTTP, API and web UI on a single port, until interrupted.

    Args:
        host: Address of this machine to listen on; an address beyond this machine only for a store
            with users.
        port: TCP port; 0 for a free port.
        share_port: Let several server processes listen on the same port; the system distributes
            connections among them, and none waits for a killed connection.
        allowed_hosts: Further names under which clients reach the server, without a port: beside
            those of `penstock.http.known_hosts`.
        rate: Requests per second that each address and each identity may send, ten seconds' worth
            of them at once; 0 for any number.
        mounts: Further ASGI applications by the beginning of their paths.
        openid: OpenID provider with which people sign in to the web UI; None for none.
        url: URL under which browsers reach the server through a proxy that speaks TLS; its name is
            accepted, and cookies of sessions that begin there are Secure.
        max_artifact_size: Most bytes of an uploaded artifact; 0 for any number. In any case an upload
            leaves the disk room for records.
        scheduler: Run the project's schedules as well.
        courier: Deliver notifications to webhooks as well.
        project: Folder whose schedules are run; by default the current project's.
        ready: Called with the server's URL once ready.
        store: The store to serve; by default the project's.

    Raises:
        ServingError: If the port is taken, or the address would open the store to everyone.
        StoreError: If the store cannot be opened, or is itself on a server.
    """
    store = open_store(store)
    require_bind(host, has_users=has_users(store=store))
    if openid is not None:
        allowed_hosts = [*allowed_hosts, openid.host]  # browsers come back to that name
    hosts = known_hosts(host, [*allowed_hosts, *names_of_url(url)])
    app = create_server(
        hosts=hosts,
        mounts=mounts,
        openid=openid,
        url=url,
        max_artifact_size=max_artifact_size,
        store=store,
    )
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(host, port, shared=share_port))
        stack.enter_context(_looking_after(store))
        if courier or scheduler:
            stack.enter_context(Courier(always=True, store=store))
        if scheduler:
            stack.enter_context(_scheduling(store, project))
        limited = RateLimit(app, rate) if rate > 0 else app
        run_server(limited, listener, host, ready=ready)


@contextlib.contextmanager
def _looking_after(store: "Store") -> Iterator[None]:
    """Record dead runs from time to time: clients are elsewhere, and may all be gone."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(_LOOK_EVERY_S):
            try:
                store.metadata.runs.kill_dead()
            except PenstockError as error:
                _log.warning("Dead runs could not be looked for. %s", error)

    thread = threading.Thread(target=work, name="penstock-server", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=_LOOK_EVERY_S)


@contextlib.contextmanager
def _scheduling(store: "Store", project: Path | str | None) -> Iterator[None]:
    """Run schedules in a thread; runs that have begun are left to the next scheduler."""
    worker = Scheduler(project=project, store=store)
    thread = threading.Thread(target=worker.run, name="penstock-scheduler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        worker.stop(leave=True)
        thread.join(timeout=_LOOK_EVERY_S)
