"""Tokens of programs, sessions of browsers, and failed sign-ins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from penstock.core import FailureRecord, GrantRecord, SessionRecord, TokenRecord, UserRecord

Owner = tuple[UserRecord, Sequence[GrantRecord]]


class TokenStore(Protocol):
    """Tokens and sessions. Creation and end of a token are in the audit trail."""

    def add(self, token: TokenRecord) -> None:
        """Add a token of an existing user."""
        ...

    def get(self, token_id: str) -> TokenRecord:
        """Return a token by the public beginning."""
        ...

    def find(self, digest: str) -> tuple[TokenRecord, Owner] | None:
        """Return a token with user and grants, valid or not; None if there is no such token."""
        ...

    def revoke(self, token_id: str, at: datetime) -> TokenRecord:
        """Refuse a token from now on; a revoked token stays unchanged."""
        ...

    def note_used(self, token_id: str, at: datetime) -> None:
        """Record a use."""
        ...

    def list(self, user: str | None = None) -> list[TokenRecord]:
        """List the tokens of a user, or all, oldest first."""
        ...

    def add_session(self, session: SessionRecord) -> None:
        """Add a session, and remove those that have expired."""
        ...

    def find_session(self, digest: str) -> tuple[SessionRecord, Owner] | None:
        """Return a session with user and grants; None if there is no such session."""
        ...

    def note_session(self, session_id: str, at: datetime) -> None:
        """Record a request of a session."""
        ...

    def end_sessions(self, user: str, *, session_id: str | None = None) -> int:
        """End a session of a user, or all of them; return how many ended."""
        ...

    def end_provider_sessions(self, provider_session: str) -> Sequence[str]:
        """End the sessions that began with a session of an OpenID provider; return their users."""
        ...

    def get_failures(self, key: str) -> FailureRecord | None:
        """Return the failed sign-ins of a name or address; None if there are none."""
        ...

    def note_failure(self, key: str, at: datetime, *, forget_before: datetime) -> FailureRecord:
        """Count a failed sign-in; older ones than ``forget_before`` do not count."""
        ...

    def clear_failures(self, key: str) -> None:
        """Forget the failed sign-ins of a name or address."""
        ...
