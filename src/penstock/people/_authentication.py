"""Authenticator: from what a request carries to an identity, or the reason why there is none."""

import base64
import binascii
import contextlib
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie

from penstock.core import (
    ANY_PROJECT,
    GrantRecord,
    Identity,
    Permission,
    Role,
    Secret,
    SignInError,
    StoreError,
    TokenRecord,
    UserRecord,
    local_identity,
    now,
)
from penstock.people._keys import SESSION_KIND, TOKEN_KIND, is_key, key_digest
from penstock.stores import Store, open_store

SESSION_COOKIE = "penstock_session"
TOKEN_VARIABLE = "PENSTOCK_TOKEN"  # noqa: S105 - the name of a variable
_TO_THE_MINUTE = timedelta(minutes=1)  # a use is not written more often
_FIX = (
    "Set PENSTOCK_TOKEN to a token (a program sends it as 'Authorization: Bearer pst_…'); create one"
    " with: penstock tokens create NAME"
)


class Authenticator:
    """Identities of a store's users.

    Threads: any number may ask at once. A revoked token, a changed grant and a disabled user hold
    from the next request on: nothing is remembered here.

    Args:
        store: The store with the users; by default the project's.
    """

    def __init__(self, *, store: Store | str | None = None) -> None:
        metadata = open_store(store).metadata
        self._tokens, self._users = metadata.tokens, metadata.users

    @property
    def has_users(self) -> bool:
        """Whether anyone signs in to the store; without users everyone who reaches it is its owner."""
        return self._users.count() > 0

    def authenticate(self, authorization: str | None, cookie: str | None = None) -> Identity:
        """Return who sends a request.

        Args:
            authorization: The header Authorization: ``Bearer TOKEN``, or ``Basic`` with the token as
                the password, for programs that know only that.
            cookie: The header Cookie.

        Returns:
            The identity; in a store without users the one of this process.

        Raises:
            SignInError: If the request carries nothing, or something that is not accepted.
        """
        if authorization is not None and authorization.strip():
            return self.of_token(_read_authorization(authorization))
        key = read_session_key(cookie)
        if key is not None:
            return self.of_session(key)
        if not self.has_users:
            return local_identity()
        raise SignInError(what="The request says nothing of who sends it.", fix=_FIX)

    def of_token(self, key: Secret) -> Identity:
        """Return the identity of a token.

        Raises:
            SignInError: If the token is unknown, revoked or expired, or its user is disabled.
        """
        found = self._tokens.find(key_digest(key)) if is_key(key.reveal(), TOKEN_KIND) else None
        if found is None:
            raise SignInError(what="The token is not known here.", fix=_FIX)
        token, (user, grants) = found
        at = now()
        _require_valid(token, at)
        _require_active(user)
        if token.used_at is None or at - token.used_at >= _TO_THE_MINUTE:
            with contextlib.suppress(StoreError):  # a store that can only be read
                self._tokens.note_used(token.token_id, at)
        return _identity(user, grants, token, f"token {token.token_id}")

    def of_session(self, key: Secret) -> Identity:
        """Return the identity of a session's cookie.

        Raises:
            SignInError: If the session is unknown or over, or its user is disabled.
        """
        found = (
            self._tokens.find_session(key_digest(key))
            if is_key(key.reveal(), SESSION_KIND)
            else None
        )
        at = now()
        if found is None or at >= found[0].expires_at:
            raise SignInError(what="The session is over.", fix="Sign in again.")
        session, (user, grants) = found
        _require_active(user)
        token = None if session.token_id is None else self._tokens.get(session.token_id)
        if token is not None:
            _require_valid(token, at)
        if at - session.seen_at >= _TO_THE_MINUTE:
            with contextlib.suppress(StoreError):
                self._tokens.note_session(session.session_id, at)
        return _identity(user, grants, token, f"session {session.session_id}")


def environment_identity(*, store: Store) -> Identity | None:
    """Return the identity of the token in PENSTOCK_TOKEN; None if the variable is not set.

    Raises:
        SignInError: If the token is not accepted.
    """
    text = os.environ.get(TOKEN_VARIABLE, "").strip()
    return Authenticator(store=store).of_token(Secret(text)) if text else None


def permissions_of(
    grants: Iterable[GrantRecord], role: Role | None = None, project: str = ANY_PROJECT
) -> Mapping[str, frozenset[Permission]]:
    """Return what grants permit by project, within a token's limits.

    Args:
        grants: Grants of a user.
        role: The most that is permitted; None for all.
        project: The only project; ``*`` for all.
    """
    found: dict[str, frozenset[Permission]] = {}
    for grant in grants:
        allowed = grant.role.permissions & (role or Role.ADMIN).permissions
        found[grant.project] = found.get(grant.project, frozenset()) | allowed
    if project == ANY_PROJECT:
        return found
    none: frozenset[Permission] = frozenset()
    return {project: found.get(project, none) | found.get(ANY_PROJECT, none)}


def read_session_key(cookie: str | None) -> Secret | None:
    """Return the session's secret in a header Cookie; None if there is none."""
    jar: SimpleCookie = SimpleCookie()
    with contextlib.suppress(CookieError):
        jar.load(cookie or "")
    found = jar.get(SESSION_COOKIE)
    return Secret(found.value) if found is not None and found.value else None


def _identity(
    user: UserRecord, grants: Iterable[GrantRecord], token: TokenRecord | None, attested: str
) -> Identity:
    role, project = (token.role, token.project) if token is not None else (None, ANY_PROJECT)
    at = now()
    permissions = permissions_of([each for each in grants if each.is_valid(at)], role, project)
    return Identity(user.name, permissions, attested, is_service=user.kind == "service")


def _read_authorization(header: str) -> Secret:
    kind, _, rest = header.strip().partition(" ")
    if kind.lower() == "bearer":
        return Secret(rest.strip())
    if kind.lower() == "basic":
        with contextlib.suppress(binascii.Error, ValueError):
            _, mark, password = base64.b64decode(rest, validate=True).decode().partition(":")
            if mark and is_key(password, TOKEN_KIND):
                return Secret(password)
        raise SignInError(
            what="The request has a name and a password.",
            why="Programs sign in with tokens, which can be limited, expire and be revoked.",
            fix="Send a token instead of the password: penstock tokens create",
        )
    raise SignInError(what="The header Authorization is of a kind not known here.", fix=_FIX)


def _require_valid(token: TokenRecord, at: datetime) -> None:
    if token.is_valid(at):
        return
    event = "has been revoked" if token.revoked_at is not None else "has expired"
    raise SignInError(what=f"The token {token.token_id} {event}.", fix=_FIX)


def _require_active(user: UserRecord) -> None:
    if user.disabled_at is not None:
        raise SignInError(
            what=f"The user {user.name!r} is disabled.",
            fix=f"An admin can run: penstock users enable {user.name}",
        )
