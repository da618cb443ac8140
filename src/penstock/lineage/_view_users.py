"""Model versions that use a feature view; known by their signatures."""

from penstock.core import ModelVersionRecord
from penstock.stores import Store, open_store


def list_view_users(view: str, *, store: Store | str | None = None) -> list[ModelVersionRecord]:
    """List the model versions with inputs from a feature view, the newest of each model first.

    Args:
        view: Name of the view.
        store: Store of the models; by default the project's.
    """
    metadata = open_store(store).metadata
    return [
        version
        for model in metadata.models.list()
        for version in sorted(metadata.models.list_versions(model), key=lambda v: -v.version)
        if any(
            each["view"]["name"] == view
            for part in ("views", "on_demand")
            for each in (version.signature.get("features") or {}).get(part, ())
        )
    ]
