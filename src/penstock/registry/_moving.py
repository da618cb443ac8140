"""Execution of planned moves, if the facts of the plan still hold; apart because of the race."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from penstock.core import (
    ApprovalRecord,
    ConflictError,
    DeploymentEvent,
    DeploymentRecord,
    GateResult,
    ModelVersionRecord,
    Stage,
    StageEvent,
)
from penstock.registry._references import in_stage
from penstock.stores import MetadataStore

_ATTEMPTS = 10  # of a move whose versions were changed meanwhile (gate results, an approval)


@dataclass(frozen=True, slots=True)
class Moves:
    """Changes that are made in a single transaction, or not at all.

    Args:
        events: The moves; the version of the last move is returned to the caller.
        gates: Gate results of a moved version at this moment.
        approvals: Approvals given with the move: if the move fails, nothing is approved.
        deployments: Next generations of the deployments affected by the moves.
        forced: Whether gates that did not pass are overruled.
        accepts_changes: Whether callers of the production version may break.
    """

    events: Sequence[StageEvent]
    gates: Mapping[int, Sequence[GateResult]] = field(default_factory=dict)
    approvals: Sequence[ApprovalRecord] = ()
    deployments: Sequence[tuple[DeploymentRecord, DeploymentEvent]] = ()
    forced: bool = False
    accepts_changes: bool = False


def make_moves(
    metadata: MetadataStore,
    model: str,
    plan: Callable[[Sequence[ModelVersionRecord]], Moves],
) -> ModelVersionRecord:
    """Plan moves on the present versions, and make the moves if the versions are unchanged.

    A plan is repeated only if the stages are unchanged (a gate result or note was written
    meanwhile); if a concurrent move came first, that actor decided on facts that the caller did not
    see.

    Args:
        metadata: Store of the versions.
        model: The model's name.
        plan: Returns the moves for the model's versions; the version of the last move is returned.

    Raises:
        ConflictError: If a concurrent move came first; nothing was changed.
    """
    decided: tuple[int | None, dict[int, Stage]] | None = None
    for _ in range(_ATTEMPTS):
        versions = metadata.models.list_versions(model)
        if decided is not None and decided != _facts(versions, decided[1]):
            raise _someone_else(model, versions)
        moves = plan(versions)
        revisions = {version.version: version.revision for version in versions}
        moved = {event.version for event in moves.events}
        decided = _facts(versions, moved)
        try:
            metadata.models.move_stages(
                moves.events,
                expected={number: revisions[number] for number in moved},
                gates=moves.gates,
                approvals=moves.approvals,
                deployments=moves.deployments,
                forced=moves.forced,
                accepts_changes=moves.accepts_changes,
            )
        except ConflictError:
            continue
        return metadata.models.get_version(model, moves.events[-1].version)
    raise _someone_else(model, metadata.models.list_versions(model))


def _facts(
    versions: Sequence[ModelVersionRecord], moved: Iterable[int]
) -> tuple[int | None, dict[int, Stage]]:
    """Return the facts of a decision: the production version, and the stages of moved versions."""
    champion, numbers = in_stage(versions, Stage.PRODUCTION), set(moved)
    stages = {version.version: version.stage for version in versions if version.version in numbers}
    return (champion.version if champion else None), stages


def _someone_else(model: str, versions: Sequence[ModelVersionRecord]) -> ConflictError:
    champion = in_stage(versions, Stage.PRODUCTION)
    there = f"{champion.ref} is in production" if champion else "Nothing is in production"
    return ConflictError(
        what=f"Someone else moved a version of {model!r} at the same moment: {there} now.",
        why="Nothing of yours was changed: you had decided on what was there before.",
        fix=f"Look with: penstock history {model}, and repeat it if it is still right.",
        model=model,
    )
