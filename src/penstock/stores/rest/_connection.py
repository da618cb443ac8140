"""RestConnection: requests to a penstock server, repeated until one is answered; the only HTTP client.

A request that changes something carries an id, under which the server remembers its answer: when an
answer is lost, the repetition returns it and does nothing a second time.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from penstock.core import ParameterError, StoreError, current_actor, new_id, tls_context
from penstock.stores._forks import Lock, guard, import_whole
from penstock.stores.rest._errors import error_from_json
from penstock.stores.rest._operations import Operation
from penstock.stores.rest._wire import dump_wire

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger("penstock")
ROOT = "/api/v1"
REQUEST_ID = "idempotency-key"
_CONNECT_S, _ANSWER_S = 3.0, 300.0
_PATIENCE_S = 6.0  # a server that is restarted is back after about 2 s
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0
_DOWN_S = 5.0  # for this time a server that did not answer is tried once only
_PASSES = frozenset({429, 502, 503, 504})
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
# Clients inherited through fork: closing them would close the parent's connections.
_inherited: list[Any] = []


class ServerUrl:
    """The address of a penstock server.

    >>> ServerUrl("https://:s3cret@ml.example.org/penstock/").shown
    'https://ml.example.org/penstock'

    Args:
        url: ``http://host:port`` or ``https://host/path``; a token may stand before an @, and is
            PENSTOCK_TOKEN by default.

    Raises:
        ParameterError: If the URL names no host, or its port is no number.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host:
            raise ParameterError(
                what=f"{parts.netloc.rpartition('@')[2]!r} is no address of a penstock server.",
                fix="Write for example http://127.0.0.1:4270",
            )
        self.host = host
        place = f"[{host}]" if ":" in host else host
        place += "" if port is None else f":{port}"
        self.shown = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
        given = parts.password or parts.username
        self.token = unquote(given) if given else os.environ.get("PENSTOCK_TOKEN", "").strip()
        mark = f":{quote(self.token, safe='')}@" if self.token else ""
        self.address = urlunsplit((parts.scheme, mark + place, parts.path.rstrip("/"), "", ""))
        self.is_encrypted = parts.scheme == "https"

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return self.host in _LOCAL


