"""Tokens of programs and sessions of browsers: proofs of a request's sender."""

from dataclasses import dataclass, field
from datetime import datetime

from penstock.core._permissions import Role
from penstock.core.records._users import ANY_PROJECT


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token; the store has only the digest of the secret.

    Args:
        token_id: Public beginning of the token, for lists and for revoking.
        user: Owner of the token.
        digest: SHA-256 of the whole token.
        created_at: Time of creation.
        label: Purpose of the token.
        role: Upper limit of the token's permissions; None for all of the user's.
        project: The only project that the token is for; ``*`` for all of the user's.
        expires_at: Time of expiry; None if the token does not expire.
        used_at: Last use, to the minute; None if never used.
        revoked_at: Time of revocation; None if not revoked.
    """

    token_id: str
    user: str
    digest: str = field(repr=False)
    created_at: datetime
    label: str = ""
    role: Role | None = None
    project: str = ANY_PROJECT
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, at: datetime) -> bool:
        """Return whether the token is accepted at a time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A browser that a user has signed in with; the store has only the digest of the cookie.

    Args:
        session_id: Public name of the session.
        user: The user.
        digest: SHA-256 of the cookie's value.
        created_at: Time of the sign-in.
        expires_at: Time from which the cookie is refused.
        seen_at: Last request, to the minute.
        address: Network address of the sign-in.
        token_id: The token that the user signed in with; the token's limits hold for the session.
            None for a password.
        provider_session: Issuer and session of an OpenID provider, separated by a space; the session
            is empty where the provider named none. Empty for a session that began otherwise.
    """

    session_id: str
    user: str
    digest: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    seen_at: datetime
    address: str = ""
    token_id: str | None = None
    provider_session: str = ""


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """Failed sign-ins of a name or from an address, for the back-off; messages that count once.

    Args:
        key: The name or address.
        count: Failures since the last success.
        at: Time of the last failure.
    """

    key: str
    count: int
    at: datetime
