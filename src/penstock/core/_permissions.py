"""Permission and Role: demands of the store's operations, and rights of people.

Every operation that a server offers names a `Permission`; nothing else decides on a call.
"""

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """Permission that an operation demands of the caller."""

    READ = "read"
    """See runs, artifacts, models, deployments and their history."""
    WRITE = "write"
    """Track and train: runs, metrics, artifacts, new versions of models, their move to staging."""
    APPROVE = "approve"
    """Approve and reject: versions of models, steps that wait."""
    OPERATE = "operate"
    """Change what is live: production, deployments, schedules, webhooks, logged predictions."""
    ADMIN = "admin"
    """Change the store itself: settings, users, deletion of what others rely on."""


class Role(StrEnum):
    """Role of a person or program in a project; a person may have several."""

    VIEWER = "viewer"
    TRAINER = "trainer"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def permissions(self) -> frozenset[Permission]:
        """Permissions of the role.

        >>> sorted(Role.APPROVER.permissions)
        [<Permission.APPROVE: 'approve'>, <Permission.READ: 'read'>]
        """
        return _GRANTS[self]


# Trainer and approver share nothing but reading: a second person looks at what one has trained.
_GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.TRAINER: frozenset({Permission.READ, Permission.WRITE}),
    Role.APPROVER: frozenset({Permission.READ, Permission.APPROVE}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.ADMIN: frozenset(Permission),
}
