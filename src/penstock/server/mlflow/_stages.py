"""Moves between stages by an MLflow client: they are penstock's moves, with its gates.

To Production goes by promotion: the gates are judged as of now, in a team's store a second person
has approved, and the present production version is archived in the same transaction. An MLflow
client that is refused gets every reason.
"""

from penstock.core import ModelVersionRecord, Permission, Stage
from penstock.registry import Registry
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._errors import CONFLICT, MlflowError, invalid
from penstock.server.mlflow._scope import require_in_project

_STAGES = {
    "none": Stage.NONE,
    "staging": Stage.STAGING,
    "production": Stage.PRODUCTION,
    "archived": Stage.ARCHIVED,
}
_DONE = (Stage.ARCHIVED, Stage.REJECTED)


def read_stage(text: str) -> Stage:
    """Return the stage that a client names, in any case."""
    found = _STAGES.get(text.lower())
    if found is None:
        raise invalid(
            f"Invalid Model Version stage: {text[:100]}. Value must be one of None, Staging, "
            "Production, Archived."
        )
    return found


def move(
    desk: Desk, version: ModelVersionRecord, to: str, *, reason: str, at_least: bool = False
) -> None:
    """Move a version to a stage.

    Args:
        desk: The desk.
        version: The version, as read now.
        to: The stage, in MLflow's words.
        reason: Why, for the history.
        at_least: Whether a version that cannot answer any more is fine as it is.

    Raises:
        MlflowError: If there is no such way.
        GateError: If a gate did not pass or an approval is missing.
        ConflictError: If the move is not allowed.
    """
    stage, registry = read_stage(to), Registry(store=desk.store)
    if version.stage is stage or (at_least and version.stage in _DONE):
        return
    text = f"{reason} (by an MLflow client)"
    match stage:
        case Stage.PRODUCTION:
            require_in_project(Permission.OPERATE, version.model, desk.whole)
            if _was_in_production(registry, version):
                registry.rollback(version.model, to=version.version, reason=text)
            else:
                registry.promote(version.model, version.version, reason=text)
        case Stage.STAGING:
            registry.promote(version.model, version.version, to=stage, reason=text)
        case Stage.ARCHIVED:
            if version.stage is Stage.PRODUCTION:
                require_in_project(Permission.OPERATE, version.model, desk.whole)
            registry.archive(version.model, version.version, reason=text)
        case _:
            raise MlflowError(
                CONFLICT,
                f"{version.ref} is {version.stage.value} and cannot go back to None: "
                "what was decided about a version stays in its history. Archive it instead.",
            )


def _was_in_production(registry: Registry, version: ModelVersionRecord) -> bool:
    return version.stage is Stage.ARCHIVED and any(
        event.version == version.version and event.from_stage is Stage.PRODUCTION
        for event in registry.history(version.model)
    )
