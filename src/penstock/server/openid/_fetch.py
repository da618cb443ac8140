"""Requests to an OpenID provider: encrypted, without redirects, and with an end.

The issuer is named by whoever starts the server, and may be inside the network. The addresses in its
discovery document are named by the provider: outside the issuer's own host they are checked as the
addresses of hooks are, so that no document leads into the network around the server.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError, ServingError, tls_context
from penstock.hooks import find_destination
from penstock.server.openid._settings import OpenIdSettings, require_encrypted

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 10.0
_LONGEST_S = 20.0
_MOST_BYTES = 1 << 20


class Fetcher:
    """Sends requests to a provider.

    Threads: any number at once.

    Args:
        settings: The provider.
    """

    def __init__(self, settings: OpenIdSettings) -> None:
        self._settings = settings
        self._client: httpx.Client | None = None

    def send(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Send a request; return the status and the body.

        Args:
            method: GET or POST.
            url: Address of the provider.
            data: Fields of a form.
            headers: Further headers.
            auth: Name and password for HTTP Basic.

        Raises:
            ServingError: If the provider cannot be reached, or must not be.
        """
        import httpx

        try:
            place, more, extensions = self._place(url)
            request = self._http().build_request(
                method,
                place,
                data=data,
                headers={"accept": "application/json", **(headers or {}), **more},
                extensions=extensions,
            )
            answer = self._http().send(request, stream=True, auth=auth)
            try:
                return answer.status_code, _read(answer)
            finally:
                answer.close()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self.unreachable(url, str(error) or type(error).__name__) from error
        except ParameterError as error:
            raise self.unreachable(url, f"{error.what} {error.fix}") from error

    def unreachable(self, url: str, reason: str) -> ServingError:
        """Return the error for an address of the provider that gives no usable answer."""
        return ServingError(
            what=f"{self._settings.label} cannot be asked: {url[:200]} ({reason[:300].rstrip('.')}).",
            why="Nobody can sign in with it until then; sessions and tokens of this server go on.",
            fix="Try again later, or sign in with a name and a password."
            if self._settings.local
            else "Try again later.",
        )

    def _place(self, url: str) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Return where to connect, with the headers and the certificate's name that it needs."""
        require_encrypted(url.partition("?")[0], "address of the provider")
        if self._settings.is_issuers_host(url):
            return url, {}, {}
        found = find_destination(url)
        return found.url, {"host": found.host}, {"sni_hostname": found.name}

    def _http(self) -> "httpx.Client":
        import httpx

        if self._client is None:
            # Neither redirects nor proxies: both would connect to an address that nobody has checked.
            self._client = httpx.Client(
                timeout=_TIMEOUT_S,
                follow_redirects=False,
                trust_env=False,
                verify=tls_context(),
            )
        return self._client


def _read(answer: "httpx.Response") -> bytes:
    until, parts, size = time.monotonic() + _LONGEST_S, [], 0
    for part in answer.iter_bytes():
        size += len(part)
        if size > _MOST_BYTES or time.monotonic() > until:
            raise OSError("the answer is larger than 1 MiB or takes longer than 20 s")
        parts.append(part)
    return b"".join(parts)
