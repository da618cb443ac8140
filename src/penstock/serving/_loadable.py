"""Check before traffic moves: a version that no model server can load gets none."""

from penstock.core import ModelVersionRecord, SerializationError
from penstock.models import require_allowed, require_no_files
from penstock.stores import Store


def require_loadable(version: ModelVersionRecord, *, store: Store) -> None:
    """Check that a model server may load a version; nothing is loaded here.

    Args:
        version: The version that is to answer requests.
        store: The store of the model.

    Raises:
        SerializationError: If the version's artifact is no model of a form that is loaded here.
    """
    artifact = store.metadata.artifacts.get(version.artifact, version.content_digest)
    if not version.signature:
        require_no_files(artifact, store=store)
    try:
        require_allowed(artifact, store=store)
    except SerializationError as error:
        if version.signature:
            raise
        # Without a signature it was registered by MLflow's client, as files of whatever form.
        source = f"models:/{version.model}/{version.version}"
        raise SerializationError(
            what=f"{version.ref} was registered by an MLflow client: its files are stored, and no"
            " model server of penstock loads them.",
            why="A model folder of MLflow may hold a pickle, which can run any code, and does not"
            " say which columns it needs.",
            fix="Load it where you trust it and register what was loaded, with rows like those it"
            f" was trained on: penstock.registry.Registry().register({version.model!r},"
            f" penstock.models.Model.of(mlflow.sklearn.load_model({source!r}), rows)).",
        ) from error
