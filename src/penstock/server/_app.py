"""``create_server``: a single ASGI application of API, MLflow's protocol and web UI, told apart by path."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.http import LOCAL_HOSTS, Call
from penstock.people import Authenticator
from penstock.server.api import create_api
from penstock.server.mlflow import mlflow_mounts
from penstock.server.ui import create_ui
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.core import Identity
    from penstock.server.api import Authenticate
    from penstock.server.openid import OpenIdSettings
    from penstock.stores import Store

_API = "/api/v1/"


def create_server(
    *,
    hosts: tuple[str, ...] = LOCAL_HOSTS,
    mounts: Mapping[str, Any] | None = None,
    openid: "OpenIdSettings | None" = None,
    url: str = "",
    max_artifact_size: int = 0,
    store: "Store | str | None" = None,
) -> "ServerApp":
    """Create the ASGI application of a penstock server.

    In a store with users a request carries a token or a session's cookie; without users requests
    come from the owner of the store.

    Args:
        hosts: Accepted host names, without port.
        mounts: Further ASGI applications by the beginning of their paths; each checks requests.
        openid: OpenID provider with which people sign in to the web UI; None for none.
        url: URL under which browsers reach the server; see `create_ui`.
        max_artifact_size: Most bytes of an uploaded artifact; 0 for any number.
        store: The store to serve; by default the project's.

    Raises:
        StoreError: If the store is itself on a server.
        TypeError: If an operation of the store declares no permission.
    """
    store = open_store(store)
    users = users_of(store)
    most = max_artifact_size
    api = create_api(hosts=hosts, authenticate=users, max_artifact_size=most, store=store)
    mlflow = mlflow_mounts(hosts=hosts, authenticate=users, max_artifact_size=most, store=store)
    pages = create_ui(hosts=hosts, openid=openid, url=url, store=store)
    return ServerApp({**mlflow, _API: api, **(mounts or {})}, pages)


def users_of(store: "Store") -> "Authenticate":
    """Return the function that identifies the sender among a store's users."""
    authenticator = Authenticator(store=store)

    def authenticate(call: Call) -> "Identity":
        return authenticator.authenticate(call.header(b"authorization"), call.header(b"cookie"))

    return authenticate


class ServerApp:
    """ASGI application that passes a request on by the beginning of the path.

    Args:
        mounts: Applications by the beginning of their paths; the longest counts.
        pages: Application of all further paths; also receives start and stop.
    """

    def __init__(self, mounts: Mapping[str, Any], pages: Any) -> None:
        self._mounts = sorted(mounts.items(), key=lambda each: -len(each[0]))
        self._pages = pages

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on."""
        path = scope.get("path", "")
        app = next((app for start, app in self._mounts if path.startswith(start)), self._pages)
        await app(scope, receive, send)
