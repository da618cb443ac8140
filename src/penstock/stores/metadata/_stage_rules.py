"""Rules of stages that hold in every store: where a move may begin, and what forcing leaves behind."""

from penstock.core import (
    STAGE_MOVES,
    ConflictError,
    GateState,
    ModelVersionRecord,
    ParameterError,
    Stage,
    StageEvent,
)
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._database import Database, Transaction


def require_possible(found: ModelVersionRecord, move: StageEvent, expected: int | None) -> None:
    """Check that a move begins where the version is, and that such a move exists.

    Args:
        found: The version as it is.
        move: The move.
        expected: Revision of the version on which the move was decided.

    Raises:
        ConflictError: If it does not.
    """
    # The caller decided on the revision that it read; a newer one may decide otherwise.
    require_revision(found, expected)
    if found.stage != move.from_stage or move.to_stage not in STAGE_MOVES[found.stage]:
        raise ConflictError(
            what=f"{found.ref} is {found.stage} and cannot move from {move.from_stage}"
            f" to {move.to_stage}.",
            why="Rejected is final, and an archived version is only rolled back to or rejected."
            if found.stage == move.from_stage
            else "Someone else moved it.",
            fix=f"See: penstock history {move.model}",
            stage=found.stage,
        )


def require_new(version: ModelVersionRecord) -> None:
    """Refuse a version that would begin in a stage: stages are reached by moves only."""
    if version.stage is Stage.NONE:
        return
    raise ParameterError(
        what=f"A version of {version.model!r} would be registered in stage {version.stage.value}.",
        why="A version begins in stage none; gates are judged when it moves.",
        fix="Register it, then move it with move_stages.",
        stage=version.stage,
    )


def require_only_one(transaction: Transaction, move: StageEvent) -> None:
    """Refuse a second version in production."""
    row = transaction.execute(
        "SELECT version FROM model_versions WHERE model = ? AND stage = 'production'",
        (move.model,),
    ).fetchone()
    if row is not None:
        raise ConflictError(
            what=f"{move.model}@{row[0]} is in production already.",
            why="A model has one production version: the champion.",
            fix=f"Archive {move.model}@{row[0]} in the same call.",
            version=row[0],
        )


def require_revision(found: ModelVersionRecord, expected: int | None) -> None:
    """Refuse a change that was decided on an older revision."""
    if expected != found.revision:
        raise ConflictError(
            what=f"{found.ref} is at revision {found.revision}, not {expected}.",
            why="Someone else changed it after you looked.",
            fix="Look again, and repeat what you did if it is still right.",
            revision=found.revision,
        )


def note_force(
    transaction: Transaction, database: Database, moved: ModelVersionRecord, move: StageEvent
) -> None:
    """Write into the audit trail that gates were overruled, and which."""
    overruled = [gate.gate for gate in moved.gates if gate.state is not GateState.PASSED]
    facts = {"gates": overruled, "reason": move.reason}
    note_change(transaction, database, "version.force", moved.ref, facts, actor=move.actor)
