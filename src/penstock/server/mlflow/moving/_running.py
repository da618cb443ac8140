"""A running server of MLflow's, read by its protocol."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from penstock.core import NotFoundError, StoreError, tls_context
from penstock.server.mlflow.moving._source import Entry, Fetch, ListedFile, local_folder, walk

_V2, _PROXY = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
_PAGE = 1000
_TIMEOUT_S = 120.0


class Protocol:
    """Calls of MLflow's protocol to a server.

    Where the server asks who calls, MLflow's own variables tell: MLFLOW_TRACKING_USERNAME with
    MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.

    Args:
        url: The server; a name and a password in the URL are sent, and kept nowhere.
    """

    def __init__(self, url: str) -> None:
        place = httpx.URL(url.rstrip("/"))
        self.url = str(place.copy_with(username=None, password=None)).rstrip("/")
        user, password = place.username, place.password
        if not user:
            user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
            password = os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
        token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
        is_named = bool(user and password)
        self._http = httpx.Client(
            base_url=self.url,
            timeout=_TIMEOUT_S,
            verify=tls_context(self.url),
            auth=httpx.BasicAuth(user, password) if is_named else None,
            headers={"Authorization": f"Bearer {token}"} if token and not is_named else None,
        )

    def get(self, path: str, **query: Any) -> Entry:
        """Call with a query."""
        return self._answer(self._http.build_request("GET", _V2 + path, params=query))

    def post(self, path: str, **body: Any) -> Entry:
        """Call with a body."""
        return self._answer(self._http.build_request("POST", _V2 + path, json=body))

    def pages(self, path: str, entry: str, **body: Any) -> Iterator[Entry]:
        """Yield all rows of a search."""
        token = ""
        while True:
            found = self.post(path, page_token=token, **body) if token else self.post(path, **body)
            yield from found.get(entry, [])
            token = found.get("next_page_token", "")
            if not token:
                return

    def pages_by_query(self, path: str, entry: str, **query: Any) -> Iterator[Entry]:
        """Yield all rows of a call with a query."""
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            found = self.get(path, **query, **more)
            yield from found.get(entry, [])
            token = found.get("next_page_token", "")
            if not token:
                return

    def folder(self, path: str) -> list[Entry]:
        """List a folder of artifacts."""
        request = self._http.build_request("GET", _PROXY, params={"path": path})
        return list(self._answer(request).get("files", []))

    def fetch(self, path: str, target: Path) -> None:
        """Read a file of artifacts."""
        with (
            self._http.stream("GET", f"{_PROXY}/{quote(path)}") as answer,
            target.open("wb") as file,
        ):
            answer.raise_for_status()
            for part in answer.iter_bytes():
                file.write(part)

    def write(self, path: str, parts: Iterator[bytes]) -> None:
        """Write a file of artifacts."""
        request = self._http.build_request("PUT", f"{_PROXY}/{quote(path)}", content=parts)
        self._answer(request)

    def _answer(self, request: httpx.Request) -> Entry:
        try:
            answer = self._http.send(request)
        except httpx.HTTPError as error:
            raise StoreError(
                what=f"The MLflow server {self.url} does not answer ({error}).",
                fix="Start it, and go on: what was done is not done again.",
                url=self.url,
            ) from error
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise StoreError(
                what=f"The MLflow server {self.url} does not let you in ({answer.status_code}).",
                fix="Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
                url=self.url,
            )
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFoundError(
                what=f"{self.url} has no such thing: {answer.text[:300]}",
                fix="See what it has: open it in a browser.",
            )
        if answer.status_code != httpx.codes.OK:
            raise StoreError(
                what=f"The MLflow server {self.url} refuses {request.url.path}"
                f" ({answer.status_code}): {answer.text[:300]}",
                fix="Correct it there, and go on: what was done is not done again.",
                url=self.url,
            )
        return dict(answer.json()) if answer.content else {}


class ServerSource:
    """MlflowSource of a running server.

    Args:
        url: The server.
        artifacts: Folder of the server's artifacts, where they are not behind the server.
    """

    def __init__(self, url: str, artifacts: Path | None) -> None:
        self._protocol, self._artifacts = Protocol(url), artifacts

    @property
    def name(self) -> str:
        """See MlflowSource."""
        return self._protocol.url

    def experiments(self) -> Iterator[Entry]:
        """See MlflowSource."""
        return self._protocol.pages(
            "/experiments/search", "experiments", max_results=_PAGE, view_type="ALL"
        )

    def runs(self, experiment_id: str) -> Iterator[Entry]:
        """See MlflowSource."""
        return self._protocol.pages(
            "/runs/search",
            "runs",
            experiment_ids=[experiment_id],
            max_results=_PAGE,
            run_view_type="ALL",
            order_by=["attributes.start_time ASC"],
        )

    def history(self, run_id: str, key: str) -> Sequence[tuple[int, int, float]]:
        """See MlflowSource."""
        points = self._protocol.pages_by_query(
            "/metrics/get-history", "metrics", run_id=run_id, metric_key=key, max_results=25_000
        )
        return [(p["timestamp"], p.get("step", 0), float(p["value"])) for p in points]

    def logged_models(self, experiment_id: str) -> Iterator[Entry]:
        """See MlflowSource."""
        try:
            yield from self._protocol.pages(
                "/logged-models/search", "models", experiment_ids=[experiment_id], max_results=50
            )
        except NotFoundError:  # a server before MLflow 3
            return

    def registered_models(self) -> Iterator[Entry]:
        """See MlflowSource."""
        for found in self._protocol.pages_by_query(
            "/registered-models/search", "registered_models", max_results=100
        ):
            whole = self._protocol.get("/registered-models/get", name=found["name"])
            yield {"description": "", "tags": [], "aliases": [], **whole["registered_model"]}

    def versions(self, name: str) -> Sequence[Entry]:
        """See MlflowSource."""
        quoted = name.replace("'", "''")
        found = self._protocol.pages_by_query(
            "/model-versions/search",
            "model_versions",
            filter=f"name = '{quoted}'",
            max_results=1000,
        )
        return sorted(found, key=lambda version: int(version["version"]))

    def files(self, uri: str) -> Iterator[ListedFile]:
        """See MlflowSource."""
        if not uri.startswith("mlflow-artifacts:") or self._artifacts is not None:
            return walk(local_folder(uri, self._artifacts, Path.cwd()))
        return self._walk(uri.removeprefix("mlflow-artifacts:").lstrip("/"), "")

    def lost(self) -> Sequence[str]:
        """See MlflowSource."""
        return ["traces, assessments, evaluation datasets and webhooks are not read from a server"]

    def _walk(self, root: str, within: str) -> Iterator[ListedFile]:
        for found in self._protocol.folder(f"{root}/{within}".rstrip("/")):
            name = f"{within}/{found['path']}".lstrip("/")
            if found.get("is_dir"):
                yield from self._walk(root, name)
            else:
                size = str(found.get("file_size", ""))
                yield ListedFile(name, size, self._fetcher(f"{root}/{name}"))

    def _fetcher(self, path: str) -> Fetch:
        return lambda target: self._protocol.fetch(path, target)


def read_pairs(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return a list of keys and values as a mapping."""
    return {each["key"]: each.get("value", "") for each in entries}
