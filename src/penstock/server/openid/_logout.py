"""Claims of a logout token, by which a provider ends sessions here (OpenID Back-Channel Logout 1.0).

It is told apart from an ID token by its event, and by the nonce that it must not have: neither may
stand in for the other.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.core import SignInError
from penstock.server.openid._claims import (
    ALGORITHMS,
    LEEWAY_S,
    LONGEST_SUBJECT,
    LONGEST_TOKEN,
    decode,
    jose,
)
from penstock.server.openid._settings import OpenIdSettings

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TYPES = (None, "JWT", "logout+jwt")
_MOST_AGE_S = 600  # of a token that does not say when it ends


def read_logout_token(
    text: str,
    *,
    keys: Callable[[bool], Sequence[Mapping[str, Any]]],
    settings: OpenIdSettings,
    offered: Any = None,
) -> dict[str, Any]:
    """Return the claims of a logout token for this server (OpenID Connect Back-Channel Logout 1.0, 2.6).

    Args:
        text: The token.
        keys: Function that returns the provider's keys; with True, fetched again.
        settings: Issuer and client id.
        offered: Algorithms of the discovery document; None for all that are allowed here.

    Raises:
        SignInError: If the token is not exactly that.
    """
    jwt, errors = jose("jwt"), jose("errors")
    algorithms = [each for each in ALGORITHMS if not isinstance(offered, list) or each in offered]
    if len(text) > LONGEST_TOKEN:
        raise _refusal(settings, "it is longer than 100 kB")
    try:
        kind = jose("jws").extract_compact(text.encode()).headers().get("typ")
        claims = decode(text, keys, algorithms or ALGORITHMS)
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
            iat={"essential": True},
            jti={"essential": True},
        ).validate(claims)
    except errors.JoseError as error:
        raise _refusal(settings, str(error)) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:  # of odd JSON and odd keys
        raise _refusal(settings, type(error).__name__) from error
    reason = _not_a_logout(kind, claims)
    if reason is not None:
        raise _refusal(settings, reason)
    return claims


def _not_a_logout(kind: Any, claims: Mapping[str, Any]) -> str | None:
    """Return what a token has, or lacks, that makes it none for a logout; None if it is one."""
    events = claims.get("events")
    is_event = isinstance(events, dict) and isinstance(events.get(_EVENT), dict)
    subject, session = claims.get("sub"), claims.get("sid")
    names = [each for each in (subject, session, claims["jti"]) if each is not None]
    checks = {
        f"its type is {str(kind)[:40]!r}": kind in _TYPES,
        "it is about no logout (events)": is_event,
        "it has a nonce, as an ID token has": "nonce" not in claims,
        "it names neither a person nor a session": subject is not None or session is not None,
        "its subject, session or jti is no name": all(map(_is_name, names)),
        "it is too old": "exp" in claims or time.time() - claims["iat"] <= _MOST_AGE_S + LEEWAY_S,
    }
    return next((reason for reason, holds in checks.items() if not holds), None)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_SUBJECT and value.isprintable()


def _refusal(settings: OpenIdSettings, reason: str) -> SignInError:
    return SignInError(
        what=f"The logout token of {settings.label} is refused: {reason[:200].rstrip('.')}.",
        why="It has to be signed by the provider, for this server, and now.",
        fix="Compare issuer, client id and the clocks of the provider and of this server.",
    )
