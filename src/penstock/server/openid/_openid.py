"""OpenId: the authorization code flow with PKCE; state, nonce and verifier follow from one cookie.

The browser's cookie has a random key of 256 bits. What the provider sees and returns is made of it by
HMAC, so that nothing is kept here, any of several servers can finish what another began, and an answer
that was made for another browser does not fit. The code itself counts once, at the provider.
"""

import base64
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from penstock.core import NotFoundError, Secret, ServingError, SignInError, require
from penstock.people import has_users
from penstock.server.openid._claims import read_id_token
from penstock.server.openid._logout import read_logout_token
from penstock.server.openid._people import begin_session, end_sessions, has_claim
from penstock.server.openid._provider import Provider
from penstock.server.openid._settings import OpenIdSettings

if TYPE_CHECKING:
    from penstock.people import NewSession
    from penstock.stores import Store

WAITS_S = 600
"""How long somebody may take at the provider."""
_LONGEST_PATH = 1000
_LONGEST_CODE = 4000


@dataclass(frozen=True, slots=True)
class Started:
    """A sign-in that a browser has begun.

    Args:
        url: Where the browser goes.
        cookie: What the browser keeps until it is back.
    """

    url: str
    cookie: Secret


class OpenId:
    """Sign-in with an OpenID provider.

    Threads: any number at once.

    Args:
        settings: The provider, and this server as its client.
        store: The store with the users.

    Raises:
        ServingError: If the store has no users yet.
        MissingPackageError: If joserfc, which reads ID tokens, is not installed.
        NotFoundError: If a role is for a project that does not exist.
    """

    def __init__(self, settings: OpenIdSettings, *, store: "Store") -> None:
        require("joserfc.jwt", extra="people", purpose="sign-in with an OpenID provider")
        if not has_users(store=store):
            raise ServingError(
                what="The store has no users, and people should sign in with an OpenID provider.",
                why="The first one would be nobody's admin, and until then everyone may do everything.",
                fix="Run first: penstock users first",
            )
        for each in settings.roles:
            if each.project not in {"*", "default"}:
                try:
                    store.metadata.projects.get(each.project)
                except NotFoundError as error:
                    raise NotFoundError(
                        what=f"The group {each.group!r} has a role in {each.project!r}, and there is no"
                        " such project.",
                        fix=f"{error.fix} Or add it: penstock projects add {each.project}".strip(),
                        name=each.project,
                    ) from error
        self.settings, self._store = settings, store
        self._provider = Provider(settings)

    @property
    def cookie_name(self) -> str:
        """Name of the cookie; with the prefix no other host of the domain can set it."""
        return "__Host-penstock_openid" if self.settings.is_secure else "penstock_openid"

    def begin(self, path: str) -> Started:
        """Return where to send a browser, and what it keeps.

        Args:
            path: Page of this server to show in the end.

        Raises:
            ServingError: If the provider cannot be reached.
        """
        key = f"{secrets.token_urlsafe(32)}.{int(time.time())}.{_encode(path[:_LONGEST_PATH])}"
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": _derive(key, "state"),
            "nonce": _derive(key, "nonce"),
            "code_challenge": _base64(sha256(_derive(key, "verifier").encode()).digest()),
            "code_challenge_method": "S256",
        }
        endpoint = str(self._provider.metadata["authorization_endpoint"])
        mark = "&" if "?" in endpoint else "?"
        return Started(f"{endpoint}{mark}{urlencode(asked)}", Secret(key))

    def finish(
        self, query: Mapping[str, str], cookie: Secret | None, *, address: str = ""
    ) -> tuple["NewSession", str]:
        """Begin a session of whoever comes back from the provider; return it with the page to show.

        Args:
            query: Parameters of the redirect.
            cookie: What the browser kept.
            address: Network address of the browser.

        Raises:
            SignInError: If the answer is not to this browser's request, the provider refused, or
                nobody here is the person.
            RateLimitError: After too many failures from the address.
            ServingError: If the provider does not answer.
        """
        key, path = _require_own(query, cookie)
        self._require_issuer(query)
        if "error" in query or not 0 < len(query.get("code", "")) <= _LONGEST_CODE:
            reason = query.get("error", "no code")[:100]
            raise SignInError(
                what=f"{self.settings.label} has not signed you in ({reason}).", fix="Try again."
            )

        def claims() -> dict[str, Any]:
            return self._claims(key, query["code"])

        return begin_session(claims, self.settings, address=address, store=self._store), path

    def sign_out_url(self) -> str | None:
        """Return where the provider ends its own session; None if it offers no such page.

        Raises:
            ServingError: If the provider cannot be reached.
        """
        endpoint = self._provider.metadata.get("end_session_endpoint")
        if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
            return None
        asked = {
            "client_id": self.settings.client_id,
            "post_logout_redirect_uri": f"{self.settings.url}/sign-in",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def end_sessions(self, token: str) -> None:
        """End the sessions that a logout token of the provider names, at once.

        Args:
            token: The token.

        Raises:
            SignInError: If the token is none of the provider's for this server, or came before.
            ServingError: If the provider's keys cannot be fetched.
        """
        claims = read_logout_token(
            token,
            keys=lambda again: self._provider.keys(again=again),
            settings=self.settings,
            offered=self._provider.metadata.get("id_token_signing_alg_values_supported"),
        )
        end_sessions(claims, self.settings, store=self._store)

    def _claims(self, key: str, code: str) -> dict[str, Any]:
        tokens = self._provider.exchange(code, _derive(key, "verifier"))
        claims = read_id_token(
            tokens["id_token"],
            nonce=_derive(key, "nonce"),
            keys=lambda again: self._provider.keys(again=again),
            settings=self.settings,
            offered=self._provider.metadata.get("id_token_signing_alg_values_supported"),
        )
        wants_more = self.settings.roles and not has_claim(claims, self.settings.groups_claim)
        if wants_more and isinstance(tokens.get("access_token"), str):
            more = self._provider.user_info(tokens["access_token"])
            if more.get("sub") == claims["sub"]:  # of another person it must not count
                return {**more, **claims}
        return claims

    def _require_issuer(self, query: Mapping[str, str]) -> None:
        """Check who answers, where the provider says so (RFC 9207): another one's code is refused."""
        named = query.get("iss")
        promised = self._provider.metadata.get("authorization_response_iss_parameter_supported")
        if named == self.settings.issuer or (named is None and promised is not True):
            return
        raise SignInError(
            what=f"The answer is from {str(named)[:200]!r}, and not from {self.settings.issuer}.",
            why="Another provider could have sent it.",
            fix="Sign in again.",
        )


def _require_own(query: Mapping[str, str], cookie: Secret | None) -> tuple[str, str]:
    """Return the key and the page of the request that this browser began.

    Raises:
        SignInError: If it began none, another one, or too long ago.
    """
    text = "" if cookie is None else cookie.reveal()
    _, _, rest = text.partition(".")
    begun, mark, path = rest.partition(".")
    is_own = hmac.compare_digest(
        _derive(text, "state").encode(), query.get("state", "").encode("utf-8", "replace")
    )
    is_time = begun.isascii() and begun.isdecimal() and len(begun) < 15  # noqa: PLR2004 - seconds
    if not (mark and is_own and is_time and 0 <= time.time() - int(begun) + 1 <= WAITS_S):
        raise SignInError(
            what="This sign-in was not begun in this browser, or more than ten minutes ago.",
            why="Somebody else could have sent you the link, to sign you in as themselves.",
            fix="Sign in again, in one window.",
        )
    return text, _decode(path)


def _derive(key: str, purpose: str) -> str:
    """Return what stands for a purpose; it says nothing of the key, nor of the other purposes."""
    return _base64(hmac.new(key.encode("utf-8", "replace"), purpose.encode(), sha256).digest())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _encode(text: str) -> str:
    return _base64(text.encode("utf-8", "replace"))


def _decode(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return ""
