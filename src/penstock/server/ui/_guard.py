"""Requirements on every request and response: host allow-list, GET only, strict headers.

Apart from the pages and outside the router, so that no route, error or later addition is left out.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from litestar.enums import ScopeType

from penstock.http import host_name

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'; script-src 'self'; img-src 'self' data:; connect-src 'self'; style-src 'self'"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
CHART_MARK = "x-penstock-charts"


class Guard:
    """ASGI wrapper that refuses foreign requests and adds security headers to every response.

    Only GET passes. A Host outside the list is refused, so that a foreign page cannot
    reach the store by DNS rebinding; a cross-site request passes only as a navigation.

    Args:
        app: The application to wrap.
        hosts: Host names to accept, without port.
    """

    def __init__(self, app: "ASGIApp", hosts: Iterable[str]) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal:
            await _refuse(*refusal, _marked(send))
        else:
            await self.app(scope, receive, _marked(send))

    def _refusal(self, scope: "HTTPScope") -> tuple[int, str] | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if host_name(host) not in self.hosts:
            return 421, "This host name is not served. Open the UI as http://127.0.0.1:PORT."
        if scope["method"] != "GET":
            return 405, "The UI only reads: use GET. To change something use the penstock command."
        site = headers.get(b"sec-fetch-site", b"none")
        if site == b"cross-site" and headers.get(b"sec-fetch-mode") != b"navigate":
            return 403, "Requests from another site are not allowed."
        return None


def _marked(send: "Send") -> "Send":
    """Add the security headers to every response."""

    async def marked(message: "Message") -> None:
        if message["type"] == "http.response.start":
            given = list(message["headers"])
            charts = any(name.lower() == CHART_MARK.encode() for name, _ in given)
            # Plotly writes style elements; only pages that draw charts may have inline styles.
            policy = _POLICY + (" 'unsafe-inline'" if charts else "")
            kept = [(name, value) for name, value in given if name.lower() != CHART_MARK.encode()]
            policy_header = (b"content-security-policy", policy.encode())
            message["headers"] = [*kept, *_HEADERS, policy_header]
        await send(message)

    return marked


async def _refuse(status: int, sentence: str, send: Any) -> None:
    body = sentence.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
    ]
    if status == 405:  # noqa: PLR2004 - the status itself
        headers.append((b"allow", b"GET"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
