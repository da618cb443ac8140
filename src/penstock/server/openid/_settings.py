"""Settings of the sign-in with an OpenID provider; whoever starts the server gives them.

They are not in the store: an admin's token that leaked must not name another issuer, who would then
say who everybody is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from penstock.core import ANY_PROJECT, ParameterError, Role, Secret, did_you_mean
from penstock.http import is_loopback

CALLBACK = "/sign-in/openid/callback"
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class ClaimedRole:
    """A role for everyone whom the provider counts to a group.

    >>> ClaimedRole.read("/ml/approvers=approver:churn")
    ClaimedRole(group='/ml/approvers', role=<Role.APPROVER: 'approver'>, project='churn')

    Args:
        group: Value in the claim of groups, letter by letter.
        role: The role.
        project: Where the role holds; ``*`` for all projects.
    """

    group: str
    role: Role
    project: str = ANY_PROJECT

    @classmethod
    def read(cls, text: str) -> "ClaimedRole":
        """Return what ``GROUP=ROLE`` or ``GROUP=ROLE:PROJECT`` says.

        Raises:
            ParameterError: If the text has no group, or a role that does not exist.
        """
        group, mark, given = text.rpartition("=")
        name, _, project = given.partition(":")
        if not mark or not group.strip() or name not in list(Role):
            raise ParameterError(
                what=f"{text[:200]!r} gives no role to a group.",
                fix=f"{did_you_mean(name, list(Role))} Write GROUP=ROLE or GROUP=ROLE:PROJECT, with the"
                f" role {', '.join(Role)}.".strip(),
            )
        return cls(group.strip(), Role(name), project or ANY_PROJECT)


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    """An OpenID provider, this server as its client, and what its claims give.

    >>> settings = OpenIdSettings("https://sso.example.org", "penstock", "https://ml.example.org")
    >>> settings.redirect_uri, settings.label, settings.is_secure
    ('https://ml.example.org/sign-in/openid/callback', 'sso.example.org', True)

    Args:
        issuer: Issuer of the provider, letter by letter as in its discovery document.
        client_id: Id that the provider gave this server.
        url: URL under which browsers reach this server, without a path.
        client_secret: Secret that the provider gave this server; None for a public client, which
            PKCE alone protects.
        label: Name of the provider on the button; by default the issuer's host.
        scopes: Scopes to ask for; ``openid`` is always among them.
        groups_claim: Claim with the groups of a person; dots lead into claims within claims.
        roles: Roles by group; without any, only people whom an admin has linked sign in.
        roles_last: How long a role by group holds without another sign-in.
        local: Whether passwords and tokens begin sessions as well.
    """

    issuer: str
    client_id: str
    url: str
    client_secret: Secret | None = None
    label: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    roles: tuple[ClaimedRole, ...] = ()
    roles_last: timedelta = field(default=timedelta(days=7))
    local: bool = True

    def __post_init__(self) -> None:
        issuer, url = self.issuer.strip(), self.url.strip().rstrip("/")
        require_encrypted(issuer, "issuer")
        require_encrypted(url, "URL of this server")
        if urlsplit(url).path:
            raise ParameterError(
                what=f"The URL of this server, {url!r}, has a path.",
                why="The provider sends browsers back to a page of this server.",
                fix="Write the beginning only, such as https://penstock.example.org",
            )
        if not self.client_id.strip():
            raise ParameterError(what="The client id is empty.", fix="The provider shows it.")
        if self.roles_last <= timedelta(0):
            raise ParameterError(what="Roles would end at once.", fix="Use for example 7d.")
        scopes = tuple(dict.fromkeys(("openid", *self.scopes)))
        for name, value in (
            ("issuer", issuer),
            ("url", url),
            ("label", self.label or urlsplit(issuer).netloc),
            ("scopes", scopes),
        ):
            object.__setattr__(self, name, value)

    @property
    def redirect_uri(self) -> str:
        """The one address to which the provider sends browsers back."""
        return f"{self.url}{CALLBACK}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach this server encrypted."""
        return self.url.startswith("https:")

    @property
    def host(self) -> str:
        """Name under which browsers reach this server, without a port."""
        name = urlsplit(self.url).hostname or ""
        return f"[{name}]" if ":" in name else name

    def is_issuers_host(self, url: str) -> bool:
        """Return whether a URL leads to the host and port of the issuer."""
        return _host(url) == _host(self.issuer)


def require_encrypted(url: str, owner: str) -> None:
    """Refuse a URL that is not encrypted, unless it never leaves this machine.

    Args:
        url: The URL.
        owner: What the URL is, for the message.

    Raises:
        ParameterError: If it cannot be used.
    """
    try:
        parts = urlsplit(url)
        name, _ = parts.hostname, parts.port
    except ValueError:
        name, parts = None, urlsplit("")
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if (
        parts.scheme not in _PORTS
        or not name
        or not is_plain
        or not url.isprintable()
        or " " in url
    ):
        raise ParameterError(
            what=f"The {owner}, {url[:200]!r}, is no URL that can be used.",
            fix="Write https://host or https://host/path, without a user, a query or a fragment.",
        )
    if parts.scheme == "http" and not is_loopback(name):
        raise ParameterError(
            what=f"The {owner}, {url!r}, is not encrypted.",
            why="Whoever reads along could sign in as somebody else.",
            fix="Use https; http is possible for 127.0.0.1 and localhost only.",
        )


def granted(roles: Iterable[ClaimedRole], groups: Iterable[str]) -> list[ClaimedRole]:
    """Return the roles that somebody's groups give."""
    held = frozenset(groups)
    return [each for each in roles if each.group in held]


def _host(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0))
