"""Users: add, list, disable; their passwords and their roles in projects."""

import re
from collections.abc import Sequence

from penstock.core import (
    ANY_PROJECT,
    DEFAULT_PROJECT,
    AccessError,
    ConflictError,
    GrantRecord,
    Identity,
    ParameterError,
    Permission,
    Role,
    Secret,
    UserRecord,
    current_actor,
    current_identity,
    hash_password,
    now,
    require_choice,
    require_password,
)
from penstock.people._access import is_within, require_permission
from penstock.people._authentication import permissions_of
from penstock.stores import Store, open_store

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")


class Users:
    """Users of a store.

    ```python
    users = ps.people.Users()
    users.add(
        "ada", role="trainer", project="churn", password=ps.core.Secret("four words by chance")
    )
    users.add("ci", role="trainer", service=True)  # a service signs in with tokens only
    ```

    Args:
        store: Store or store URL; by default the project's store.
    """

    def __init__(self, *, store: Store | str | None = None) -> None:
        self._metadata = open_store(store).metadata

    def add(
        self,
        name: str,
        *,
        role: Role | str | None = None,
        project: str = ANY_PROJECT,
        service: bool = False,
        full_name: str = "",
        password: Secret | None = None,
    ) -> UserRecord:
        """Add a user.

        Args:
            name: Unique name in lower case; an e-mail address will do.
            role: The user's role; by default none, and the user may nothing.
            project: Where the role holds; by default in all projects.
            service: Whether the user is a program.
            full_name: Name for readers.
            password: A person's password; None if the person signs in with a token or elsewhere.

        Raises:
            ParameterError: If the name or password cannot be used.
            ConflictError: If there is such a user, or the store's first user would be no admin.
            NotFoundError: If there is no such project.
        """
        require_permission(Permission.ADMIN, ANY_PROJECT)
        _require_user_name(name)
        if service and password is not None:
            raise ParameterError(
                what=f"{name!r} is a service and gets a password.",
                why="A program cannot keep one; its tokens can be limited and revoked.",
                fix=f"Leave it out, and run: penstock tokens create {name}",
            )
        grants = [] if role is None else [self._new_grant(name, role, project)]
        self._require_admin_first(name, grants)
        user = UserRecord(
            name,
            now(),
            "service" if service else "person",
            full_name,
            None if password is None else _hash(password, name),
        )
        self._metadata.users.add(user, grants=grants)
        return user

    def get(self, name: str) -> UserRecord:
        """Return a user.

        Raises:
            NotFoundError: If there is no such user.
        """
        return self._metadata.users.get(name)

    def list(self) -> list[UserRecord]:
        """List the users by name."""
        return self._metadata.users.list()

    def grants(self, name: str | None = None) -> Sequence[GrantRecord]:
        """List the roles of a user, or of all."""
        return self._metadata.users.list_grants(name)

    def grant(self, name: str, role: Role | str, *, project: str = ANY_PROJECT) -> GrantRecord:
        """Give a user a role in a project; an admin of the project may.

        Raises:
            NotFoundError: If there is no such user or project.
        """
        grant = self._new_grant(name, role, project)
        self._metadata.users.grant(grant)
        return grant

    def revoke(
        self, name: str, *, project: str = ANY_PROJECT, role: Role | str | None = None
    ) -> None:
        """Take a role in a project away from a user, or all roles there.

        Raises:
            NotFoundError: If the user has no such role.
            ConflictError: If no one would be left to administer the store.
        """
        require_permission(Permission.ADMIN, project)
        gone = None if role is None else _role(role)
        if project == ANY_PROJECT and gone in {None, Role.ADMIN}:
            self._require_other_admin(name)
        self._metadata.users.revoke(name, project, gone)

    def set_password(self, name: str, password: Secret, *, old: Secret | None = None) -> None:
        """Set a person's password; all sessions of the person end.

        Args:
            name: Name of the person.
            password: The new password.
            old: The password so far; needed where the person changes their own over HTTP.

        Raises:
            ParameterError: If the password is easily guessed or the old one is wrong.
            AccessError: If a session or token may do less than the person, and sets the person's
                first password; or the person signs in with an OpenID provider.
        """
        user, identity = self.get(name), current_identity()
        if identity is not None and identity.actor == name:
            if not user.password_hash:
                self._require_first_password(user, identity)
            elif not self._metadata.users.is_password(name, old or Secret("")):
                raise ParameterError(what="The old password is another one.", fix="Try again.")
        else:
            require_permission(Permission.ADMIN, ANY_PROJECT)
        if user.kind == "service":
            raise ParameterError(
                what=f"{name!r} is a service.", fix=f"Run: penstock tokens create {name}"
            )
        self._metadata.users.update(name, password_hash=_hash(password, name))
        self._metadata.tokens.end_sessions(name)

    def link(self, name: str, *, issuer: str, subject: str) -> UserRecord:
        """Let a person sign in with an OpenID provider, which knows the person as a subject.

        Args:
            name: Name of the person.
            issuer: Issuer of the provider, as the server was started with it.
            subject: The person's subject there (the claim ``sub``), never an e-mail address that
                may become somebody else's.

        Raises:
            NotFoundError: If there is no such user.
            ParameterError: If the user is a service, or the subject none.
            ConflictError: If the subject is another user's, or the user has another one.
        """
        require_permission(Permission.ADMIN, ANY_PROJECT)
        user, text = self.get(name), subject_text(issuer, subject)
        if user.kind == "service":
            raise ParameterError(
                what=f"{name!r} is a service.", fix=f"Run: penstock tokens create {name}"
            )
        other = self._metadata.users.find_subject(text)
        if other is not None and other.name != name:
            raise ConflictError(
                what=f"{other.name!r} signs in as {subject!r} of {issuer} already.",
                why="A subject is one person.",
                fix=f"Run first: penstock users unlink {other.name}",
                name=name,
            )
        if user.subject not in {None, text}:
            raise ConflictError(
                what=f"{name!r} is linked already, to {user.subject}.",
                why="Whoever signs in with it would lose the name to somebody else.",
                fix=f"Run first: penstock users unlink {name}",
                name=name,
            )
        return self._metadata.users.update(name, subject=text)

    def unlink(self, name: str) -> UserRecord:
        """Let a person not sign in with an OpenID provider any more; all sessions of the person end.

        Roles that groups gave are taken away, those that an admin gave stay.

        Raises:
            NotFoundError: If there is no such user.
        """
        require_permission(Permission.ADMIN, ANY_PROJECT)
        user = self._metadata.users.update(name, subject=None)
        self._metadata.users.replace_grants(name, "", [])
        self._metadata.tokens.end_sessions(name)
        return user

    def disable(self, name: str) -> UserRecord:
        """Refuse a user from the next request on; what the user did stays.

        Raises:
            ConflictError: If no one would be left to administer the store.
        """
        require_permission(Permission.ADMIN, ANY_PROJECT)
        self._require_other_admin(name)
        user = self._metadata.users.update(name, disabled_at=now())
        self._metadata.tokens.end_sessions(name)
        return user

    def enable(self, name: str) -> UserRecord:
        """Let a disabled user sign in again."""
        require_permission(Permission.ADMIN, ANY_PROJECT)
        return self._metadata.users.update(name, disabled_at=None)

    def _new_grant(self, name: str, role: Role | str, project: str) -> GrantRecord:
        require_permission(Permission.ADMIN, project)
        if project not in {ANY_PROJECT, DEFAULT_PROJECT}:
            self._metadata.projects.get(project)
        return GrantRecord(name, project, _role(role), current_actor(), now())

    def _require_first_password(self, user: UserRecord, identity: Identity) -> None:
        """Refuse a first password that opens more than whoever sets it has opened."""
        wanted = permissions_of(self._metadata.users.list_grants(user.name))
        if user.subject is None and is_within(wanted, identity):
            return
        what = f"{user.name!r} has no password so far."
        if user.subject is not None:
            what = f"{user.name!r} signs in with an OpenID provider and has no password."
        raise AccessError(
            what=what,
            why="A password that a session or a limited token sets would open all that the person"
            " may do, for ever.",
            fix=f"Let an admin set one: penstock users password {user.name}",
        )

    def _require_admin_first(self, name: str, grants: Sequence[GrantRecord]) -> None:
        """Check that the first user of a store administers it: nobody else could add a second one."""
        is_admin = any(g.role is Role.ADMIN and g.project == ANY_PROJECT for g in grants)
        if is_admin or self._metadata.users.count() > 0:
            return
        raise ConflictError(
            what=f"{name!r} would be the first user of the store, and no admin.",
            why="With the first user everyone has to sign in, and no one could add the next user.",
            fix="Run first: penstock users first",
            name=name,
        )

    def _require_other_admin(self, name: str) -> None:
        """Check that someone else administers the store, unless this user does not."""
        active = {user.name for user in self.list() if user.disabled_at is None}
        admins = {
            grant.user
            for grant in self.grants()
            if grant.role is Role.ADMIN and grant.project == ANY_PROJECT and grant.user in active
            if not grant.source  # a claim may be gone tomorrow
        }
        if admins == {name}:
            raise ConflictError(
                what=f"{name!r} is the only admin of the store.",
                why="No one could let anyone in any more.",
                fix="Make someone else an admin first: penstock users grant NAME admin",
                name=name,
            )


