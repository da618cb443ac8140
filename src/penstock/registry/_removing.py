"""Moves that need no gate: out of use by rejection or archive, and to staging."""

from collections.abc import Sequence

from penstock.core import ApprovalRecord, ModelVersionRecord, Stage, now
from penstock.registry._effects import end_rollouts, require_unserved
from penstock.registry._moves import move, require_move
from penstock.registry._moving import Moves, make_moves
from penstock.registry._references import find_version, in_stage
from penstock.stores import MetadataStore


def take_out(
    metadata: MetadataStore,
    model: str,
    version: int,
    to: Stage,
    actor: str,
    reason: str,
    approvals: Sequence[ApprovalRecord] = (),
) -> ModelVersionRecord:
    """Reject or archive a version, and end rollouts of the version in the same transaction.

    Raises:
        ConflictError: If the move is not allowed, or a deployment answers with the version.
    """

    def plan(versions: Sequence[ModelVersionRecord]) -> Moves:
        target, at = find_version(versions, version), now()
        require_move(target, to)
        deployments = metadata.deployments.list()
        require_unserved(target, deployments)
        champion = in_stage(versions, Stage.PRODUCTION)
        ended = end_rollouts(
            deployments,
            target,
            production=champion.version if champion else None,
            reason=f"{target.ref} was {to.value} by {actor}{f': {reason}' if reason else '.'}",
            at=at,
        )
        return Moves([move(target, to, actor, reason, at)], {}, approvals, ended)

    return make_moves(metadata, model, plan)


def move_alone(
    metadata: MetadataStore, model: str, version: int, to: Stage, actor: str, reason: str
) -> ModelVersionRecord:
    """Move a version to a stage that concerns no further version.

    Raises:
        ConflictError: If the move is not allowed.
    """

    def plan(versions: Sequence[ModelVersionRecord]) -> Moves:
        target = find_version(versions, version)
        require_move(target, to)
        return Moves([move(target, to, actor, reason, now())])

    return make_moves(metadata, model, plan)
