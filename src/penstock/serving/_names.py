"""served_names: what a server is asked to serve, as names of deployments."""

from collections.abc import Sequence

from penstock.core import ConflictError
from penstock.registry import Registry, parse_ref
from penstock.stores import Store


def served_names(names: Sequence[str] | None, *, store: Store) -> list[str] | None:
    """Return the deployments that are meant; a version stands for its model's deployment.

    Args:
        names: Deployments, models, ``churn@champion``, or MLflow's ``models:/churn@champion``; None
            for all.
        store: The store.

    Raises:
        ConflictError: If a version is named to which no traffic goes.
        NotFoundError: If there is no such version.
        ParameterError: If a text names no version.
    """
    return None if names is None else [_name_of(each, store) for each in names]


def _name_of(text: str, store: Store) -> str:
    if "@" not in text and ":" not in text:
        return text
    model, wanted = parse_ref(text)
    if wanted is None:
        return model
    version = Registry(store=store).get(model, wanted)
    deployed = {each.name: each for each in store.metadata.deployments.list()}.get(model)
    numbers = deployed.weights if deployed is not None and deployed.model == model else ()
    if version.stage.value == "production" or version.version in numbers:
        return model
    raise ConflictError(
        what=f"{version.ref} is in {version.stage.value}, and no traffic goes to it.",
        why="A server answers with the version that its gates let into production, or with a canary.",
        fix=f"Promote it: penstock promote {version.ref}; or beside the version in production:"
        f" penstock deploy {version.ref} --canary 5,100",
        version=version.ref,
    )