def subject_text(issuer: str, subject: str) -> str:
    """Return an issuer and a subject as a user's record has them.

    >>> subject_text("https://sso.example.org", "7")
    'https://sso.example.org 7'

    Raises:
        ParameterError: If one of them is empty, or the issuer is no URL.
    """
    is_url = issuer.startswith(("https://", "http://")) and not re.search(r"\s", issuer)
    if not is_url or not subject.strip() or not subject.isprintable():
        raise ParameterError(
            what=f"{subject[:100]!r} of {issuer[:100]!r} is nobody at an OpenID provider.",
            why="People are known by the provider's issuer and the claim sub.",
            fix="The page that refuses someone shows both.",
        )
    return f"{issuer} {subject}"


def _role(role: Role | str) -> Role:
    return Role(require_choice("role", str(role), list(Role)))


def _hash(password: Secret, name: str) -> str:
    require_password(password, name)
    return hash_password(password)


def _require_user_name(name: str) -> None:
    if _NAME.fullmatch(name):
        return
    raise ParameterError(
        what=f"{name[:100]!r} is no name for a user.",
        why="Names are compared letter by letter, and stand in URLs: small letters, digits and ._@+-",
        fix=f"Use for example {re.sub(r'[^a-z0-9._@+-]+', '-', name.lower()).strip('-')[:60] or 'ada'!r}.",
        name=name,
    )
