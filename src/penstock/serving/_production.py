"""The version in production; apart because deploying, following and rolling out all need the rule."""

from penstock.core import NotFoundError, Stage, did_you_mean
from penstock.stores import Store


def production_version(model: str, *, store: Store) -> int | None:
    """Return the number of the model's production version; None if there is none.

    Args:
        model: The model's name.
        store: The store of the registry.
    """
    for record in store.metadata.models.list_versions(model):
        if record.stage is Stage.PRODUCTION:
            return record.version
    return None


def require_model(store: Store, model: str) -> None:
    """Check that the model has a version.

    Raises:
        NotFoundError: If the model has no version.
    """
    known = store.metadata.models.list()
    if model not in known:
        raise NotFoundError(
            what=f"There is no model {model!r} in {store.url}.",
            why="Only registered models can be deployed.",
            fix=did_you_mean(model, known) or "Run a pipeline with a register step first.",
            name=model,
        )
