"""People: the sign-in page, the page of users and tokens, and their forms."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from penstock.core import (
    ANY_PROJECT,
    DEFAULT_PROJECT,
    AccessError,
    Permission,
    RateLimitError,
    Role,
    Secret,
    SignInError,
    current_identity,
    now,
    to_json,
)
from penstock.people import (
    NewSession,
    Projects,
    SignIns,
    Tokens,
    Users,
    has_users,
    require_permission,
)
from penstock.server.ui._actions import Access, Action, Form
from penstock.server.ui._page import Page, Query
from penstock.server.ui._session import own_path

if TYPE_CHECKING:
    from penstock.server.ui._site import Site


def sign_in_page(site: "Site", query: Query) -> Page:
    """Show the form to sign in."""
    return sign_in_form(site, own_path(query.text("next")), out=query.text("out") == "openid")


def sign_in(site: "Site", form: Form, address: str) -> "NewSession | Page":
    """Begin a session, or show the form again with the reason why not.

    Args:
        site: The store.
        form: Name and password, or a token.
        address: Network address of the browser.
    """
    signs, token = SignIns(store=site.store), form.text("token")
    try:
        _require_local(site)
        if token:
            return signs.with_token(Secret(token), address=address)
        password = Secret(form.fields.get("password", ""))
        return signs.with_password(form.text("name"), password, address=address)
    except (SignInError, RateLimitError) as error:
        status = 401 if isinstance(error, SignInError) else 429
        message = f"{error.what} {error.fix}"
        return sign_in_form(site, own_path(form.text("next")), message, status)


def _require_local(site: "Site") -> None:
    if site.openid is not None and not site.openid.settings.local:
        raise SignInError(
            what="Passwords and tokens begin no session here.",
            fix=f"Sign in with {site.openid.settings.label}.",
        )


def people_page(site: "Site", query: Query) -> Page:  # noqa: ARG001 - a page's form
    """Show users and tokens: to an admin all, to every further user their own."""
    return _people_page(site)


def history_page(site: "Site", query: Query) -> Page:
    """Show the audit trail of the store.

    Raises:
        AccessError: If whoever asks is no admin.
    """
    require_permission(Permission.ADMIN, ANY_PROJECT)
    actor, about = query.text("actor") or None, query.text("about") or None
    limit = query.number("limit", 200, low=1, high=2000)
    trail = site.metadata.audit
    data = {
        "records": list(trail.list(actor=actor, subject=about, limit=limit)),
        "damaged": trail.verify(),
        "actor": actor,
        "about": about,
    }
    return Page("history.html", "History", data, section="people")


def _people_page(site: "Site", made: Any = None) -> Page:
    identity = current_identity()
    users, tokens = Users(store=site.store), Tokens(store=site.store)
    is_admin = identity is not None and identity.may(Permission.ADMIN, ANY_PROJECT)
    own = "" if identity is None else identity.actor
    everyone = [user for user in users.list() if is_admin or user.name == own]
    grants = {user.name: list(users.grants(user.name)) for user in everyone}
    listed = tokens.list() if is_admin else tokens.list(own)
    projects = Projects(store=site.store).list()
    data = {
        "users": [
            {
                **to_json(user),
                "roles": to_json(grants[user.name]),
                "has_password": bool(user.password_hash),
            }
            for user in everyone
        ],
        "tokens": listed,
        "projects": projects,
    }
    view = {
        "people": [(user, grants[user.name]) for user in everyone],
        "is_admin": is_admin,
        "own": own,
        # Who signs in with a provider has no password to change, and gives themselves none.
        "may_set_password": any(
            user.name == own and (user.password_hash or not user.subject) for user in everyone
        ),
        "has_people": has_users(store=site.store),
        "roles": [role.value for role in Role],
        "places": [ANY_PROJECT, DEFAULT_PROJECT, *(project.name for project in projects)],
        "moment": now(),
        "made": made,
        "provider": None if site.openid is None else site.openid.settings.label,
        "local": site.openid is None or site.openid.settings.local,
    }
    return Page("people.html", "People", data, view, section="people")


def sign_in_form(
    site: "Site", path: str, trouble: str = "", status: int = 200, *, out: bool = False
) -> Page:
    """Show the ways to sign in.

    Args:
        site: The store.
        path: Page to show afterwards.
        trouble: Reason why the last try failed.
        status: HTTP status.
        out: Whether someone has just signed out who had signed in with the OpenID provider.
    """
    openid = site.openid
    view = {
        "next": path,
        "trouble": trouble,
        "has_people": has_users(store=site.store),
        "provider": None if openid is None else openid.settings.label,
        "openid_link": "/sign-in/openid/start" + (f"?next={quote(path)}" if path else ""),
        "local": openid is None or openid.settings.local,
        "out": out and openid is not None,
    }
    return Page("sign_in.html", "Sign in", {"error": trouble or None}, view, status=status)


def _add_user(site: "Site", form: Form) -> str:
    password = form.fields.get("password", "")
    Users(store=site.store).add(
        form.need("name"),
        role=form.text("role") or None,
        project=form.text("project") or ANY_PROJECT,
        service=form.text("kind") == "service",
        full_name=form.text("full_name"),
        password=Secret(password) if password else None,
    )
    return "/people"


def _grant(site: "Site", form: Form) -> str:
    project = form.text("project") or ANY_PROJECT
    Users(store=site.store).grant(form.need("user"), form.need("role"), project=project)
    return "/people"


def _revoke(site: "Site", form: Form) -> str:
    Users(store=site.store).revoke(
        form.need("user"), project=form.need("project"), role=form.text("role") or None
    )
    return "/people"


def _disable(site: "Site", form: Form) -> str:
    Users(store=site.store).disable(form.need("user"))
    return "/people"


def _link(site: "Site", form: Form) -> str:
    if site.openid is None:
        raise AccessError(what="The server has no OpenID provider.", fix="Start it with one.")
    Users(store=site.store).link(
        form.need("user"), issuer=site.openid.settings.issuer, subject=form.need("subject")
    )
    return "/people"


def _unlink(site: "Site", form: Form) -> str:
    Users(store=site.store).unlink(form.need("user"))
    return "/people"


def _enable(site: "Site", form: Form) -> str:
    Users(store=site.store).enable(form.need("user"))
    return "/people"


def _set_password(site: "Site", form: Form) -> str:
    """Set one's own password; the session ends with all further sessions."""
    identity = current_identity()
    if identity is None:
        raise AccessError(what="Nobody has signed in.", fix="Sign in first.")
    password, again = form.fields.get("password", ""), form.fields.get("again", "")
    if password != again:
        raise AccessError(what="The two passwords differ.", fix="Go back and type them again.")
    old = Secret(form.fields.get("old", ""))
    Users(store=site.store).set_password(identity.actor, Secret(password), old=old)
    return "/sign-in"


