"""``create_api``: the ASGI application of the API, one handler for all operations."""

import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import penstock
from penstock.core import (
    NotFoundError,
    ParameterError,
    PenstockError,
    Permission,
    SignInError,
    current_actor,
    current_identity,
    did_you_mean,
    use_actor,
    use_identity,
)
from penstock.http import (
    LOCAL_HOSTS,
    Call,
    HttpError,
    Reply,
    UploadRoom,
    reply_json,
    require_host,
    require_json,
    require_own_page,
    retry_header,
    status_of,
)
from penstock.people import require_permission
from penstock.server.api._bytes import Absent, download, upload, upload_many
from penstock.server.api._exchange import Exchange, in_thread
from penstock.server.api._openapi import describe_api
from penstock.server.api._perform import Performer
from penstock.stores.rest import Operation, error_to_json, operations

if TYPE_CHECKING:
    from penstock.core import Identity
    from penstock.stores import Store

Authenticate = Callable[[Call], "Identity | None"]
"""Function from a request to whoever sends it; raises SignInError, or returns None, if unknown."""

ROOT = "/api/v1"
_MOST_BODY = 64 << 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """A route of the API.

    Args:
        permission: Permission that every request needs.
        handle: Function that answers.
    """

    permission: Permission
    handle: Callable[[Exchange], Awaitable[None]]


@cache
def _description() -> bytes:
    """Return the description that the API gives of itself; made when it is first asked for."""
    return json.dumps(describe_api(ROOT)).encode()


def create_api(
    *,
    hosts: tuple[str, ...] = LOCAL_HOSTS,
    authenticate: Authenticate | None = None,
    max_artifact_size: int = 0,
    store: "Store",
) -> "Api":
    """Create the API's ASGI application.

    Args:
        hosts: Accepted host names, without port; empty for any.
        authenticate: Function that returns who sends a request; None for a store with one user.
        max_artifact_size: Most bytes of an uploaded artifact; 0 for any number.
        store: The store, open on a database.

    Raises:
        TypeError: If an operation of the store declares no permission.
    """
    room = UploadRoom.of_store(store.artifacts.url, max_artifact_size)
    return Api(store, frozenset(hosts), authenticate, room)


