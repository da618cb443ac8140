"""What someone may do: permissions from grants, and the checks before a change."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from penstock.core import (
    ANY_PROJECT,
    AccessError,
    GrantRecord,
    Permission,
    Role,
    SignInError,
    current_actor,
    current_identity,
    is_same_person,
    project_of,
)
from penstock.people._authentication import TOKEN_VARIABLE, environment_identity

if TYPE_CHECKING:
    from penstock.core import Identity
    from penstock.stores import Store


def require_permission(permission: Permission, project: str | None = None) -> None:
    """Check that whoever has signed in has a permission; the user of an embedded store has all.

    Args:
        permission: What the operation demands.
        project: Where; None for in any project, ``*`` for in all.

    Raises:
        AccessError: If they do not.
    """
    identity = current_identity()
    if identity is not None and not identity.may(permission, project):
        raise refusal(identity, permission, project)


def refusal(identity: "Identity", permission: Permission, project: str | None) -> AccessError:
    """Return the error for a missing permission."""
    where = {None: "any project", ANY_PROJECT: "all projects"}.get(project, f"project {project!r}")
    roles = [role.value for role in Role if permission in role.permissions]
    return AccessError(
        what=f"{identity.actor!r} has no permission to {permission.value} in {where}.",
        why=f"That needs the role {' or '.join(roles)}, and a token that is not limited to less.",
        fix=f"An admin gives it with: penstock users grant {identity.actor} {roles[0]}"
        + ("" if project in {None, ANY_PROJECT} else f" --project {project}"),
        permission=permission,
        project=project,
    )


def project_named(name: str, *, store: "Store") -> str:
    """Return the project of an experiment, model, deployment, schedule or data set."""
    return project_of(name, store.metadata.projects.list())


def has_users(*, store: "Store") -> bool:
    """Return whether people sign in to a store; its server decides where it does not say."""
    try:
        return store.metadata.users.count() > 0
    except AccessError:
        return False


def decide_as(
    actor: str | None, permission: Permission, name: str, *, store: "Store"
) -> tuple[str, str]:
    """Return who decides about something, and how they are known.

    In a store without users it is whoever is named. In a store with users a decision counts only
    from someone who has signed in: over HTTP, or with a token in PENSTOCK_TOKEN.

    Args:
        actor: The name given with the decision; None for whoever it is.
        permission: What the decision demands.
        name: Name of the model, deployment, … that is decided about.
        store: Store of the decision.

    Returns:
        The actor, and how the actor is known: empty if nobody checked.

    Raises:
        SignInError: If the store has users, and nobody has signed in.
        AccessError: If ``actor`` is someone else than has signed in, or they lack the permission.
    """
    identity = current_identity()
    if identity is None and store.sender is not None:
        return _known_to_server(actor, *store.sender())
    if identity is None and not has_users(store=store):
        return (actor or current_actor()).strip(), ""
    identity = identity or environment_identity(store=store)
    if identity is None:
        raise SignInError(
            what="This store has users, and nobody has signed in.",
            why="A decision counts from someone who is known, not from a name.",
            fix=f"Set {TOKEN_VARIABLE} to a token of yours: penstock tokens create, or decide in the"
            " web UI.",
        )
    _require_own(actor, identity.actor)
    project = project_named(name, store=store)
    if not identity.may(permission, project):
        raise refusal(identity, permission, project)
    return identity.actor, identity.attested


def _known_to_server(actor: str | None, signed_in: str, attested: str) -> tuple[str, str]:
    """Return who decides over HTTP: whoever the token belongs to, and not this machine's user.

    Whether they may is the server's to judge; without users it takes the client's word.
    """
    if not attested:
        return (actor or current_actor()).strip(), ""
    _require_own(actor, signed_in)
    return signed_in, attested


def _require_own(actor: str | None, signed_in: str) -> None:
    if actor is not None and not is_same_person(actor, signed_in):
        raise AccessError(
            what=f"{signed_in!r} cannot decide as {actor!r}.",
            why="Whoever has signed in is the one who decides.",
            fix="Leave the actor out.",
        )


def is_within(wanted: Mapping[str, frozenset[Permission]], held: "Identity") -> bool:
    """Return whether an identity holds all of these permissions itself."""
    return all(
        held.may(permission, project)
        for project, permissions in wanted.items()
        for permission in permissions
    )


def roles_of(grants: Iterable[GrantRecord], project: str) -> list[Role]:
    """Return the roles that grants give in a project."""
    return [grant.role for grant in grants if grant.project in {project, ANY_PROJECT}]
