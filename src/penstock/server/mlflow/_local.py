"""The protocol without HTTP: a call's method, path and fields in, the answer out."""

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._errors import NO_ENDPOINT, MlflowError
from penstock.server.mlflow._fields import Fields
from penstock.server.mlflow._routes import ROUTES, MlflowRoute
from penstock.server.mlflow._scope import call_scope
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

SCHEME = "penstock"
_PREFIX = re.compile(r"/(?:ajax-)?api/[23]\.0/mlflow")
_PART = re.compile(r"\{(\w+):(str|path)\}")
_desks: dict[int, tuple["Store", Desk]] = {}


def local_desk(uri: str | None) -> Desk:
    """Return the desk of the store that a tracking URI names, without a server.

    Args:
        uri: ``penstock:`` for the project's store, ``penstock:sqlite:///file.db`` for another.

    Raises:
        ParameterError: If the store is behind a server.
    """
    named = (uri or "").removeprefix(f"{SCHEME}:") or None
    if named is not None and named.startswith(("http://", "https://")):
        raise ParameterError(
            what=f"{named} is a server, and penstock: works on a store without one.",
            fix=f"Use: mlflow.set_tracking_uri({named!r})",
        )
    store = open_store(named)
    known = _desks.get(id(store))
    if known is None or known[0].closed:
        known = _desks[id(store)] = (store, Desk(store, SCHEME))
    else:
        store.close()  # one holder is enough
    return known[1]


def answer(desk: Desk, method: str, path: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a call.

    Args:
        desk: The desk.
        method: HTTP method.
        path: Path, from ``/api``.
        values: The fields, JSON-like.

    Raises:
        MlflowError: If there is no such call.
        PenstockError: As the operation raises it.
    """
    desk.begin()
    called = _PREFIX.sub("", path, count=1)
    for pattern, route in _patterns():
        found = pattern.fullmatch(called) if route.method == method else None
        if found is not None:
            with call_scope(route.permission):
                return route.operation(desk, Fields({**values, **found.groupdict()}))
    raise MlflowError(NO_ENDPOINT, f"There is no call {method} {path} on a penstock store.")


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], MlflowRoute], ...]:
    # Fixed words before names: /search is no model's id.
    routes = sorted(ROUTES, key=lambda route: "{" in route.path)
    return tuple((_compile(route.path), route) for route in routes)


def _compile(path: str) -> re.Pattern[str]:
    kinds = {"str": "[^/]+", "path": ".+"}
    return re.compile(_PART.sub(lambda part: f"(?P<{part[1]}>{kinds[part[2]]})", path))
