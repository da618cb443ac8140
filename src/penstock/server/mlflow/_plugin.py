"""MLflow's plug-in: ``mlflow.set_tracking_uri("penstock:")`` works on a store, without a server.

Only MLflow imports this module, by the entry points of the package.
"""

import json
import os
from pathlib import Path
from typing import Any

from mlflow.entities import FileInfo
from mlflow.exceptions import RestException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.model_registry.rest_store import RestStore as RegistryRestStore
from mlflow.store.tracking.rest_store import RestStore as TrackingRestStore
from mlflow.tracking import get_tracking_uri
from mlflow.utils.proto_json_utils import parse_dict
from mlflow.utils.rest_utils import MlflowHostCreds

from penstock.core import PenstockError
from penstock.server.mlflow import _artifacts, _traces
from penstock.server.mlflow._errors import explain
from penstock.server.mlflow._fields import Fields
from penstock.server.mlflow._local import SCHEME, answer, local_desk
from penstock.server.mlflow._otlp import read_span


class PenstockTrackingStore(TrackingRestStore):  # type: ignore[misc] # MLflow's class has no types here
    """MLflow's tracking store on a penstock store.

    Args:
        store_uri: ``penstock:`` or ``penstock:`` and a store's URL.
        artifact_uri: Not used: artifacts are in the store.
    """

    def __init__(self, store_uri: str | None = None, artifact_uri: str | None = None) -> None:
        del artifact_uri
        super().__init__(lambda: MlflowHostCreds(SCHEME))
        self._desk = local_desk(store_uri)

    def _call_endpoint(
        self,
        api: Any,
        json_body: str | None = None,
        endpoint: str | None = None,
        retry_timeout_seconds: float | None = None,
        response_proto: Any = None,
    ) -> Any:
        del retry_timeout_seconds
        methods = self._V3_METHOD_TO_INFO if api in self._V3_APIS else self._METHOD_TO_INFO
        path, method = methods[api]
        found = _call(self._desk, method, endpoint or path, json_body)
        return _parsed(found, response_proto or api.Response())

    def log_spans(self, location: str, spans: list[Any], tracking_uri: str | None = None) -> Any:
        """Record spans, in the form in which they would be sent."""
        del tracking_uri
        sent = [read_span(span.to_otel_proto().SerializeToString()) for span in spans]
        _told(_traces.log_spans, self._desk, location, sent)
        return spans


class PenstockRegistryStore(RegistryRestStore):  # type: ignore[misc] # MLflow's class has no types here
    """MLflow's model registry on a penstock store.

    Args:
        store_uri: ``penstock:`` or ``penstock:`` and a store's URL.
        tracking_uri: Not used: runs are in the same store.
    """

    def __init__(self, store_uri: str | None = None, tracking_uri: str | None = None) -> None:
        del tracking_uri
        super().__init__(lambda: MlflowHostCreds(SCHEME))
        self._desk = local_desk(store_uri)

    def _call_endpoint(
        self,
        api: Any,
        json_body: str | None,
        call_all_endpoints: bool = False,
        extra_headers: Any = None,
    ) -> Any:
        del extra_headers, call_all_endpoints
        path, method = self._get_endpoint_from_method(api)
        found = _call(self._desk, method, path, json_body)
        return _parsed(found, self._get_response_from_method(api))


class PenstockArtifactRepository(ArtifactRepository):  # type: ignore[misc] # MLflow's class has no types here
    """Artifacts of a penstock store, as MLflow's clients read and write them.

    Args:
        artifact_uri: ``penstock:/`` and the path of a run's or model's artifacts.
        tracking_uri: Names the store; by default MLflow's present tracking URI.
        registry_uri: Names the store where the tracking URI does not.
    """

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        named = [uri for uri in (tracking_uri, get_tracking_uri(), registry_uri) if uri]
        store = next((uri for uri in named if uri.startswith(f"{SCHEME}:")), f"{SCHEME}:")
        self._desk = local_desk(store)
        self._root = artifact_uri.removeprefix(f"{SCHEME}:").strip("/")

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Store a file."""
        place = self._place(artifact_path, Path(local_file).name)
        _told(_artifacts.write_proxied, self._desk, place, Path(local_file))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Store a folder's files."""
        for folder, _, names in os.walk(local_dir):
            within = Path(folder).relative_to(local_dir).as_posix().removeprefix(".")
            for name in names:
                place = self._place(artifact_path, within, name)
                _told(_artifacts.write_proxied, self._desk, place, Path(folder) / name)

    def list_artifacts(self, path: str | None = None) -> list[Any]:
        """List a folder."""
        fields = Fields({"path": self._place(path)})
        found = _told(_artifacts.list_proxied, self._desk, fields).get("files", [])
        start = f"{path.strip('/')}/" if path else ""
        return [
            FileInfo(start + each["path"], each["is_dir"], each.get("file_size")) for each in found
        ]

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Remove a file or a folder."""
        _told(_artifacts.delete_proxied, self._desk, self._place(artifact_path))

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        found = _told(_artifacts.read_proxied, self._desk, self._place(remote_file_path))
        with Path(local_path).open("wb") as file:
            file.writelines(found.parts)

    def _place(self, *parts: str | None) -> str:
        return "/".join([self._root, *(part.strip("/") for part in parts if part)])


def _call(desk: Any, method: str, path: str, body: str | None) -> dict[str, Any]:
    return dict(_told(answer, desk, method, path, json.loads(body) if body else {}))


def _told(operation: Any, *values: Any) -> Any:
    """Call an operation; an error becomes MLflow's."""
    try:
        return operation(*values)
    except PenstockError as error:
        code, message = explain(error)
        raise RestException({"error_code": code, "message": message}) from error


def _parsed(document: dict[str, Any], response: Any) -> Any:
    parse_dict(document, response)
    return response
