"""Tokens: create, list and revoke what programs sign in with."""

from dataclasses import dataclass
from datetime import timedelta

from penstock.core import (
    ANY_PROJECT,
    AccessError,
    ParameterError,
    Permission,
    Role,
    Secret,
    TokenRecord,
    current_identity,
    now,
    parse_duration,
    require_choice,
)
from penstock.people._access import is_within, require_permission
from penstock.people._authentication import permissions_of
from penstock.people._keys import TOKEN_KIND, key_digest, new_key
from penstock.stores import Store, open_store

_LONGEST_LABEL = 200


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just created; the secret exists only here.

    Args:
        record: What the store keeps.
        secret: The token itself.
    """

    record: TokenRecord
    secret: Secret


class Tokens:
    """Tokens of a store's users.

    ```python
    token = ps.people.Tokens().create("ada", label="laptop", role="trainer")
    print(token.secret.reveal())  # the only time
    ```

    Args:
        store: Store or store URL; by default the project's store.
    """

    def __init__(self, *, store: Store | str | None = None) -> None:
        self._metadata = open_store(store).metadata

    def create(
        self,
        user: str,
        *,
        label: str = "",
        role: Role | str | None = None,
        project: str = ANY_PROJECT,
        expires_after: str | timedelta | None = "90d",
    ) -> NewToken:
        """Create a token of a user.

        Args:
            user: Name of the user.
            label: What the token is for.
            role: The most that it may do; by default what its user may.
            project: The only project that it is for; by default all of the user's.
            expires_after: How long it is accepted, such as ``90d``; None for ever.

        Raises:
            NotFoundError: If there is no such user or project.
            AccessError: If the token could do more than whoever creates it.
        """
        self._metadata.users.get(user)
        if project != ANY_PROJECT:
            self._metadata.projects.get(project)
        limit = None if role is None else Role(require_choice("role", str(role), list(Role)))
        self._require_allowed(user, limit, project)
        if len(label) > _LONGEST_LABEL:
            raise ParameterError(
                what=f"The label has {len(label)} characters.",
                fix=f"Use at most {_LONGEST_LABEL}.",
            )
        at, span = now(), None if expires_after is None else parse_duration(expires_after)
        if span is not None and span <= timedelta(0):
            raise ParameterError(what="The token would have expired.", fix="Use for example 90d.")
        token_id, secret = new_key(TOKEN_KIND)
        record = TokenRecord(
            token_id,
            user,
            key_digest(secret),
            at,
            label,
            limit,
            project,
            None if span is None else at + span,
        )
        self._metadata.tokens.add(record)
        return NewToken(record, secret)

    def get(self, token_id: str) -> TokenRecord:
        """Return a token by its public beginning, such as ``pst_0123456789``.

        Raises:
            NotFoundError: If there is no such token.
        """
        return self._metadata.tokens.get(_beginning(token_id))

    def list(self, user: str | None = None) -> list[TokenRecord]:
        """List the tokens of a user, or all, oldest first."""
        return self._metadata.tokens.list(user)

    def revoke(self, token_id: str) -> TokenRecord:
        """Refuse a token, and what was signed in with it, from the next request on.

        Raises:
            NotFoundError: If there is no such token.
            AccessError: If the token is another user's, and whoever asks is no admin.
        """
        token = self.get(token_id)
        identity = current_identity()
        if identity is not None and identity.actor != token.user:
            require_permission(Permission.ADMIN, ANY_PROJECT)
        return self._metadata.tokens.revoke(token.token_id, now())

    def _require_allowed(self, user: str, role: Role | None, project: str) -> None:
        identity = current_identity()
        if identity is None:
            return
        if identity.actor != user:
            require_permission(Permission.ADMIN, ANY_PROJECT)
            return
        wanted = permissions_of(self._metadata.users.list_grants(user), role, project)
        if not is_within(wanted, identity):
            raise AccessError(
                what="The new token could do more than you can with the one you signed in with.",
                why="A limited token must not make a wider one.",
                fix="Limit it with a role and a project, or sign in with your password.",
            )


def _beginning(text: str) -> str:
    """Return the public beginning of a token, where the whole was given."""
    return "_".join(text.split("_")[:2])
