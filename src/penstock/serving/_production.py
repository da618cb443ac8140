"""Which version is in production; apart because deploying, following and rolling out all ask."""

from penstock.core import NotFoundError, Stage, did_you_mean
from penstock.stores import Store


def production_version(store: Store, model: str) -> int | None:
    """Give the number of the model's production version; None if it has none.

    Args:
        store: Where the registry is.
        model: The model's name.
    """
    for record in store.metadata.models.list_versions(model):
        if record.stage is Stage.PRODUCTION:
            return record.version
    return None


def require_model(store: Store, model: str) -> None:
    """Check that the model has at least one version.

    Raises:
        NotFoundError: If it has none.
    """
    known = store.metadata.models.list()
    if model not in known:
        raise NotFoundError(
            what=f"There is no model {model!r} in {store.url}.",
            why="Only registered models can be deployed.",
            fix=did_you_mean(model, known) or "Run a pipeline with a register step first.",
            name=model,
        )
