"""Users, projects, and roles of users in projects."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from penstock.core._permissions import Role

UserKind = Literal["person", "service"]
ANY_PROJECT = "*"
"""Stands for all projects in a grant or a token's scope."""
DEFAULT_PROJECT = "default"
"""The project of every name that no project claims."""


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A person or a service that signs in.

    Args:
        name: Unique name in lower case; the actor of all that the user does.
        created_at: Time of creation.
        kind: ``person`` or ``service``; a service has tokens only.
        full_name: Name for readers.
        password_hash: Argon2id hash in PHC form; None if the user signs in otherwise.
        subject: Issuer and subject of an OpenID Connect login, separated by a space.
        disabled_at: Since when the user is refused; None if active.
        seen_at: Last sign-in.
    """

    name: str
    created_at: datetime
    kind: UserKind = "person"
    full_name: str = ""
    password_hash: str | None = field(default=None, repr=False)
    subject: str | None = None
    disabled_at: datetime | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """A role of a user in a project.

    Args:
        user: The user.
        project: The project, or ``*`` for all.
        role: The role there; a user may have several.
        actor: Actor of the grant.
        at: When.
        source: Empty for a grant by an admin; the issuer whose claims gave the role otherwise.
        expires_at: End of a role that a claim gave; None for one that holds until it is taken away.
    """

    user: str
    project: str
    role: Role
    actor: str
    at: datetime
    source: str = ""
    expires_at: datetime | None = None

    def is_valid(self, at: datetime) -> bool:
        """Return whether the role holds at a time."""
        return self.expires_at is None or at < self.expires_at


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A part of the store that a team works in: the names in the project.

    Args:
        name: Unique name.
        names: Names of experiments, models, deployments, schedules and data sets: exact, or the
            beginning followed by ``*``.
        created_at: Time of creation.
        note: Markdown by the user.
    """

    name: str
    names: tuple[str, ...]
    created_at: datetime
    note: str = ""


def project_of(name: str, projects: Sequence[ProjectRecord]) -> str:
    """Return the project that a name belongs to: the longest match decides.

    >>> at = datetime(2026, 1, 31)
    >>> churn = ProjectRecord("churn", ("churn", "churn-*"), at)
    >>> big = ProjectRecord("big", ("churn-big-*",), at)
    >>> [project_of(each, [churn, big]) for each in ("churn", "churn-big-1", "fraud")]
    ['churn', 'big', 'default']

    Args:
        name: Name of an experiment, model, deployment, schedule or data set.
        projects: All projects of the store.
    """
    matching = [
        (len(pattern.rstrip("*")), not pattern.endswith("*"), project.name)
        for project in projects
        for pattern in project.names
        if name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
    ]
    return max(matching)[2] if matching else DEFAULT_PROJECT