class Api:
    """ASGI application of the API; see `create_api`."""

    def __init__(
        self,
        store: "Store",
        hosts: frozenset[str],
        authenticate: Authenticate | None,
        room: UploadRoom,
    ) -> None:
        self._store, self._hosts, self._authenticate = store, hosts, authenticate
        self._room = room
        self._performer = Performer(store)
        self._routes = self._make_routes()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except Exception as error:
            if exchange.started:
                raise  # the client sees a broken stream, and not a whole one
            await exchange.reply(_refusal(error, exchange.path))

    async def _answer(self, exchange: Exchange) -> None:
        require_host(exchange.call, self._hosts)
        if exchange.method not in {"GET", "HEAD"}:
            require_own_page(exchange.call)
        route = self._find(exchange)
        with ExitStack() as stack:
            await self._identify(exchange, stack)
            require_permission(route.permission)
            await route.handle(exchange)

    def _find(self, exchange: Exchange) -> ApiRoute:
        path = exchange.path.removeprefix(ROOT)
        methods = self._routes.get(path)
        noun, _, digest = path.removeprefix("/").partition("/")
        if methods is None and noun == "bytes" and digest and "/" not in digest:
            methods = self._routes["/bytes/{digest}"]
        if methods is None:
            raise NotFoundError(
                what=f"There is no operation {path[:100]!r}.",
                fix=did_you_mean(path[:100], self._routes),
            )
        if exchange.method not in methods:
            raise HttpError(
                405,
                f"{path[:100]} takes {' and '.join(methods)}, not {exchange.method[:20]}.",
                allow=sorted(methods),
            )
        return methods[exchange.method]

    async def _identify(self, exchange: Exchange, stack: ExitStack) -> None:
        authenticate = self._authenticate
        identity = (
            None if authenticate is None else await in_thread(lambda: authenticate(exchange.call))
        )
        if authenticate is None or (identity is not None and not identity.attested):
            # A store without users: one person, whose name on another machine the client says.
            named = exchange.call.header(b"penstock-actor")
            stack.enter_context(use_actor(unquote(named)[:200] if named else current_actor()))
            return
        if identity is None:
            raise SignInError(
                what="The request does not say who sends it.",
                why="This store has users.",
                fix="Set PENSTOCK_TOKEN to a token, or send Authorization: Bearer TOKEN.",
            )
        stack.enter_context(use_identity(identity))

    def _make_routes(self) -> dict[str, dict[str, ApiRoute]]:
        artifacts, room = self._store.artifacts, self._room
        routes: dict[str, dict[str, ApiRoute]] = {
            "/openapi.json": {"GET": ApiRoute(Permission.READ, self._describe)},
            "/store": {"GET": ApiRoute(Permission.READ, self._show_store)},
            "/bytes": {
                "POST": ApiRoute(Permission.WRITE, lambda each: upload(artifacts, room, each))
            },
            "/bytes/write-many": {
                "POST": ApiRoute(Permission.WRITE, lambda each: upload_many(artifacts, room, each))
            },
            "/bytes/{digest}": {
                "GET": ApiRoute(
                    Permission.READ,
                    lambda each: download(artifacts, each, each.path.rpartition("/")[2]),
                )
            },
        }
        for verbs in operations().values():
            for operation in verbs.values():
                routes[f"/{operation.path}"] = self._methods(operation)
        return routes

    def _methods(self, operation: Operation) -> dict[str, ApiRoute]:
        permission = operation.rule.permission
        methods = {"POST": ApiRoute(permission, lambda each: self._post(operation, each))}
        if operation.rule.only_reads:
            methods["GET"] = ApiRoute(permission, lambda each: self._get(operation, each))
        return methods

    async def _post(self, operation: Operation, exchange: Exchange) -> None:
        require_json(exchange.call)
        body = await exchange.body(_MOST_BODY)
        request_id = (exchange.call.header(b"idempotency-key") or "")[:200]
        place = _place(exchange.query)
        answer = await in_thread(
            lambda: self._performer.perform(operation, body, request_id, place)
        )
        await exchange.reply(Reply(answer))

    async def _get(self, operation: Operation, exchange: Exchange) -> None:
        query = exchange.query
        place = _place({"from": query.pop("from", "0")})
        answer = await in_thread(lambda: self._performer.perform_query(operation, query, place))
        await exchange.reply(Reply(answer))

    async def _describe(self, exchange: Exchange) -> None:
        await exchange.reply(Reply(_description()))

    async def _show_store(self, exchange: Exchange) -> None:
        identity = current_identity()
        facts = {
            "penstock": penstock.__version__,
            "single_user": await in_thread(lambda: self._store.single_user),
            "actor": current_actor(),
            "attested": "" if identity is None else identity.attested,
        }
        await exchange.reply(reply_json(facts))


def _place(query: dict[str, str]) -> int:
    text = query.get("from", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):  # noqa: PLR2004 - 64 bits
        raise ParameterError(what=f"from is {text[:40]!r}.", fix="Send the number in 'next'.")
    return int(text)


def _refusal(error: Exception, path: str) -> Reply:
    status = None
    if isinstance(error, Absent):
        status, error = 404, error.error
    if not isinstance(error, PenstockError):
        _log.error("The operation %s failed.", path, exc_info=error)
        error = HttpError(
            500,
            "The operation failed in the server.",
            f"{type(error).__name__}",
            "The server's log has the traceback.",
        )
    # The mark tells a client that the server itself answers, and not something on the way.
    headers = {"penstock-error": type(error).__name__, **retry_header(error)}
    return reply_json({"error": error_to_json(error)}, status or status_of(error), headers)
