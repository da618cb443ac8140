"""create_app: the model server as an ASGI application; joins routes, log, metrics and reloading."""

import logging
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler, asgi
from litestar.response import Response
from litestar.types import Receive, Scope, Send

from penstock.core import PenstockError, Permission
from penstock.hooks import Courier
from penstock.http import (
    TEXT,
    Call,
    HttpError,
    Reply,
    render_error,
    require_host,
    require_json,
    require_own_page,
)
from penstock.serving._admission import Admission
from penstock.serving._explain import ExplainRoute
from penstock.serving._friendly import FriendlyRoutes
from penstock.serving._names import served_names
from penstock.serving._prediction_log import PredictionLog
from penstock.serving._predictor import Predictor
from penstock.serving._presence import Presence
from penstock.serving._prometheus import ServingMetrics
from penstock.serving._protocol_routes import ProtocolRoutes, render_protocol_error
from penstock.serving._rollout import OnPromote
from penstock.serving._router import Reloader, Router
from penstock.serving._routes import ANY, KNOWN_ROUTES, Route, RouteTable
from penstock.serving._serve import require_users as require_known_callers
from penstock.stores import Store, open_store

_log = logging.getLogger("penstock.serving")
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - checked against, not listened on
# Whatever these do not match is normalized, or refused, by litestar.
_PLAIN_PATH = re.compile(r"(/[a-z0-9]+)((?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+)", re.ASCII)
_PLAIN_HOST = re.compile(rb"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?")
MAX_BODY_BYTES = 16 * 1024 * 1024


def create_app(
    *,
    names: Sequence[str] | None = None,
    log: bool = True,
    poll_s: float = 0.25,
    allowed_hosts: Sequence[str] | None = None,
    on_promote: OnPromote | None = None,
    anonymous: bool = False,
    require_users: bool = False,
    store: Store | str | None = None,
) -> Litestar:
    """Create the model server for deployments of a store.

    The models are loaded here, so that a deployment that cannot be served is reported at once;
    requests to such a deployment are answered with 503 and the reason. While the app runs, a thread
    polls the store: new versions are loaded, warmed up and swapped in; rollouts advance.

    Args:
        names: Deployments to serve; a model with a production version gets a deployment. None for
            all.
        log: Whether predictions are logged.
        poll_s: Seconds between polls of the store.
        allowed_hosts: Host names that requests may carry; None for any.
        on_promote: Called with model, version and reason when a rollout has passed the last step;
            by default the registry's promote.
        anonymous: Whether everyone is answered also in a store with users.
        require_users: Whether a store without users is refused, unless `anonymous`: for a server that
            other machines reach.
        store: The store of the deployments and models; by default the project's.

    Raises:
        NotFoundError: If a name is neither a deployment nor a model in production.
        ServingError: If callers would not be identified, with `require_users`.
    """
    store = open_store(store)
    names = served_names(names, store=store)
    if require_users and not anonymous:
        require_known_callers(EVERY_ADDRESS, store)
    router = Router(store, names, on_promote=on_promote)
    router.refresh()
    journal = PredictionLog(store.metadata.predictions.add) if log else None
    reloader = Reloader(router, poll_s, Presence(store, names))
    metrics = ServingMetrics(router, journal)
    # A rollout judges itself here, with nobody else around to tell of it.
    courier = Courier(always=True, store=store)

    def stop() -> None:
        reloader.stop()
        courier.stop()
        if journal is not None:
            journal.close()

    hosts = frozenset(host.lower() for host in allowed_hosts or ())
    handlers = _routes(
        store, router, journal, metrics, hosts, Admission(store, anonymous=anonymous)
    )
    return ModelServer(
        handlers,
        on_startup=[reloader.start, courier.start],
        on_shutdown=[stop],
        openapi_config=None,
        logging_config=None,
        exception_handlers={HTTPException: _render_http_exception},
    )


