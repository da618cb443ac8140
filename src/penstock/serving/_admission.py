"""Admission: access to the model server, in a store with users."""

import asyncio
import time
from contextlib import ExitStack

from penstock.core import Identity, SignInError, use_identity
from penstock.http import Call
from penstock.people import Authenticator, project_named, refusal
from penstock.serving._routes import Route
from penstock.stores import Store

_KNOWN_S = 1.0  # a revoked token, a changed role and the first user hold after this time
_MOST = 10_000


class Admission:
    """Checks each request against the permission of the route.

    In a store without users everyone who reaches the server is answered. An identity is remembered
    for a second, so that a busy caller does not cost a query for each request.

    Args:
        store: The store with the users.
        anonymous: Whether everyone is answered all the same, behind a gateway that asks.
    """

    def __init__(self, store: Store, *, anonymous: bool = False) -> None:
        self._store, self._anonymous = store, anonymous
        self._authenticator = Authenticator(store=store)
        self._known: dict[str, tuple[float, Identity | None]] = {}
        self._projects: dict[str, tuple[float, str]] = {}

    async def admit(self, call: Call, route: Route, stack: ExitStack) -> None:
        """Let a request in, as that of the sender.

        Args:
            call: The request, with the parameters of the path.
            route: The route.
            stack: Where the identity holds.

        Raises:
            SignInError: If the store has users, and the request has no token that is accepted.
            AccessError: If the sender lacks the permission in the model's project.
        """
        if route.permission is None or self._anonymous:
            return
        identity = await self._identity(call.header(b"authorization") or "")
        if identity is None:
            return
        name = call.path.get("name")
        project = None if name is None else await self._project(str(name))
        if not identity.may(route.permission, project):
            raise refusal(identity, route.permission, project)
        stack.enter_context(use_identity(identity))

    async def _identity(self, sent: str) -> Identity | None:
        """Return the sender of a request; None in a store without users."""
        cached = self._known.get(sent)
        if cached is not None and time.monotonic() - cached[0] < _KNOWN_S:
            return cached[1]
        identity = await asyncio.to_thread(self._find, sent)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[sent] = (time.monotonic(), identity)
        return identity

    def _find(self, sent: str) -> Identity | None:
        if not self._authenticator.has_users:
            return None
        if not sent:
            raise SignInError(
                what="The request does not say who sends it.",
                why="The store of this server has users.",
                fix="Send a token as 'Authorization: Bearer pst_…': penstock tokens create",
            )
        return self._authenticator.authenticate(sent)

    async def _project(self, name: str) -> str:
        cached = self._projects.get(name)
        if cached is not None and time.monotonic() - cached[0] < _KNOWN_S:
            return cached[1]
        project = await asyncio.to_thread(project_named, name, store=self._store)
        if len(self._projects) >= _MOST:
            self._projects.clear()
        self._projects[name] = (time.monotonic(), project)
        return project
