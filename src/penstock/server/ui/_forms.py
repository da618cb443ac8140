"""Routes of forms: read, checked, done as whoever has signed in, answered with the next page."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from litestar import Request, Response, post

from penstock.core import Secret
from penstock.http import MOST_FORM_BYTES, read_form
from penstock.people import NewSession, SignIns, read_session_key
from penstock.server.ui._actions import Access, Action, Form, Outcome, perform
from penstock.server.ui._openid import knows_me
from penstock.server.ui._page import Page
from penstock.server.ui._people import sign_in
from penstock.server.ui._render import respond
from penstock.server.ui._session import (
    end_cookie,
    is_encrypted,
    own_path,
    require_form_token,
    set_cookie,
)

if TYPE_CHECKING:
    from penstock.server.ui._site import Site


def form_routes(site: "Site", actions: Mapping[str, Action]) -> list[Any]:
    """Return the routes of all forms, with those that begin and end a session."""
    return [
        *(_action_route(site, path, action) for path, action in actions.items()),
        _sign_in_route(site),
        _sign_out_route(site),
    ]


def _action_route(site: "Site", path: str, action: Action) -> Any:
    async def act(request: Request[Any, Any, Any]) -> Response[Any]:
        form = await _read(request)
        outcome = await to_thread.run_sync(perform, site, path, action, form)
        return _answer(outcome)

    return _post(path, action.permission)(act)


def _sign_in_route(site: "Site") -> Any:
    async def begin(request: Request[Any, Any, Any]) -> Response[Any]:
        form = await _read(request)
        address = request.client.host if request.client else ""
        outcome = await to_thread.run_sync(sign_in, site, form, address)
        if not isinstance(outcome, NewSession):
            return _answer(outcome)
        answer = _answer(own_path(form.text("next")) or "/")
        answer.set_header("set-cookie", set_cookie(outcome, secure=_is_secure(site, request)))
        return answer

    return _post("/do/sign-in", Access.ANYONE)(begin)


def _sign_out_route(site: "Site") -> Any:
    async def end(request: Request[Any, Any, Any]) -> Response[Any]:
        await _read(request)
        key = read_session_key(request.headers.get("cookie"))
        page = await to_thread.run_sync(_end, site, key)
        answer = _answer(page)
        answer.set_header("set-cookie", end_cookie(secure=_is_secure(site, request)))
        return answer

    return _post("/do/sign-out", Access.SIGNED_IN)(end)


def _post(path: str, permission: Any) -> Callable[..., Any]:
    return post(path, permission=permission, request_max_body_size=MOST_FORM_BYTES, status_code=200)


async def _read(request: Request[Any, Any, Any]) -> Form:
    form = read_form(request.headers.get("content-type", ""), await request.body())
    require_form_token(form)
    return Form(form)


def _end(site: "Site", key: Secret | None) -> str:
    """End a session; return the next page, which offers to sign out of the provider as well."""
    if key is not None:
        SignIns(store=site.store).end(key)
    return "/sign-in?out=openid" if site.openid is not None and knows_me(site) else "/sign-in"


def _answer(outcome: Outcome) -> Response[Any]:
    if isinstance(outcome, Page):
        return respond(outcome, as_json=False, status=outcome.status)
    headers = {"location": outcome, "cache-control": "no-store"}
    return Response(b"", status_code=303, headers=headers)


def _is_secure(site: "Site", request: Request[Any, Any, Any]) -> bool:
    return is_encrypted(request.scope["scheme"], request.headers.get("host", ""), site.url)
