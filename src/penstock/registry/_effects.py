"""Effects of a refused version on deployments: rollouts end in the transaction of the refusal."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeGuard

from penstock.core import (
    ConflictError,
    DeploymentEvent,
    DeploymentRecord,
    ModelVersionRecord,
    RolloutRecord,
    RolloutState,
    Stage,
)


def end_rollouts(
    deployments: Iterable[DeploymentRecord],
    version: ModelVersionRecord,
    *,
    production: int | None,
    reason: str,
    at: datetime,
) -> list[tuple[DeploymentRecord, DeploymentEvent]]:
    """Return the next generations of the deployments that roll a version out, without that version.

    Args:
        deployments: All deployments.
        version: The version that may answer no more requests.
        production: The production version, which takes the traffic.
        reason: Why, as a sentence.
        at: Time of the change.
    """
    ended = []
    for record in deployments:
        rollout = record.rollout
        if record.model != version.model or not _rolls_out(rollout, version.version):
            continue
        # The refused version may itself be the production version.
        back_to = record.control if production in {None, version.version} else production
        assert back_to is not None
        message = f"{reason.rstrip('. ')}. Version {back_to} answers all requests."
        facts = {"version": version.version, "percent": rollout.percent}
        ended.append(
            (
                replace(
                    record,
                    weights={back_to: 1.0},
                    control=back_to,
                    rollout=replace(rollout, state=RolloutState.ROLLED_BACK, reason=reason),
                    updated_at=at,
                ),
                DeploymentEvent(record.name, "rolled_back", message, at, facts),
            )
        )
    return ended


def require_unserved(version: ModelVersionRecord, deployments: Iterable[DeploymentRecord]) -> None:
    """Check that no deployment answers with a production version that is to be archived.

    Raises:
        ConflictError: If a deployment does: the history would have no version in production while
            requests are still answered.
    """
    if version.stage is not Stage.PRODUCTION:
        return
    names = [record.name for record in deployments if record.model == version.model]
    if names:
        raise ConflictError(
            what=f"{version.ref} is in production, and the deployment {names[0]!r} serves it.",
            why="Archiving it would leave its users without an answer.",
            fix=f"Promote a different version first: penstock promote {version.model}@VERSION",
            deployments=names,
        )


def _rolls_out(rollout: RolloutRecord | None, version: int) -> TypeGuard[RolloutRecord]:
    return rollout is not None and rollout.version == version and rollout.is_open
