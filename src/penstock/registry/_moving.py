"""Making planned moves, if what they were decided on is still so; apart because it is the race."""

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

_ATTEMPTS = 10  # of a move whose versions were touched (a gate judged, an approval) meanwhile


@dataclass(frozen=True, slots=True)
class Moves:
    """What happens together, in one transaction, or not at all.

    Args:
        events: The moves; the last one's version is what the caller asked about.
        gates: What the gates of a moved version answer at this moment.
        approvals: Given with the move: whoever loses the race has approved nothing.
        deployments: Next generations of the deployments that the moves take effect on.
    """

    events: Sequence[StageEvent]
    gates: Mapping[int, Sequence[GateResult]] = field(default_factory=dict)
    approvals: Sequence[ApprovalRecord] = ()
    deployments: Sequence[tuple[DeploymentRecord, DeploymentEvent]] = ()


def make_moves(
    metadata: MetadataStore,
    model: str,
    plan: Callable[[Sequence[ModelVersionRecord]], Moves],
) -> ModelVersionRecord:
    """Plan on what is there now, and move if it is still so.

    Planned again only if the stages are as they were (a gate or note was written meanwhile); if
    another move came first, its maker decided on other facts than the caller saw.

    Args:
        metadata: Where versions are.
        model: The model's name.
        plan: Gives the moves for the model's versions; the last one's version is given back.

    Raises:
        ConflictError: If someone else moved first; nothing was changed.
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
            )
        except ConflictError:
            continue
        return metadata.models.get_version(model, moves.events[-1].version)
    raise _someone_else(model, metadata.models.list_versions(model))


def _facts(
    versions: Sequence[ModelVersionRecord], moved: Iterable[int]
) -> tuple[int | None, dict[int, Stage]]:
    """Give what a move was decided on: the production version, and where the moved ones are."""
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
