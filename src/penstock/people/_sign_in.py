"""SignIns: sessions of browsers, and the back-off of those who guess."""

import base64
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from penstock.core import (
    AuditRecord,
    RateLimitError,
    Secret,
    SessionRecord,
    SignInError,
    TokenRecord,
    now,
)
from penstock.people._authentication import Authenticator
from penstock.people._keys import SESSION_KIND, key_digest, new_key
from penstock.stores import Store, open_store

_SESSION = timedelta(hours=12)
_FORGET = timedelta(hours=24)
_LONGEST_KEY = 200
_TURNS = tuple(threading.Lock() for _ in range(64))  # by address
# Failures that are free, and the longest wait after more. A name waits little wherever the guesses
# come from, so that nobody can lock someone else out for long.
_BACK_OFF = {"pair": (5, 900.0), "address": (20, 900.0), "name": (50, 30.0)}


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just begun; the cookie's value exists only here.

    Args:
        record: What the store keeps.
        secret: Value of the cookie.
    """

    record: SessionRecord
    secret: Secret


class SignIns:
    """Sign-ins of people with a browser.

    Args:
        store: The store with the users; by default the project's.
    """

    def __init__(self, *, store: Store | str | None = None) -> None:
        opened = open_store(store)
        self._users, self._tokens = opened.metadata.users, opened.metadata.tokens
        self._audit = opened.metadata.audit
        self._authenticator = Authenticator(store=opened)

    def with_password(self, name: str, password: Secret, *, address: str = "") -> NewSession:
        """Begin a session of a person; how long it takes does not tell whether the name exists.

        Args:
            name: What was typed as the name.
            password: What was typed as the password.
            address: Network address of the browser.

        Raises:
            SignInError: If the name or password is wrong, or the user is disabled.
            RateLimitError: After too many failures; ``retry_after_s`` says when to try again.
        """
        # One after the other: guesses sent all at once would all be looked at before one is counted.
        with _TURNS[hash(address) % len(_TURNS)]:
            return self._with_password(name.strip().lower(), password, address)

    def _with_password(self, name: str, password: Secret, address: str) -> NewSession:
        at, keys = now(), _keys(name, address)
        self._require_patience(keys, at)
        if not self._users.is_password(name, password):
            for key in keys.values():
                self._tokens.note_failure(key, at, forget_before=at - _FORGET)
            raise SignInError(what="The name or the password is wrong.", fix="Try again.")
        self._tokens.clear_failures(keys["pair"])
        return self._begin(name, address, at, "password")

    def with_token(self, key: Secret, *, address: str = "") -> NewSession:
        """Begin a session of a token's user, within the token's limits, until it expires.

        Raises:
            SignInError: If the token is not accepted, or is a service's.
            RateLimitError: After too many failures from the address.
        """
        at, keys = now(), {"address": _keys("", address)["address"]}
        self._require_patience(keys, at)
        try:
            identity = self._authenticator.of_token(key)
        except SignInError:
            self._tokens.note_failure(keys["address"], at, forget_before=at - _FORGET)
            raise
        if identity.is_service:
            raise SignInError(
                what=f"{identity.actor!r} is a service.", fix="Sign in with a token of your own."
            )
        token = self._tokens.get(identity.attested.removeprefix("token "))
        return self._begin(identity.actor, address, at, identity.attested, token)

    def with_subject(
        self, name: str, *, address: str = "", provider_session: str = ""
    ) -> NewSession:
        """Begin a session of a person whom an OpenID provider has authenticated.

        Args:
            name: Name of the user here.
            address: Network address of the browser.
            provider_session: Issuer and session there, by which the provider ends it; see
                `SessionRecord`.

        Raises:
            SignInError: If the user is disabled.
        """
        user = self._users.get(name)
        if user.disabled_at is not None:
            raise SignInError(what=f"The user {name!r} is disabled.", fix="Ask an admin.")
        way = f"openid {user.subject or ''}".strip()
        return self._begin(name, address, now(), way, provider_session=provider_session)

    def end_by_provider(
        self, message: str, issuer: str, *, name: str | None, session: str | None
    ) -> None:
        """End sessions for a message of an OpenID provider, which was checked.

        A message that came before is refused, so that who recorded it cannot end later sessions.
        Sessions end before that is noted: a process that is killed in between is told once more.

        Args:
            message: The message's own name.
            issuer: The provider.
            name: The user whom the message is about; None if it names nobody, or nobody known here.
            session: The session there; None for all of the user's.

        Raises:
            SignInError: If the message came before.
        """
        at, key = now(), f"message {key_digest(Secret(f'{issuer} {message}'))}"[:_LONGEST_KEY]
        if self._tokens.get_failures(key) is not None:
            raise SignInError(
                what="The message came before.",
                why="A recorded message could end later sessions.",
                fix="Send a new one, with a jti of its own.",
            )
        users: set[str] = set()
        if session is not None:
            users |= set(self._tokens.end_provider_sessions(f"{issuer} {session}"))
        if name is not None and session is None and self._tokens.end_sessions(name):
            users.add(name)
        for user in sorted(users):
            facts = {"with": "back-channel logout"}
            self._audit.add(AuditRecord(at, user, "user.sign_out", user, facts, f"openid {issuer}"))
        self._tokens.note_failure(key, at, forget_before=at - _FORGET)

    @contextmanager
    def counted(self, address: str) -> Iterator[None]:
        """Count a sign-in that fails inside the block, and begin none after too many.

        Args:
            address: Network address of the browser.

        Raises:
            RateLimitError: After too many failures from the address.
        """
        at, keys = now(), {"address": _keys("", address)["address"]}
        self._require_patience(keys, at)
        try:
            yield
        except SignInError:
            self._tokens.note_failure(keys["address"], at, forget_before=at - _FORGET)
            raise

    def end(self, key: Secret) -> None:
        """End the session of a cookie, if there is one."""
        found = self._tokens.find_session(key_digest(key))
        if found is not None:
            session = found[0]
            self._tokens.end_sessions(session.user, session_id=session.session_id)

    def _begin(
        self,
        user: str,
        address: str,
        at: datetime,
        way: str,
        token: TokenRecord | None = None,
        provider_session: str = "",
    ) -> NewSession:
        session_id, secret = new_key(SESSION_KIND)
        ends = at + _SESSION
        if token is not None and token.expires_at is not None:
            ends = min(ends, token.expires_at)
        token_id = None if token is None else token.token_id
        record = SessionRecord(
            session_id,
            user,
            key_digest(secret),
            at,
            ends,
            at,
            address[:_LONGEST_KEY],
            token_id,
            provider_session,
        )
        self._tokens.add_session(record)
        self._users.note_seen(user, at)
        facts = {"with": way, "address": record.address}
        self._audit.add(AuditRecord(at, user, "user.sign_in", user, facts, f"session {session_id}"))
        return NewSession(record, secret)

    def _require_patience(self, keys: dict[str, str], at: datetime) -> None:
        """Check that nobody has failed too often, before the password is looked at."""
        for kind, key in keys.items():
            failed = self._tokens.get_failures(key)
            if failed is None or at - failed.at > _FORGET:
                continue
            wait = back_off_s(kind, failed.count) - (at - failed.at).total_seconds()
            if wait > 0:
                raise RateLimitError(
                    what=f"{failed.count} sign-ins have failed.",
                    why="Passwords could be guessed one after the other.",
                    fix=f"Try again in {wait:,.0f} s.",
                    retry_after_s=wait,
                )


def back_off_s(kind: str, failures: int) -> float:
    """Return how long to wait after failures: doubled with each that is not free.

    >>> [back_off_s("pair", failures) for failures in (4, 5, 6, 40)]
    [0.0, 1.0, 2.0, 900.0]

    Args:
        kind: ``pair`` of name and address, ``address`` or ``name``.
        failures: Number of failures in a row.

    Returns:
        Seconds.
    """
    free, longest = _BACK_OFF[kind]
    if failures < free:
        return 0.0
    return min(2.0 ** min(failures - free, 20), longest)


def csrf_token(session: Secret) -> str:
    """Return what a form of a session carries, so that no other site can make one up.

    Args:
        session: The cookie's value; the token follows from it, and does not reveal it.
    """
    seal = hmac.new(session.reveal().encode(), b"penstock form", sha256).digest()
    return base64.urlsafe_b64encode(seal).decode().rstrip("=")


def is_csrf_token(session: Secret, text: str) -> bool:
    """Return whether a form belongs to a session; compared in constant time."""
    return hmac.compare_digest(csrf_token(session).encode(), text.encode("utf-8", "replace"))


def _keys(name: str, address: str) -> dict[str, str]:
    pair = f"{name}\n{address}"
    found = {"pair": f"pair {pair}", "address": f"address {address}", "name": f"name {name}"}
    return {kind: key[:_LONGEST_KEY] for kind, key in found.items()}
