"""``create_server``: one ASGI application of API and web UI, and of further protocols by path."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.core import PenstockError, use_identity
from penstock.http import LOCAL_HOSTS, Call, HttpError, render_error
from penstock.server.api import create_api
from penstock.server.ui import create_ui
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.server.api import Authenticate
    from penstock.stores import Store

_API = "/api/v1/"


def create_server(
    *,
    hosts: tuple[str, ...] = LOCAL_HOSTS,
    authenticate: "Authenticate | None" = None,
    mounts: Mapping[str, Any] | None = None,
    store: "Store | str | None" = None,
) -> "ServerApp":
    """Create the ASGI application of a penstock server.

    Args:
        hosts: Accepted host names, without port.
        authenticate: Function from a request to whoever sends it; None for a store with one user.
        mounts: Further ASGI applications by the beginning of their paths; each checks its requests.
        store: The store to serve; by default the project's.

    Raises:
        StoreError: If the store is itself on a server.
        TypeError: If an operation of the store declares no permission.
    """
    store = open_store(store)
    api = create_api(hosts=hosts, authenticate=authenticate, store=store)
    ui = create_ui(hosts=hosts, store=store)
    pages = ui if authenticate is None else _SignedIn(ui, authenticate)
    return ServerApp({_API: api, **(mounts or {})}, pages)


class ServerApp:
    """ASGI application that passes a request on by the beginning of its path.

    Args:
        mounts: Applications by the beginning of their paths; the longest counts.
        pages: Application of all other paths; it also receives start and stop.
    """

    def __init__(self, mounts: Mapping[str, Any], pages: Any) -> None:
        self._mounts = sorted(mounts.items(), key=lambda each: -len(each[0]))
        self._pages = pages

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on."""
        path = scope.get("path", "")
        app = next((app for start, app in self._mounts if path.startswith(start)), self._pages)
        await app(scope, receive, send)


class _SignedIn:
    """The pages, for those who are known."""

    def __init__(self, app: Any, authenticate: "Authenticate") -> None:
        self._app, self._authenticate = app, authenticate

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            identity = self._authenticate(Call({}, scope["headers"], b""))
            if identity is None:
                raise HttpError(401, "Sign in first.", "This store has users.")
        except PenstockError as error:
            await _refuse(error, send)
            return
        with use_identity(identity):
            await self._app(scope, receive, send)


async def _refuse(error: PenstockError, send: Any) -> None:
    reply = render_error(error)
    headers = [(b"content-type", reply.content_type), *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