class ModelServer(Litestar):
    """The application. Usual paths go straight to their handler, the rest through litestar.

    What litestar does for a path of plain characters is the look-up of the handler, which took an
    eighth of a request's time.
    """

    __slots__ = ("_straight",)

    def __init__(self, route_handlers: Sequence[ASGIRouteHandler], **options: Any) -> None:
        super().__init__(route_handlers, **options)
        self._straight = {path: each.fn for each in route_handlers for path in each.paths}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or start or stop the application."""
        if (
            scope["type"] == "http"
            and not scope.get("root_path")
            and (match := _PLAIN_PATH.fullmatch(scope["path"])) is not None
            and (handler := self._straight.get(match[1])) is not None
            and _has_plain_host(scope["headers"])
        ):
            await handler({**scope, "path": match[2]}, receive, send)
            return
        await super().__call__(scope, receive, send)


def _has_plain_host(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"host":
            return _PLAIN_HOST.fullmatch(value) is not None
    return True


def _routes(
    store: Store,
    router: Router,
    journal: PredictionLog | None,
    metrics: ServingMetrics,
    hosts: frozenset[str],
    admission: Admission,
) -> list[ASGIRouteHandler]:
    """Build the routes; mounts, because litestar's ASGI handlers have no path parameters."""
    predictor = Predictor(router, journal)
    friendly = FriendlyRoutes(store, router, predictor, journal)
    protocol = ProtocolRoutes(router, predictor)
    explaining = ExplainRoute(store, router, journal)

    async def scrape(_call: Call) -> Reply:
        return Reply(metrics.render(), content_type=TEXT)

    read, operate = Permission.READ, Permission.OPERATE
    plain = (
        Route("models/{name}", "GET", "describe", friendly.describe, render_error, read),
        Route("models/{name}/predict", "POST", "predict", friendly.predict, render_error, read),
        Route("models/{name}/explain", "POST", "explain", explaining.explain, render_error, read),
        Route("models/{name}/truth", "POST", "truth", friendly.truth, render_error, operate),
    )
    version = "v2/models/{name}/versions/{version}"
    oip = (
        ("v2", "GET", "server", protocol.server, read),
        ("v2/health/live", "GET", "live", protocol.live, None),
        ("v2/health/ready", "GET", "ready", protocol.ready, None),
        ("v2/models/{name}", "GET", "model", protocol.model, read),
        ("v2/models/{name}/ready", "GET", "model_ready", protocol.model_ready, read),
        ("v2/models/{name}/infer", "POST", "infer", protocol.infer, read),
        (version, "GET", "model", protocol.model, read),
        (f"{version}/ready", "GET", "model_ready", protocol.model_ready, read),
        (f"{version}/infer", "POST", "infer", protocol.infer, read),
    )
    folders: dict[str, Sequence[Route]] = {
        "models": plain,
        "v2": [
            Route(pattern, method, name, handler, render_protocol_error, permission)
            for pattern, method, name, handler, permission in oip
        ],
        "metrics": [Route("metrics", "GET", "metrics", scrape, render_error, read)],
    }
    checks = (hosts, admission)
    return [_mount(folder, routes, metrics, checks) for folder, routes in folders.items()]


def _mount(
    folder: str,
    routes: Sequence[Route],
    metrics: ServingMetrics,
    checks: tuple[frozenset[str], Admission],
) -> ASGIRouteHandler:
    """Mount a folder directly on ASGI, without litestar's request handling: read, answer, count."""
    table, (hosts, admission) = RouteTable(routes), checks

    # The scope is a copy of this request's own, with the path behind the folder.
    @asgi(f"/{folder}", is_mount=True, copy_scope=True)
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        request: Any = scope  # litestar sends lifespan and websockets elsewhere
        route, path = table.find(f"{folder}{request['path']}")
        call = Call(path, request["headers"], b"")
        started, identity = time.perf_counter(), ExitStack()
        try:
            # Checked before the body is read, so that a refused request costs little.
            require_host(call, hosts)
            _require_method(request["method"], route.method)
            if route.method == "POST":
                require_own_page(call)
                require_json(call)
            await admission.admit(call, route, identity)
            call.body = await _read_body(receive) if route.method == "POST" else b""
            # Restarted once the body has arrived: a slow sender must not look like a slow model.
            started = time.perf_counter()
            reply = await route.handler(call)
        except PenstockError as error:
            reply = route.render(error)
        except Exception as error:  # noqa: BLE001 - the server answers every request, and logs the error
            _log.exception("Route %s failed", route.pattern)
            reply = route.render(_unexpected(error))
        finally:
            identity.close()
        metrics.observe(
            call.deployment, call.version, route.name, reply.status, time.perf_counter() - started
        )
        await _send(send, reply)

    return endpoint


def _require_method(came: str, method: str) -> None:
    if method not in {ANY, came}:
        raise HttpError(
            405, f"This route does not answer {came}.", fix=f"Use {method}.", allow=[method]
        )


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(400, "The caller left before the body had come.")
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise HttpError(
                413,
                f"The body is larger than {MAX_BODY_BYTES // 2**20} MiB.",
                "Large requests would delay other requests.",
                "Send the rows in parts.",
            )
        if not message.get("more_body", False):
            return part if not parts else b"".join((*parts, part))
        parts.append(part)


async def _send(send: Send, reply: Reply) -> None:
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", b"%d" % len(reply.body)),
        (b"x-content-type-options", b"nosniff"),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})


def _unexpected(error: Exception) -> PenstockError:
    return PenstockError(
        what=f"The server failed: {type(error).__name__}.",
        why="This is not the caller's doing.",
        fix="The server's log has the details.",
    )


def _render_http_exception(_request: Any, error: HTTPException) -> "Response[bytes]":
    fix = KNOWN_ROUTES if error.status_code == 404 else ""  # noqa: PLR2004 - HTTP status
    reply = render_error(HttpError(error.status_code, f"{error.detail}.", fix=fix))
    return Response(reply.body, status_code=reply.status, media_type="application/json")
