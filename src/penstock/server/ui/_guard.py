"""Requirements on every request and response: host, own pages, identity, strict headers.

Apart from the pages and outside the router, so that no route, error or later addition is left out.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from litestar.enums import ScopeType

from penstock.core import use_identity
from penstock.http import SECURITY_HEADERS, host_name
from penstock.server.ui._session import Doorkeeper, sign_in_link, use_form_key

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'; script-src 'self'; img-src 'self' data:; connect-src 'self'; style-src 'self'"
)
CHART_MARK = "x-penstock-charts"
FORMS = "/do/"
"""Where forms are sent; everything else is only read."""
BACK_CHANNEL = "/sign-in/openid/back-channel-logout"
"""Where an OpenID provider sends what it has signed, itself and not by a browser."""
OPEN = ("/static/", "/health", "/sign-in", "/sign-in/openid/", "/do/sign-in")
"""Beginnings of the paths that strangers may ask for."""


class Guard:
    """ASGI wrapper that refuses foreign requests and strangers, and adds headers to every response.

    GET passes, and POST to a form's address from a page of this site. A Host outside the list is
    refused, so that a foreign page cannot reach the store by DNS rebinding; a cross-site request
    passes only as a navigation. Whoever is not known goes to the sign-in page.

    Args:
        app: The application to wrap.
        hosts: Host names to accept, without port.
        doorkeeper: Identifies the sender of a request.
    """

    def __init__(self, app: "ASGIApp", hosts: Iterable[str], doorkeeper: Doorkeeper) -> None:
        self.app, self.doorkeeper = app, doorkeeper
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal:
            await _refuse(*refusal, _marked(send))
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        authorization, cookie = _text(headers.get(b"authorization")), _text(headers.get(b"cookie"))
        identity, key = await to_thread.run_sync(self.doorkeeper.identify, authorization, cookie)
        with ExitStack() as stack:
            stack.enter_context(use_form_key(key))
            if identity is not None:
                stack.enter_context(use_identity(identity))
            elif not _is_open(scope["path"]):
                await _ask_to_sign_in(scope, _marked(send))
                return
            await self.app(scope, receive, _marked(send))

    def _refusal(self, scope: "HTTPScope") -> tuple[int, str] | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if host_name(host) not in self.hosts:
            return 421, (
                "This host name is not served. On the same machine open http://127.0.0.1:PORT; a name"
                " under which others reach the server is given at its start: --allowed-host NAME"
            )
        if scope["method"] == "POST" and scope["path"].startswith(FORMS):
            return _foreign_form(headers, host)
        if scope["method"] == "POST" and scope["path"] == BACK_CHANNEL:
            return None  # no cookie counts there, only the provider's signature
        if scope["method"] != "GET":
            return 405, "Pages are read with GET; to change something use their forms."
        site = headers.get(b"sec-fetch-site", b"none")
        if site == b"cross-site" and headers.get(b"sec-fetch-mode") != b"navigate":
            return 403, "Requests from another site are not allowed."
        return None


def _foreign_form(headers: dict[bytes, bytes], host: str) -> tuple[int, str] | None:
    """Refuse a form that a page of a foreign site sends; a browser always names the site."""
    site = headers.get(b"sec-fetch-site", b"same-origin").decode("latin-1").strip().lower()
    origin = headers.get(b"origin", b"").decode("latin-1").strip().lower()
    own = {f"http://{host.lower()}", f"https://{host.lower()}"}
    if site != "same-origin" or (origin and origin not in own):
        return 403, "Forms of another site are not accepted."
    if not origin and b"sec-fetch-site" not in headers:
        return 403, "A form has to say where it comes from: send the header Origin."
    return None


def _is_open(path: str) -> bool:
    return any(path == each or (each[-1] == "/" and path.startswith(each)) for each in OPEN)


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


def _marked(send: "Send") -> "Send":
    """Add the security headers to every response."""

    async def marked(message: "Message") -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            charts = any(name.lower() == CHART_MARK.encode() for name, _ in headers)
            # Plotly writes style elements; only pages that draw charts may have inline styles.
            policy = _POLICY + (" 'unsafe-inline'" if charts else "")
            kept = [(name, value) for name, value in headers if name.lower() != CHART_MARK.encode()]
            policy_header = (b"content-security-policy", policy.encode())
            message["headers"] = [*kept, *SECURITY_HEADERS, policy_header]
        await send(message)

    return marked


async def _ask_to_sign_in(scope: "HTTPScope", send: Any) -> None:
    """Lead a reader to the sign-in page, and tell a program that a token is needed."""
    wants_json = b"format=json" in scope["query_string"] or scope["method"] != "GET"
    if wants_json:
        await _refuse(401, "Sign in, or send a token as Authorization: Bearer pst_….", send)
        return
    link = sign_in_link(scope["path"]).encode()
    headers = [(b"location", link), (b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _refuse(status: int, sentence: str, send: Any) -> None:
    body = sentence.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
    ]
    extra = {405: (b"allow", b"GET"), 401: (b"www-authenticate", b'Bearer realm="penstock"')}
    if status in extra:
        headers.append(extra[status])
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
