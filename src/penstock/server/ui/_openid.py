"""Routes of the sign-in with an OpenID provider: out to the provider, and back.

They are links and no forms: a browser that follows a form to another site is held back by this site's
own policy (form-action). The session's cookie is SameSite=Strict, which a browser does not send on the
way from the provider; so the way back ends in a page of this site that leads on by itself.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie

from penstock.core import RateLimitError, Secret, ServingError, SignInError, current_identity
from penstock.http import MOST_FORM_BYTES, HttpError, read_form, status_of
from penstock.server.openid import WAITS_S, OpenId, Started
from penstock.server.ui._actions import Access
from penstock.server.ui._guard import BACK_CHANNEL
from penstock.server.ui._page import Page
from penstock.server.ui._people import sign_in_form
from penstock.server.ui._render import respond
from penstock.server.ui._session import own_path, set_cookie

if TYPE_CHECKING:
    from penstock.people import NewSession
    from penstock.server.ui._site import Site

_AT_ONCE = 8
_AWAY, _BAD = 503, 400
_NOT_KEPT = {"cache-control": "no-store"}


def openid_routes(site: "Site") -> list[Any]:
    """Return the routes; none for a server without an OpenID provider."""
    openid = site.openid
    if openid is None:
        return []
    pool = _Pool()
    handlers = {
        "start": _start_route(site, openid, pool),
        "callback": _back_route(site, openid, pool),
        "out": _out_route(site, openid, pool),
    }
    routes = [
        get(f"/sign-in/openid/{name}", permission=Access.ANYONE)(handler)
        for name, handler in handlers.items()
    ]
    ended = post(
        BACK_CHANNEL,
        permission=Access.ANYONE,
        request_max_body_size=MOST_FORM_BYTES,
        status_code=200,
    )
    return [*routes, ended(_logout_route(openid, pool))]


class _Pool:
    """Threads of these routes: a provider that does not answer must not take those of all pages."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None

    async def run(self, work: Callable[[], Any]) -> Any:
        self._limiter = self._limiter or CapacityLimiter(_AT_ONCE)  # made in the loop that serves
        return await to_thread.run_sync(work, limiter=self._limiter)


def _start_route(site: "Site", openid: OpenId, pool: _Pool) -> Any:
    async def start(request: Request[Any, Any, Any]) -> Response[Any]:
        path = own_path(request.query_params.get("next", ""))
        if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
            return _redirect("/sign-in")  # who begins a sign-in is the reader, and no other site
        outcome = await pool.run(lambda: _begin(site, openid, path))
        if not isinstance(outcome, Started):
            return respond(outcome, as_json=False, status=outcome.status)
        return _redirect(outcome.url, [_cookie(openid, outcome.cookie.reveal(), WAITS_S)])

    return start


def _back_route(site: "Site", openid: OpenId, pool: _Pool) -> Any:
    async def back(request: Request[Any, Any, Any]) -> Response[Any]:
        query, kept = request.query_params.dict(), request.cookies.get(openid.cookie_name)
        given = {name: values[-1] for name, values in query.items() if len(values) == 1}
        cookie = Secret(kept) if kept else None
        address = request.client.host if request.client else ""
        outcome = await pool.run(lambda: _finish(site, openid, given, cookie, address))
        if isinstance(outcome, Page):
            return respond(outcome, as_json=False, status=outcome.status)
        session, path = outcome
        page = Page("signed_in.html", "Signed in", {"next": path or "/"})
        answer = respond(page, as_json=False)
        answer.cookies.append(_cookie(openid, "", 0))
        answer.set_header("set-cookie", set_cookie(session, secure=openid.settings.is_secure))
        return answer

    return back


def _out_route(site: "Site", openid: OpenId, pool: _Pool) -> Any:
    async def out(request: Request[Any, Any, Any]) -> Response[Any]:  # noqa: ARG001 - a route's form
        try:
            url = await pool.run(openid.sign_out_url)
        except ServingError as error:
            page = sign_in_form(site, "", f"{error.what} {error.why}", _AWAY)
            return respond(page, as_json=False, status=_AWAY)
        return _redirect(url or "/sign-in")

    return out


def _logout_route(openid: OpenId, pool: _Pool) -> Any:
    async def end(request: Request[Any, Any, Any]) -> Response[Any]:
        try:
            form = read_form(request.headers.get("content-type", ""), await request.body())
            await pool.run(lambda: openid.end_sessions(form.get("logout_token", "")))
        except (SignInError, ServingError, HttpError) as error:
            # The provider's own fault is 400; 503 where it may try once more.
            status = _AWAY if isinstance(error, ServingError) else _BAD
            answer = {"error": "invalid_request", "error_description": error.what}
            return Response(answer, status_code=status, headers=_NOT_KEPT)
        return Response(b"", status_code=200, headers=_NOT_KEPT)

    return end


def knows_me(site: "Site") -> bool:
    """Return whether whoever has signed in is linked to the server's OpenID provider."""
    identity = current_identity()
    if identity is None or site.openid is None or not identity.attested:
        return False
    subject = site.store.metadata.users.get(identity.actor).subject or ""
    return subject.startswith(f"{site.openid.settings.issuer} ")


def _begin(site: "Site", openid: OpenId, path: str) -> "Started | Page":
    try:
        return openid.begin(path)
    except ServingError as error:
        return sign_in_form(site, path, str(error), _AWAY)


def _finish(
    site: "Site", openid: OpenId, query: dict[str, str], cookie: Secret | None, address: str
) -> "tuple[NewSession, str] | Page":
    try:
        session, path = openid.finish(query, cookie, address=address)
    except (SignInError, RateLimitError, ServingError) as error:
        status = _AWAY if isinstance(error, ServingError) else status_of(error)
        return sign_in_form(site, "", str(error), status)
    return session, own_path(path)


def _cookie(openid: OpenId, value: str, seconds: int) -> Cookie:
    """Return the cookie of a sign-in under way: Lax, as the way back begins at another site."""
    return Cookie(
        openid.cookie_name,
        value=value,
        path="/",
        max_age=seconds,
        secure=openid.settings.is_secure,
        httponly=True,
        samesite="lax",
    )


def _redirect(url: str, cookies: list[Cookie] | None = None) -> Response[Any]:
    headers = {"location": url, "cache-control": "no-store"}
    return Response(b"", status_code=303, headers=headers, cookies=cookies or [])
