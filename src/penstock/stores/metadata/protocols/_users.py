"""Users of the store, and roles in projects."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from penstock.core import GrantRecord, Role, Secret, UserRecord


class UserStore(Protocol):
    """Users and their grants. Each change is in the audit trail, in the same transaction."""

    def add(self, user: UserRecord, *, grants: Sequence[GrantRecord] = ()) -> None:
        """Add a user with grants.

        Raises:
            ConflictError: If a user has this name already.
        """
        ...

    def add_first(self, user: UserRecord, *, grants: Sequence[GrantRecord]) -> bool:
        """Add a user if there is none at all; of many callers at once a single call succeeds."""
        ...

    def get(self, name: str) -> UserRecord:
        """Return a user."""
        ...

    def find_subject(self, subject: str) -> UserRecord | None:
        """Return the user with this subject at an identity provider; None if there is none."""
        ...

    def update(self, name: str, **changes: Any) -> UserRecord:
        """Change fields of a user; the audit trail has their names, never a password's hash."""
        ...

    def is_password(self, name: str, password: Secret) -> bool:
        """Return whether a password is that of an active user; the hash stays in the store.

        Takes as long for a name that nobody has. A hash of weaker settings is replaced.
        """
        ...

    def note_seen(self, name: str, at: datetime) -> None:
        """Record a sign-in."""
        ...

    def list(self) -> list[UserRecord]:
        """List the users by name."""
        ...

    def count(self) -> int:
        """Return the number of users; 0 in a store without users."""
        ...

    def grant(self, grant: GrantRecord) -> None:
        """Give a user a role in a project; a role that the user has already stays unchanged.

        A role that a claim gave becomes the admin's, and stays when the claim is gone.
        """
        ...

    def revoke(self, user: str, project: str, role: Role | None = None) -> None:
        """Take a role in a project away from a user, or all of them.

        Raises:
            NotFoundError: If the user has no such role there.
        """
        ...

    def replace_grants(self, user: str, source: str, grants: Sequence[GrantRecord]) -> None:
        """Let claims give a user exactly these roles, and none that claims gave before.

        Roles that an admin gave stay. A role that is claimed again holds until the new end.

        Args:
            user: The user.
            source: Issuer of the claims, as in the grants.
            grants: Grants of the user by this source.

        Raises:
            NotFoundError: If there is no such user.
        """
        ...

    def list_grants(self, user: str | None = None) -> Sequence[GrantRecord]:
        """List the grants of a user, or all, by user and project."""
        ...
