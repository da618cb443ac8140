"""Provider: the discovery document and the keys of an OpenID provider, and its two endpoints."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from penstock.core import PenstockError, ServingError, SignInError
from penstock.server.openid._fetch import Fetcher
from penstock.server.openid._settings import OpenIdSettings, require_encrypted

_DISCOVERY = "/.well-known/openid-configuration"
_FRESH_S = 3600.0
_AGAIN_S = 30.0  # after a failure, and between two looks for an unknown key
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OK = 200


class Provider:
    """What a provider publishes, remembered for an hour.

    Threads: any number at once; one of them fetches.

    Args:
        settings: The provider.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self, settings: OpenIdSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._clock = settings, clock
        self._fetcher = Fetcher(settings)
        self._metadata = _Remembered(self._fetch_metadata, clock)
        self._keys = _Remembered(self._fetch_keys, clock)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The discovery document.

        Raises:
            ServingError: If it cannot be fetched, or is not this issuer's.
        """
        found: Mapping[str, Any] = self._metadata.get()
        return found

    def keys(self, *, again: bool = False) -> list[dict[str, Any]]:
        """Return the public keys, as JSON Web Keys.

        Args:
            again: Fetch them anew, for a token signed with a key that is not among them; at most
                every half minute, so that forged tokens send no requests.

        Raises:
            ServingError: If they cannot be fetched.
        """
        found: list[dict[str, Any]] = self._keys.get(again=again)
        return found

    def exchange(self, code: str, verifier: str) -> Mapping[str, Any]:
        """Return the tokens for a code, which the provider gives once.

        Raises:
            SignInError: If the provider refuses the code.
            ServingError: If the provider does not answer.
        """
        settings = self._settings
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.redirect_uri,
            "code_verifier": verifier,
        }
        auth = None
        methods = self.metadata.get("token_endpoint_auth_methods_supported")
        if settings.client_secret is None:
            data["client_id"] = settings.client_id
        elif isinstance(methods, list) and "client_secret_basic" not in methods:
            data |= {
                "client_id": settings.client_id,
                "client_secret": settings.client_secret.reveal(),
            }
        else:  # both parts are encoded as in a form before (RFC 6749, 2.3.1)
            auth = (
                quote(settings.client_id, safe=""),
                quote(settings.client_secret.reveal(), safe=""),
            )
        url = str(self.metadata["token_endpoint"])
        status, body = self._fetcher.send("POST", url, data=data, auth=auth)
        answer = _read_object(body)
        if status != _OK or answer is None or not isinstance(answer.get("id_token"), str):
            refused = str((answer or {}).get("error", f"status {status}"))[:100]
            raise SignInError(
                what=f"{settings.label} gave no ID token ({refused}).",
                why="A code counts once and for a short time, and for the client that asked.",
                fix="Sign in again; if it happens always, compare client id, secret and redirect URI"
                " with what the provider has registered.",
            )
        return answer

    def user_info(self, access_token: str) -> Mapping[str, Any]:
        """Return the claims of the user info endpoint; none where there is no such endpoint."""
        url = self.metadata.get("userinfo_endpoint")
        if not isinstance(url, str):
            return {}
        headers = {"authorization": f"Bearer {access_token}"}
        status, body = self._fetcher.send("GET", url, headers=headers)
        return (_read_object(body) or {}) if status == _OK else {}

    def _fetch_metadata(self) -> Mapping[str, Any]:
        settings = self._settings
        url = settings.issuer.rstrip("/") + _DISCOVERY
        document = self._document(url)
        if document.get("issuer") != settings.issuer:
            raise self._fetcher.unreachable(
                url, f"its issuer is {str(document.get('issuer'))[:200]!r}, not {settings.issuer!r}"
            )
        for name in _ENDPOINTS:
            endpoint = document.get(name)
            if not isinstance(endpoint, str):
                raise self._fetcher.unreachable(url, f"it has no {name}")
            require_encrypted(endpoint.partition("?")[0], name)
        methods = document.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise self._fetcher.unreachable(url, "it knows no PKCE with S256")
        return document

    def _fetch_keys(self) -> list[dict[str, Any]]:
        url = str(self.metadata["jwks_uri"])
        keys = self._document(url).get("keys")
        if not isinstance(keys, list):
            raise self._fetcher.unreachable(url, "it has no keys")
        return [key for key in keys if isinstance(key, dict)]

    def _document(self, url: str) -> Mapping[str, Any]:
        status, body = self._fetcher.send("GET", url)
        document = _read_object(body)
        if status != _OK or document is None:
            raise self._fetcher.unreachable(url, f"status {status}, and no JSON object")
        return document


class _Remembered:
    """A value that is fetched at most once an hour; a failure is remembered for half a minute."""

    def __init__(self, fetch: Callable[[], Any], clock: Callable[[], float]) -> None:
        self._fetch, self._clock = fetch, clock
        self._lock = threading.Lock()
        self._value: Any = None
        self._fetched_at = self._failed_at = float("-inf")
        self._error: PenstockError | None = None

    def get(self, *, again: bool = False) -> Any:
        with self._lock:
            at = self._clock()
            age = at - self._fetched_at
            if self._value is not None and age < (_AGAIN_S if again else _FRESH_S):
                return self._value
            if self._error is not None and at - self._failed_at < _AGAIN_S:
                return self._known_or(self._error)
            try:
                self._value, self._error = self._fetch(), None
                self._fetched_at = self._clock()
            except PenstockError as error:
                self._error, self._failed_at = error, self._clock()
                return self._known_or(error)
            return self._value

    def _known_or(self, error: PenstockError) -> Any:
        """Return what was known before, since a provider that is away has not changed its keys."""
        if self._value is None:
            raise ServingError(what=error.what, why=error.why, fix=error.fix) from error
        return self._value


def _read_object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
