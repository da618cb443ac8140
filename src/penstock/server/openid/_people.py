"""People: whose session the claims begin, and which roles they give.

A person is known by issuer and subject. An e-mail address or a name is a claim that its owner may
change, and that a provider may give to the next one.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ConflictError,
    GrantRecord,
    Identity,
    SignInError,
    UserRecord,
    now,
    use_identity,
)
from penstock.people import SignIns, subject_text
from penstock.server.openid._settings import OpenIdSettings, granted

if TYPE_CHECKING:
    from penstock.people import NewSession
    from penstock.stores import Store

_NAME_CLAIMS = ("preferred_username", "email")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._@+-]+")
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_LONGEST_FULL_NAME = 200
_LONGEST_SESSION = 255


def begin_session(
    claims: Callable[[], Mapping[str, Any]],
    settings: OpenIdSettings,
    *,
    address: str,
    store: "Store",
) -> "NewSession":
    """Begin the session of the person whom claims are about, with the roles that they give now.

    Args:
        claims: Function that returns the checked claims.
        settings: The provider, and the roles by group.
        address: Network address of the browser.
        store: The store with the users.

    Raises:
        SignInError: If nobody here is the person, and no group of the person has a role.
        RateLimitError: After too many failures from the address.
    """
    signs = SignIns(store=store)
    with signs.counted(address):  # a guess; a stranger whom the provider knows is none
        found = claims()
    user = store.metadata.users.find_subject(subject_text(settings.issuer, found["sub"]))
    grants = _grants(found, settings, store=store)
    if user is None:
        user = _add(found, settings, grants, store=store)
    elif user.disabled_at is None:
        claimed = [_for_user(grant, user.name) for grant in grants]
        with use_identity(_identity(user.name, settings)):
            store.metadata.users.replace_grants(user.name, settings.issuer, claimed)
    session = session_of(found)
    return signs.with_subject(
        user.name, address=address, provider_session=f"{settings.issuer} {session or ''}"
    )


def session_of(claims: Mapping[str, Any]) -> str | None:
    """Return the provider's name of a session; None if the claims have none that can be one.

    >>> session_of({"sid": "08a5"}), session_of({"sid": ""}), session_of({})
    ('08a5', None, None)
    """
    found = claims.get("sid")
    is_name = isinstance(found, str) and 0 < len(found) <= _LONGEST_SESSION and found.isprintable()
    return found if is_name else None


def end_sessions(claims: Mapping[str, Any], settings: OpenIdSettings, *, store: "Store") -> None:
    """End the sessions that a logout token names, which was checked.

    With a session those that began with it; without, all of the person's, however they began.

    Args:
        claims: The claims of the token.
        settings: The provider.
        store: The store with the users.

    Raises:
        SignInError: If the token came before.
    """
    subject = claims.get("sub")
    user = (
        None
        if subject is None
        else store.metadata.users.find_subject(subject_text(settings.issuer, subject))
    )
    SignIns(store=store).end_by_provider(
        claims["jti"],
        settings.issuer,
        name=None if user is None else user.name,
        session=session_of(claims),
    )


def groups_of(claims: Mapping[str, Any], claim: str) -> list[str]:
    """Return the groups in a claim: a text, or a list of texts; all else is no group.

    >>> groups_of({"realm_access": {"roles": ["ml", 7]}}, "realm_access.roles")
    ['ml']

    Args:
        claims: The claims.
        claim: Name of the claim; dots lead into claims within claims.
    """
    found = _value_of(claims, claim)
    texts = [found] if isinstance(found, str) else found
    return [each for each in texts if isinstance(each, str)] if isinstance(texts, list) else []


def has_claim(claims: Mapping[str, Any], claim: str) -> bool:
    """Return whether claims say anything of the groups, be it that there are none.

    Args:
        claims: The claims.
        claim: Name of the claim, as in `groups_of`.
    """
    return _value_of(claims, claim) is not None


def name_from(claims: Mapping[str, Any]) -> str | None:
    """Return the name that a new user gets; None if the claims have none that can be one.

    >>> name_from({"preferred_username": "Ada Lovelace"}), name_from({"sub": "7"})
    ('ada-lovelace', None)
    """
    for claim in _NAME_CLAIMS:
        text = claims.get(claim)
        if isinstance(text, str) and text.isascii():
            name = _NOT_IN_NAMES.sub("-", text.strip().lower())[:100].strip("-")
            if _NAME.fullmatch(name):
                return name
    return None


def _value_of(claims: Mapping[str, Any], claim: str) -> Any:
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _grants(
    claims: Mapping[str, Any], settings: OpenIdSettings, *, store: "Store"
) -> list[GrantRecord]:
    at, groups = now(), groups_of(claims, settings.groups_claim)
    known = {"*", "default", *(project.name for project in store.metadata.projects.list())}
    return [
        GrantRecord(
            "",
            each.project,
            each.role,
            settings.issuer,
            at,
            settings.issuer,
            at + settings.roles_last,
        )
        for each in granted(settings.roles, groups)
        if each.project in known
    ]


def _add(
    claims: Mapping[str, Any],
    settings: OpenIdSettings,
    grants: Sequence[GrantRecord],
    *,
    store: "Store",
) -> UserRecord:
    """Add whoever signs in for the first time, if a group of theirs has a role."""
    name = name_from(claims)
    if not grants or name is None:
        raise _stranger(claims["sub"], settings)
    full_name = claims.get("name")
    user = UserRecord(
        name,
        now(),
        full_name=full_name[:_LONGEST_FULL_NAME] if isinstance(full_name, str) else "",
        subject=subject_text(settings.issuer, claims["sub"]),
    )
    try:
        with use_identity(_identity(name, settings)):
            store.metadata.users.add(user, grants=[_for_user(grant, name) for grant in grants])
    except ConflictError as error:  # a name is no proof: whoever has it stays who they are
        raise _stranger(claims["sub"], settings, f"There is another user {name!r}. ") from error
    return user


def _stranger(subject: str, settings: OpenIdSettings, reason: str = "") -> SignInError:
    command = shlex.join(["--issuer", settings.issuer, "--subject", subject])
    return SignInError(
        what=f"{reason}{settings.label} knows you, and nobody here is linked to you.",
        why="Whoever has an account there is not let in here by that alone.",
        fix=f"Ask an admin to run: penstock users link NAME {command}",
        subject=subject,
    )


def _for_user(grant: GrantRecord, name: str) -> GrantRecord:
    return GrantRecord(
        name, grant.project, grant.role, grant.actor, grant.at, grant.source, grant.expires_at
    )


def _identity(name: str, settings: OpenIdSettings) -> Identity:
    """Return who makes the changes of a sign-in: the person, as the provider says."""
    return Identity(name, {}, attested=f"openid {settings.issuer}")
