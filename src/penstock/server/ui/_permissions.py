"""Permissions of routes: each declares a permission, or the server does not start."""

from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from penstock.core import Permission, SignInError, current_identity
from penstock.people import require_permission
from penstock.server.ui._actions import Access


def check_permission(
    connection: ASGIConnection[Any, Any, Any, Any],  # noqa: ARG001 - litestar's form of a guard
    handler: BaseRouteHandler,
) -> None:
    """Refuse a request whose sender lacks the permission of the route.

    Raises:
        SignInError: If the route is for people who have signed in, and the request is not signed
            in.
        AccessError: If the sender lacks the permission.
    """
    permission = permission_of(handler)
    if permission is Access.ANYONE:
        return
    if current_identity() is None:
        raise SignInError(what="Nobody has signed in.", fix="Sign in first.")
    if isinstance(permission, Permission):
        require_permission(permission)


def require_declared(app: Litestar) -> None:
    """Check that every route declares an access rule.

    Raises:
        TypeError: If a route does not.
    """
    for route in app.routes:
        for handler in getattr(route, "route_handlers", [getattr(route, "route_handler", None)]):
            if handler is not None and "OPTIONS" not in getattr(handler, "http_methods", ()):
                permission_of(handler)


def permission_of(handler: BaseRouteHandler) -> Permission | Access:
    """Return the access rule of a route.

    Raises:
        TypeError: If the route does not say so.
    """
    declared = handler.opt.get("permission")
    if isinstance(declared, Permission | Access):
        return declared
    raise TypeError(f"The route {sorted(handler.paths)} declares no permission.")
