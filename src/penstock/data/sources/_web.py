"""A file on the web: fetched as the server names its state, by ETag or time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from penstock.core import DataError, NotFoundError, PenstockError
from penstock.data.sources._located import SourceFile
from penstock.data.sources._references import hidden_in_logs, require_no_secrets, resolve_url

if TYPE_CHECKING:
    import httpx

WEB_SCHEMES = frozenset({"https", "http"})
_TIMEOUT = 30.0
_MISSING = frozenset({404, 410})
_STALE = 412
_SETTLED = timedelta(minutes=1)


class WebFile:
    """The file of a URL.

    Args:
        url: ``https://host/path``; a secret in it is referred to as ``${NAME}``.

    Raises:
        ParameterError: If the URL holds a secret.
    """

    def __init__(self, url: str) -> None:
        require_no_secrets("FileSource", url)
        self._url = url

    def find(self) -> list[SourceFile]:
        """Ask the server for the file's state."""
        with self._client() as client, self._get(client, {}) as answer:
            return [SourceFile(self._url, _name(self._url), _state(answer))]

    def fetch(self, files: Sequence[SourceFile], folder: Path) -> list[SourceFile]:
        """Fetch the file in the state in which it was listed or recorded."""
        [file] = files
        headers = {"If-Match": file.state["etag"]} if "etag" in file.state else {}
        place = folder / file.name
        with self._client() as client, self._get(client, headers) as answer:
            state = _state(answer)
            # Servers that ignore If-Match answer with what they have.
            if any(state.get(name) != value for name, value in file.state.items()):
                raise self._changed()
            with place.open("wb") as target:
                for chunk in answer.iter_bytes():
                    target.write(chunk)
        return [file.at(place, state)]

    def _client(self) -> "httpx.Client":
        import httpx

        return httpx.Client(timeout=_TIMEOUT, follow_redirects=True)

    @contextmanager
    def _get(
        self, client: "httpx.Client", headers: Mapping[str, str]
    ) -> "Iterator[httpx.Response]":
        import httpx

        # Packed on the way, an answer has a weaker ETag.
        headers = {"Accept-Encoding": "identity", **headers}
        try:
            with (
                hidden_in_logs(self._url),
                client.stream("GET", resolve_url(self._url), headers=headers) as answer,
            ):
                if not answer.is_success:
                    raise self._refused(answer.status_code)
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from None  # the context shows the resolved URL

    def _refused(self, status: int) -> PenstockError:
        """Return the error of an answer without the file."""
        if status in _MISSING:
            return NotFoundError(
                what=f"There is no file {self._url} (status {status}).",
                fix="Check the address.",
                url=self._url,
            )
        if status == _STALE:
            return DataError(
                what=f"{self._url} changed while it was read.", fix="Run again.", url=self._url
            )
        return DataError(
            what=f"{self._url} answered with status {status}.",
            fix="Check the address, and whether it can be read without signing in.",
            url=self._url,
        )

    def _unreachable(self, error: Exception) -> DataError:
        """Return the error of a server that does not answer."""
        return DataError(
            what=f"{self._url} cannot be read ({type(error).__name__}).",
            why="The server does not answer, or the connection broke.",
            fix="Check the address and the network, and run again.",
            url=self._url,
        )

    def _changed(self) -> DataError:
        return DataError(
            what=f"{self._url} changed since it was listed or recorded.",
            why="Other rows would be read than those that were listed or recorded.",
            fix="Run again for the rows of now; the rows of an earlier run are in its snapshot.",
            url=self._url,
        )


def _state(answer: "httpx.Response") -> dict[str, Any]:
    """Return what tells the file's state; empty where the server does not."""
    etag, modified = answer.headers.get("etag"), answer.headers.get("last-modified")
    if etag and not etag.startswith("W/"):
        return {"etag": etag}
    try:
        age = parsedate_to_datetime(answer.headers["date"]) - parsedate_to_datetime(modified or "")
    except (KeyError, TypeError, ValueError):
        return {}
    # A younger time could hide a second change within the same second (RFC 9110, 8.8.2.2).
    if age < _SETTLED:
        return {}
    return {"modified": modified, "size": answer.headers.get("content-length")}


def _name(url: str) -> str:
    return PurePosixPath(unquote(urlsplit(url).path)).name or "file"
