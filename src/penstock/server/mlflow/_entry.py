"""The entry points that MLflow loads while it is itself being imported: they import nothing of it yet."""

import importlib
from typing import Any

_PLUGIN = "penstock.server.mlflow._plugin"


def tracking_store(store_uri: str | None = None, artifact_uri: str | None = None) -> Any:
    """Return MLflow's tracking store for ``penstock:`` URIs."""
    return _plugin().PenstockTrackingStore(store_uri, artifact_uri)


def registry_store(store_uri: str | None = None, tracking_uri: str | None = None) -> Any:
    """Return MLflow's model registry for ``penstock:`` URIs."""
    return _plugin().PenstockRegistryStore(store_uri, tracking_uri)


def artifact_repository(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> Any:
    """Return MLflow's view of the artifacts under a ``penstock:`` URI."""
    return _plugin().PenstockArtifactRepository(artifact_uri, tracking_uri, registry_uri)


def _plugin() -> Any:
    return importlib.import_module(_PLUGIN)
