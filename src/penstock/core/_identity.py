"""Identity: the actor, the evidence for that, and the permissions by project.

Apart from the actor, which is a name that anyone may write: an identity has been proved by a token,
a session or the permission to open the store's files.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from penstock.core._actors import current_actor, use_actor
from penstock.core._permissions import Permission
from penstock.core.records._users import ANY_PROJECT

_IDENTITY: ContextVar["Identity | None"] = ContextVar("penstock_identity", default=None)


@dataclass(frozen=True, slots=True)
class Identity:
    """Someone who has signed in, or the single user of an embedded store.

    >>> ada = Identity("ada", {"churn": frozenset({Permission.READ})}, attested="token pst_1")
    >>> (
    ...     ada.may(Permission.READ, "churn"),
    ...     ada.may(Permission.READ, "fraud"),
    ...     ada.may(Permission.READ),
    ... )
    (True, False, True)

    Args:
        actor: Name of the user.
        permissions: Permissions by project; ``*`` for all projects.
        attested: How the identity is known: ``token ID``, ``session ID``; empty for the user of a
            process that opened an embedded store.
        is_service: Whether the user is a program.
    """

    actor: str
    permissions: Mapping[str, frozenset[Permission]]
    attested: str = ""
    is_service: bool = False

    def may(self, permission: Permission, project: str | None = None) -> bool:
        """Return whether the identity has a permission in a project; None for in any of them."""
        if permission in self.permissions.get(ANY_PROJECT, frozenset()):
            return True
        if project is None:
            return any(permission in granted for granted in self.permissions.values())
        return permission in self.permissions.get(project, frozenset())

    @property
    def sees_all(self) -> bool:
        """Whether the identity may read every project."""
        return Permission.READ in self.permissions.get(ANY_PROJECT, frozenset())


def local_identity() -> Identity:
    """Return the identity of whoever opened the store's files: that may do everything there."""
    return Identity(current_actor(), {ANY_PROJECT: frozenset(Permission)})


def current_identity() -> Identity | None:
    """Return the identity of `use_identity`; None without a signed-in user."""
    return _IDENTITY.get()


@contextlib.contextmanager
def use_identity(identity: Identity) -> Iterator[None]:
    """Make all changes inside the block as an identity, the actor of each change.

    Args:
        identity: The actor's identity.
    """
    token = _IDENTITY.set(identity)
    try:
        with use_actor(identity.actor):
            yield
    finally:
        _IDENTITY.reset(token)
