"""Requirements on every request of an MLflow client, outside the router so that no route omits one."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from litestar.enums import ScopeType

from penstock.core import (
    Identity,
    PenstockError,
    SignInError,
    use_identity,
)
from penstock.http import Call, HttpError, require_host, require_own_page
from penstock.server.mlflow._errors import DENIED, STATUS, explain
from penstock.server.mlflow._fields import encode

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

Authenticate = Callable[[Call], Identity | None]
_READING = frozenset({"GET", "HEAD"})
_OPEN = frozenset({"/health", "/version"})
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"))


class MlflowGuard:
    """ASGI wrapper: a host of this server, no foreign page, somebody who has signed in.

    Args:
        app: The application to wrap.
        hosts: Accepted host names, without port; empty for any.
        authenticate: Function from a request to whoever sends it; None for a store with one user.
        served: What the handlers find as ``request.state.served``.
    """

    def __init__(
        self,
        app: "ASGIApp",
        hosts: Iterable[str],
        authenticate: Authenticate | None,
        served: object,
    ) -> None:
        self._app, self._authenticate, self._served = app, authenticate, served
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Check a request and pass it on."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        with ExitStack() as stack:
            try:
                await self._check(scope, stack)
            except PenstockError as error:
                await _refuse(error, send)
                return
            scope["state"] = {**scope.get("state", {}), "served": self._served}
            await self._app(scope, receive, _marked(send))

    async def _check(self, scope: "HTTPScope", stack: ExitStack) -> None:
        call = Call({}, list(scope["headers"]), b"")
        require_host(call, self._hosts)
        if scope["method"] not in _READING:
            require_own_page(call)
        if self._authenticate is None or scope["path"] in _OPEN:
            return
        identity = await asyncio.to_thread(self._authenticate, call)
        if identity is None:
            raise SignInError(
                what="The request says nothing of who sends it.",
                fix="Set MLFLOW_TRACKING_TOKEN; create one with: penstock tokens create",
            )
        stack.enter_context(use_identity(identity))


def _marked(send: "Send") -> "Send":
    async def marked(message: Any) -> None:
        if message["type"] == "http.response.start":
            known = {name.lower() for name, _ in message["headers"]}
            more = [pair for pair in _HEADERS if pair[0] not in known]
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return marked


async def _refuse(error: PenstockError, send: "Send") -> None:
    code, message = (DENIED, str(error)) if isinstance(error, HttpError) else explain(error)
    body = encode({"error_code": code, "message": message})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if code == "UNAUTHENTICATED":
        headers.append((b"www-authenticate", b'Basic realm="penstock"'))
    status = error.status if isinstance(error, HttpError) else STATUS[code]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
