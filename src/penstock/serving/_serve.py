"""serve: run the model server on a port; apart because of sockets and signals."""

import contextlib
import gc
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence

from penstock import http
from penstock.core import AccessError, NotFoundError, ServingError
from penstock.http import is_loopback, known_hosts, listen, require_bind
from penstock.serving._names import served_names
from penstock.stores import Store, open_store

_SWITCH_S = 0.0005  # how long a thread may keep the interpreter while another one waits


def serve(
    names: Sequence[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_remote: bool = False,
    anonymous: bool = False,
    rate: float | None = None,
    ready: Callable[[str], None] | None = None,
    store: Store | str | None = None,
) -> None:
    """Serve deployments over HTTP until interrupted.

    Args:
        names: Deployments (or models in production) to serve, also as ``models:/churn@champion``;
            None for all.
        host: Address to listen on.
        port: Port to listen on; 0 for a free port.
        allow_remote: Needed for an address beyond this machine; the callers then sign in
            with tokens.
        anonymous: Whether every caller is answered: behind a gateway of yours
            that knows its callers.
        rate: Requests per second that each address and each token may send, ten seconds' worth of
            them at once; 0 for any number. By default 1,000, and any number with ``anonymous``: a
            gateway sends everybody's requests.
        ready: Called with the server's URL once the server answers.
        store: The store of the deployments and models; by default the project's.

    Raises:
        ServingError: If the port is in use or may not be used, the address is not this machine's
            own and ``allow_remote`` is not given, or callers would not be identified.
        NotFoundError: If there is nothing to serve, or a name is not known.
        ConflictError: If a version is named to which no traffic goes.
    """
    store = open_store(store)
    names = served_names(names, store=store)
    _require_loopback(host, allow_remote=allow_remote)
    if not anonymous:
        require_users(host, store)
    listener = listen(host, port)
    with contextlib.closing(listener):
        hosts = None if allow_remote else known_hosts(host)
        # Imported here: the module loads litestar, which no other command needs.
        application = importlib.import_module("penstock.serving._app")
        app = application.create_app(
            names=names, allowed_hosts=hosts, anonymous=anonymous, store=store
        )
        _require_something(store)
        most = (0.0 if anonymous else http.RATE) if rate is None else rate
        limited = http.RateLimit(app, most) if most > 0 else app
        with _requests_first():
            http.run_server(limited, listener, host, ready=ready)


@contextlib.contextmanager
def _requests_first() -> Iterator[None]:
    """Let this process answer a request before further work of its own, in the block.

    A request gives Python's lock up at each read and write, and waited 5 ms for it where the
    prediction log or the poll of the store had taken it. The loaded models and libraries are half a
    million objects that stay: a full collection looked at each of them, for a tenth of a second.
    """
    before, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if not frozen:  # what the caller has frozen stays so
            gc.unfreeze()
        sys.setswitchinterval(before)


def _require_loopback(host: str, *, allow_remote: bool) -> None:
    if allow_remote or is_loopback(host):
        return
    raise ServingError(
        what=f"{host} can be reached from other machines.",
        why="Whoever has a token could request predictions and post ground truth from there.",
        fix="Use --host 127.0.0.1 behind your own gateway, or confirm with: --allow-remote",
        host=host,
    )


def require_users(host: str, store: Store) -> None:
    """Refuse to serve where callers would not be identified, or could not be looked up.

    Args:
        host: Address that the server listens on.
        store: The store with the users.

    Raises:
        ServingError: If other machines reach the address and the store has no users, or the token of
            this server may not look them up.
    """
    try:
        has_users = store.metadata.users.count() > 0
    except AccessError as error:  # over HTTP: it tells that people sign in there
        raise ServingError(
            what=f"The token of this model server may not look up users and tokens in {store.url}.",
            why="Each request has a token of its own, which is looked up there.",
            fix="Serve with an admin's token in PENSTOCK_TOKEN, or confirm with --anonymous that a"
            " gateway of yours knows the callers.",
            host=host,
        ) from error
    try:
        require_bind(host, has_users=has_users)
    except ServingError as error:
        raise ServingError(
            what=error.what,
            why="Anyone on the network could request predictions and post ground truth.",
            fix="Confirm with --anonymous that a gateway of yours knows the callers, or create users"
            " and tokens: penstock users first",
            host=host,
        ) from error


def _require_something(store: Store) -> None:
    if not store.metadata.deployments.list():
        raise NotFoundError(
            what=f"There is nothing to serve in {store.url}.",
            why="No model has a version in production.",
            fix="Run a pipeline with a register step, then: penstock promote MODEL",
        )