class RestConnection:
    """Requests to a server.

    Threads: any number at once. A forked child opens connections of its own.

    Args:
        url: The server.
    """

    def __init__(self, url: ServerUrl) -> None:
        self.url = url
        self._opening, self._down_until = threading.Lock(), 0.0
        self._client: httpx.Client | None = None
        if url.token and not url.is_encrypted and not url.is_local:
            _log.warning(
                "The token for %s is sent without encryption: use https://, or a tunnel.", url.shown
            )
        guard(self)

    @property
    def patience_s(self) -> float:
        """Seconds for which a request is repeated; 0 while the server is known to be away."""
        return 0.0 if time.monotonic() < self._down_until else _PATIENCE_S

    def give_up(self) -> None:
        """Remember that the server is away."""
        self._down_until = time.monotonic() + _DOWN_S

    def fork_locks(self) -> list[Lock]:
        """Return the lock that a fork waits for; see Guarded."""
        return [self._opening]

    def renew(self) -> None:
        """Release the parent's connections in a forked child."""
        _inherited.append(self._client)
        self._opening, self._client = threading.Lock(), None

    def perform(
        self, operation: Operation, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Perform an operation of the store, and return the result."""
        body = dump_wire(operation.write_arguments(args, kwargs))
        request = {} if operation.rule.only_reads else {REQUEST_ID: new_id()}
        answer = self._page(operation, body, request, 0)
        found = answer["result"]
        while (place := answer.get("next")) is not None:
            answer = self._page(operation, body, request, place)
            found = (
                {**found, **answer["result"]}
                if isinstance(found, dict)
                else found + answer["result"]
            )
        return operation.result.read(found, f"The answer of {operation.noun}.{operation.verb}")

    def _page(
        self, operation: Operation, body: bytes, headers: Mapping[str, str], place: int
    ) -> dict[str, Any]:
        path = operation.path + (f"?from={place}" if place else "")
        answer: dict[str, Any] = self.json("POST", path, headers=headers, content=lambda: body)
        return answer

    def json(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Callable[[], Any] | None = None,
        kind: str = "application/json",
    ) -> Any:
        """Send a request, and again until it is answered; return the JSON answer.

        Args:
            method: HTTP method.
            path: Path below the API's root.
            headers: Further headers.
            content: Function that returns the body, called for every attempt.
            kind: Media type of the body.

        Raises:
            StoreError: If the server does not answer.
            PenstockError: The error that the server answers.
        """
        sent = {**(headers or {}), "content-type": kind}
        response = self._ask(method, path, sent, content)
        try:
            return json.loads(response.content)
        except ValueError as error:
            raise self._no_server(f"{response.status_code}, no JSON") from error

    def download(self, path: str) -> bytes:
        """Return the bytes of an answer."""
        return self._ask("GET", path, {}, None).content

    def chunks(self, path: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of an answer in chunks; if the connection breaks, only the rest again.

        Args:
            path: Path below the API's root; it takes ``start``, the first byte to send.
            size: Bytes of a chunk.

        Raises:
            StoreError: If the server does not answer.
            PenstockError: The error that the server answers.
        """
        import httpx

        received, patience = 0, _Patience(self)
        while True:
            try:
                with closing(self._send("GET", f"{path}?start={received}", {}, None)) as response:
                    self._require_success(response)
                    for chunk in response.iter_bytes(size):
                        received += len(chunk)
                        patience = _Patience(self)
                        yield chunk
                    return
            except (httpx.TransportError, _Passing) as error:
                patience.spend(error, self._trouble(error))

    def close(self) -> None:
        """Close the connections."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], content: Callable[[], Any] | None
    ) -> "httpx.Response":
        """Send a request, and again until it is answered to the last byte; return the answer.

        Raises:
            StoreError: If the server does not answer.
            PenstockError: The error that the server answers.
        """
        import httpx

        patience = _Patience(self)
        while True:
            try:
                with closing(self._send(method, path, headers, content)) as response:
                    response.read()
            except (httpx.TransportError, _Passing) as error:
                patience.spend(error, self._trouble(error))
            else:
                self._down_until = 0.0
                self._require_success(response)
                return response

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], content: Callable[[], Any] | None
    ) -> "httpx.Response":
        client = self._open()
        request = client.build_request(
            method,
            f"{self.url.shown}{ROOT}/{path}",
            # Who acts, as far as anyone can tell here; a server with users knows better.
            headers={**headers, "penstock-actor": quote(current_actor())},
            content=content() if content else None,
        )
        response = client.send(request, stream=True)
        # Something before the server's own handlers may answer, for a moment.
        if response.status_code in _PASSES and "penstock-error" not in response.headers:
            response.close()
            raise _Passing(response.status_code)
        return response

    def _open(self) -> "httpx.Client":
        import_whole("httpx")
        import httpx

        with self._opening:
            if self._client is None:
                token = self.url.token
                self._client = httpx.Client(
                    headers={"authorization": f"Bearer {token}"} if token else {},
                    timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S),
                    limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
                    trust_env=not self.url.is_local,  # no proxy knows this machine
                    follow_redirects=False,  # the token is for this server alone
                    verify=tls_context(self.url.shown),
                )
            return self._client

    def _require_success(self, response: "httpx.Response") -> None:
        if response.is_success:
            return
        try:
            document = json.loads(response.read())["error"]
        except (ValueError, LookupError, TypeError) as error:
            raise self._no_server(f"status {response.status_code}") from error
        raise error_from_json(document)

    def _trouble(self, error: Exception) -> StoreError:
        if isinstance(error, _Passing):
            return self._no_server(str(error))
        return self._away(error)

    def _away(self, error: Exception) -> StoreError:
        return StoreError(
            what=f"The server {self.url.shown} does not answer ({type(error).__name__}: {error}).",
            why="Nothing can be read from this store or recorded in it; logged metrics wait here.",
            fix="Use http://: a penstock server itself speaks no TLS; a proxy before it does."
            if "WRONG_VERSION_NUMBER" in str(error)
            else "Start it with: penstock server; or check the address and the network.",
            url=self.url.shown,
        )

    def _no_server(self, answer: str) -> StoreError:
        return StoreError(
            what=f"{self.url.shown} does not answer as a penstock server does ({answer}).",
            why="Another program answers there, or something between here and the server.",
            fix="Check the address: it is what penstock server prints at its start.",
            url=self.url.shown,
        )


class _Passing(Exception):  # noqa: N818 - no error of the server: it will answer soon
    """A status that says that nothing behind it answers now."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")


class _Patience:
    """How long one request is repeated: from its first trouble, for it may be long on its way."""

    def __init__(self, connection: RestConnection) -> None:
        self._connection, self._wait = connection, _FIRST_WAIT_S
        self._until: float | None = None

    def spend(self, error: Exception, trouble: StoreError) -> None:
        """Wait before the next attempt.

        Raises:
            StoreError: The trouble, if there is no patience left.
        """
        if self._until is None:
            self._until = time.monotonic() + self._connection.patience_s
        if _is_slow(error) or time.monotonic() + self._wait > self._until:
            self._connection.give_up()
            raise trouble from error
        time.sleep(self._wait)
        self._wait = min(2 * self._wait, _LONGEST_WAIT_S)


def _is_slow(error: Exception) -> bool:
    """Return whether the server did not answer for so long that it will not do so next time."""
    import httpx

    return isinstance(error, httpx.ReadTimeout)
