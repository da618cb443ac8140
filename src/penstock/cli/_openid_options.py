"""Options of the sign-in with an OpenID provider, read into the settings of the server."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from penstock.core import ParameterError, Secret, parse_duration
from penstock.http import is_loopback, url_host
from penstock.server import ClaimedRole, OpenIdSettings

_OPTIONS = (
    click.option("--oidc-issuer", metavar="URL", help="OpenID provider that people sign in with."),
    click.option("--oidc-client-id", metavar="ID", help="This server's id at the provider."),
    click.option(
        "--oidc-client-secret-env",
        metavar="NAME",
        help="Environment variable with the client secret; without a secret: PKCE alone.",
    ),
    click.option(
        "--oidc-client-secret-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="File with the client secret.",
    ),
    click.option(
        "--oidc-url",
        metavar="URL",
        help="URL under which browsers reach this server; default: --url, or the local address.",
    ),
    click.option("--oidc-name", metavar="NAME", help="Provider's name on the button."),
    click.option(
        "--oidc-scope",
        "oidc_scopes",
        multiple=True,
        metavar="SCOPE",
        help="Scope to ask for besides openid, profile and email; repeatable.",
    ),
    click.option(
        "--oidc-groups",
        default="groups",
        show_default=True,
        metavar="CLAIM",
        help="Claim with a person's groups; dots lead into nested claims.",
    ),
    click.option(
        "--oidc-role",
        "oidc_roles",
        multiple=True,
        metavar="GROUP=ROLE[:PROJECT]",
        help="Role of everyone in a group; repeatable. Without: only linked users sign in.",
    ),
    click.option(
        "--oidc-roles-last",
        default="7d",
        show_default=True,
        help="How long a role by group holds without another sign-in.",
    ),
    click.option(
        "--oidc-only", is_flag=True, help="Begin no sessions with passwords and tokens any more."
    ),
)


def openid_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command that has --host, --port and --url, and gets ``openid`` for them."""

    @functools.wraps(command)
    def with_settings(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in _NAMES}
        openid = _settings(given, kwargs["host"], kwargs["port"], kwargs["url"])
        return command(*args, openid=openid, **kwargs)

    decorated: Callable[..., Any] = with_settings
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


_NAMES = (
    *("oidc_issuer", "oidc_client_id", "oidc_client_secret_env", "oidc_client_secret_file"),
    *("oidc_url", "oidc_name", "oidc_scopes", "oidc_groups", "oidc_roles", "oidc_roles_last"),
    "oidc_only",
)


def _settings(given: dict[str, Any], host: str, port: int, url: str) -> OpenIdSettings | None:
    issuer, client_id = given["oidc_issuer"], given["oidc_client_id"]
    if not issuer or not client_id:
        named = [name for name, value in given.items() if value and name not in _WITH_DEFAULT]
        if named:
            raise ParameterError(
                what=f"--{named[0].replace('_', '-').removesuffix('s')} is given, and no"
                f" {'--oidc-client-id' if issuer else '--oidc-issuer'}.",
                why="Without issuer and client id nobody could sign in.",
                fix="Give --oidc-issuer and --oidc-client-id.",
            )
        return None
    return OpenIdSettings(
        issuer,
        client_id,
        given["oidc_url"] or url or _local_url(host, port),
        _secret(given["oidc_client_secret_env"], given["oidc_client_secret_file"]),
        given["oidc_name"] or "",
        ("openid", "profile", "email", *given["oidc_scopes"]),
        given["oidc_groups"],
        tuple(ClaimedRole.read(text) for text in given["oidc_roles"]),
        parse_duration(given["oidc_roles_last"]),
        local=not given["oidc_only"],
    )


_WITH_DEFAULT = frozenset({"oidc_groups", "oidc_roles_last"})


def _local_url(host: str, port: int) -> str:
    if is_loopback(host) and port:
        return f"http://{url_host(host)}:{port}"
    raise ParameterError(
        what=f"Nobody says under which URL browsers reach the server on {host}:{port}.",
        why="The provider sends browsers back to exactly one address.",
        fix="Give --oidc-url https://NAME, the beginning of what people type.",
    )


def _secret(variable: str | None, file: Path | None) -> Secret | None:
    """Return the client secret, which is never an option: the list of processes would show it."""
    if variable and file:
        raise ParameterError(what="The client secret is given twice.", fix="Give one of the two.")
    if variable:
        text, source = os.environ.get(variable, ""), f"The environment variable {variable}"
    elif file is not None:
        try:
            text, source = file.read_text(encoding="utf-8"), f"The file {file}"
        except (OSError, ValueError) as error:
            raise ParameterError(
                what=f"The file {file} cannot be read ({type(error).__name__}).",
                why="It should have the client secret.",
                fix="Write the secret into it, readable by this user only.",
            ) from error
    else:
        return None
    if not text.strip():
        raise ParameterError(
            what=f"{source} is empty or not set.",
            why="It should have the client secret.",
            fix="Set it, or leave the option out for a public client.",
        )
    return Secret(text.strip())
