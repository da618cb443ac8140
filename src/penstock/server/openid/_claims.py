"""Claims of an ID token, once its signature and each of its bounds has been checked.

Signatures, keys and times are checked by joserfc. The list of algorithms is ours, never the token's:
`none` and the HS family, whose key would be the provider's public one, are not on it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.core import SignInError, require
from penstock.server.openid._settings import OpenIdSettings

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
_KINDS = frozenset({"RSA", "EC", "OKP"})
LEEWAY_S = 60
LONGEST_SUBJECT = 255
LONGEST_TOKEN = 100_000


def read_id_token(
    text: str,
    *,
    nonce: str,
    keys: Callable[[bool], Sequence[Mapping[str, Any]]],
    settings: OpenIdSettings,
    offered: Any = None,
) -> dict[str, Any]:
    """Return the claims of an ID token that was issued to this server, for this sign-in.

    Args:
        text: The token.
        nonce: What this server sent with the request.
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
        claims = decode(text, keys, algorithms or ALGORITHMS)
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(claims)
    except errors.JoseError as error:
        raise _refusal(settings, str(error)) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:  # of odd JSON and odd keys
        raise _refusal(settings, type(error).__name__) from error
    _require_party(claims, settings)
    _require_subject(claims, settings)
    return claims


def decode(
    text: str, keys: Callable[[bool], Sequence[Mapping[str, Any]]], algorithms: Sequence[str]
) -> dict[str, Any]:
    """Return the claims under the signature of one of the provider's keys; no claim is checked.

    Args:
        text: The token.
        keys: Function that returns the provider's keys; with True, fetched again.
        algorithms: Those that are accepted.

    Raises:
        JoseError: If no key of the provider has signed it.
    """
    jwt, errors = jose("jwt"), jose("errors")
    error: Exception = errors.InvalidKeyIdError("the provider has no such key")
    kid = jose("jws").extract_compact(text.encode()).headers().get("kid")
    for again in (False, True):  # a key may be new: providers change them
        usable = _usable(keys(again), kid)
        for key in usable:
            try:
                claims: dict[str, Any] = jwt.decode(text, key, algorithms=list(algorithms)).claims
            except errors.JoseError as failed:
                error = failed
            else:
                return claims
        if usable and kid is not None:
            break
    raise error


def _usable(keys: Sequence[Mapping[str, Any]], kid: Any) -> list[Any]:
    """Return the keys for signatures that a token may mean; all of them where it names none."""
    jwk, errors = jose("jwk"), jose("errors")
    found = []
    for key in keys:
        if str(key.get("kty")) not in _KINDS or key.get("use", "sig") != "sig":
            continue
        if kid is not None and key.get("kid") != kid:
            continue
        try:
            found.append(jwk.import_key(dict(key)))
        except (errors.JoseError, ValueError, TypeError, KeyError):
            continue  # a key of a form that is not known here
    return found


def _require_party(claims: Mapping[str, Any], settings: OpenIdSettings) -> None:
    """Check that the token was issued to this client, where it is for several (OpenID Core 3.1.3.7)."""
    audience, party = claims["aud"], claims.get("azp")
    is_shared = isinstance(audience, list) and len(audience) > 1
    if (is_shared and party is None) or (party is not None and party != settings.client_id):
        raise _refusal(settings, f"it was issued to {str(party)[:100]!r} (azp)")


def _require_subject(claims: Mapping[str, Any], settings: OpenIdSettings) -> None:
    subject = claims["sub"]
    if not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise _refusal(settings, "its subject is empty, too long or not printable")


def _refusal(settings: OpenIdSettings, reason: str) -> SignInError:
    return SignInError(
        what=f"The ID token of {settings.label} is refused: {reason[:200].rstrip('.')}.",
        why="It has to be signed by the provider, for this server and for this sign-in.",
        fix="Sign in again; if it happens always, compare issuer, client id and the clocks.",
    )


def jose(part: str) -> Any:
    """Return a module of joserfc."""
    return require(f"joserfc.{part}", extra="people", purpose="sign-in with an OpenID provider")
