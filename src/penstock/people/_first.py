"""The first user of a store: an admin with a token that is shown once, and no password."""

from datetime import timedelta

from penstock.core import (
    ANY_PROJECT,
    GrantRecord,
    Role,
    TokenRecord,
    UserRecord,
    current_actor,
    now,
)
from penstock.people._keys import TOKEN_KIND, key_digest, new_key
from penstock.people._tokens import NewToken
from penstock.stores import Store, open_store

FIRST_USER = "admin"
_FIRST_TOKEN = timedelta(days=7)


def create_first_admin(*, store: Store | str | None = None) -> NewToken | None:
    """Create the user ``admin`` with a token for a week, in a store without users.

    Of several servers that start at once, one does.

    Args:
        store: Store or store URL; by default the project's store.

    Returns:
        The token, to be shown once; None if the store has users already.
    """
    metadata, at = open_store(store).metadata, now()
    grant = GrantRecord(FIRST_USER, ANY_PROJECT, Role.ADMIN, current_actor(), at)
    if not metadata.users.add_first(UserRecord(FIRST_USER, at), grants=[grant]):
        return None
    token_id, secret = new_key(TOKEN_KIND)
    record = TokenRecord(
        token_id, FIRST_USER, key_digest(secret), at, "first sign-in", expires_at=at + _FIRST_TOKEN
    )
    metadata.tokens.add(record)
    return NewToken(record, secret)