def _create_token(site: "Site", form: Form) -> Page:
    expires = form.text("expires")
    made = Tokens(store=site.store).create(
        form.need("user"),
        label=form.text("label"),
        role=form.text("role") or None,
        project=form.text("project") or ANY_PROJECT,
        expires_after=None if expires == "never" else expires or "90d",
    )
    return _people_page(site, made)


def _revoke_token(site: "Site", form: Form) -> str:
    Tokens(store=site.store).revoke(form.need("token"))
    return "/people"


# Users and Tokens ask for the permission themselves, in the project that each change is about.
PEOPLE_ACTIONS: Mapping[str, Action] = {
    "/do/users/add": Action(Access.SIGNED_IN, _add_user),
    "/do/users/grant": Action(Access.SIGNED_IN, _grant),
    "/do/users/revoke": Action(Access.SIGNED_IN, _revoke),
    "/do/users/disable": Action(Access.SIGNED_IN, _disable),
    "/do/users/enable": Action(Access.SIGNED_IN, _enable),
    "/do/users/link": Action(Access.SIGNED_IN, _link),
    "/do/users/unlink": Action(Access.SIGNED_IN, _unlink),
    "/do/users/password": Action(Access.SIGNED_IN, _set_password),
    "/do/tokens/create": Action(Access.SIGNED_IN, _create_token),
    "/do/tokens/revoke": Action(Access.SIGNED_IN, _revoke_token),
}
