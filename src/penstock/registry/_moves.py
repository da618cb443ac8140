"""Plans of moves between stages: which versions move, and why a move is refused; pure functions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from penstock.core import (
    STAGE_MOVES,
    ConflictError,
    ModelVersionRecord,
    NotFoundError,
    ParameterError,
    Stage,
    StageEvent,
)
from penstock.registry._references import in_stage

_AT_ONCE = timedelta(minutes=1)  # two people on call react to the same alert
_DEAD_ENDS = {
    Stage.REJECTED: "Rejected is final.",
    Stage.PRODUCTION: "It answers requests.",
    Stage.ARCHIVED: "It is out of use.",
}


def require_move(version: ModelVersionRecord, to: Stage, events: Sequence[StageEvent] = ()) -> None:
    """Check that a version may move to a stage from the present stage.

    Args:
        version: The version to move.
        to: The target stage.
        events: The model's history: a version that was in production comes back only by rollback.

    Raises:
        ConflictError: If the move is not allowed.
    """
    if version.stage is to:
        raise ConflictError(
            what=f"{version.ref} is in {to.value} already.",
            fix=f"See: penstock history {version.model}",
            stage=to,
        )
    if to not in STAGE_MOVES[version.stage]:
        raise ConflictError(
            what=f"{version.ref} is {_where(version.stage)} and cannot move to {to.value}.",
            why=_DEAD_ENDS.get(version.stage, ""),
            fix=_way_out(version),
            stage=version.stage,
        )
    last = last_production(events, version.version)
    if version.stage is Stage.ARCHIVED and last is not None:
        raise ConflictError(
            what=f"{version.ref} was in production from {_day(last.at)} and has been archived since.",
            why="A version that was taken out comes back knowingly only.",
            fix=f"Bring it back with: penstock rollback {version.model} --to {version.version}",
            stage=version.stage,
        )


def plan_production(
    versions: Sequence[ModelVersionRecord],
    version: ModelVersionRecord,
    *,
    actor: str,
    reason: str,
    at: datetime,
) -> list[StageEvent]:
    """Plan a version's way into production: the present production version is archived."""
    champion = in_stage(versions, Stage.PRODUCTION)
    moves = []
    if champion is not None:
        moves.append(move(champion, Stage.ARCHIVED, actor, f"Replaced by {version.ref}.", at))
    return [*moves, move(version, Stage.PRODUCTION, actor, reason, at)]


def move(
    version: ModelVersionRecord, to: Stage, actor: str, reason: str, at: datetime
) -> StageEvent:
    """Return the event of a move; the store adds the hash."""
    return StageEvent(version.model, version.version, version.stage, to, actor, reason, at)


def rollback_target(
    versions: Sequence[ModelVersionRecord], events: Sequence[StageEvent], to: int | None
) -> ModelVersionRecord:
    """Return the version that a rollback brings back.

    Args:
        versions: All versions of the model, by number.
        events: The model's history, oldest first.
        to: The requested version; None for the previous production version, so that two rollbacks
            return to the start.

    Raises:
        ConflictError: If there is nothing to go back to, or ``to`` is in production already.
        NotFoundError: If there is no such version.
        ParameterError: If ``to`` was never in production.
    """
    model = versions[0].model
    champion = in_stage(versions, Stage.PRODUCTION)
    by_number = {version.version: version for version in versions}
    entered = [event.version for event in events if _is_entry(event)]
    if to is None:
        # A version that was archived by hand and brought back entered twice in a row.
        turns = [number for number, _ in groupby(entered)]
        # Without a champion (archived by hand) the last production version comes back.
        earlier = turns[:-1] if champion is not None else turns
        fit = [
            number
            for number in earlier
            if by_number[number].stage is not Stage.REJECTED and by_number[number] is not champion
        ]
        if not fit:
            gone = [n for n in earlier if by_number[n].stage is Stage.REJECTED]
            raise _nothing_before(model, champion, gone)
        return by_number[fit[-1]]
    if to not in by_number:
        raise NotFoundError(
            what=f"Model {model!r} has no version {to}.",
            fix="It was in production: " + _numbers(entered) if entered else "",
            version=to,
        )
    if champion is not None and champion.version == to:
        raise ConflictError(
            what=f"{champion.ref} is in production already.",
            fix=f"See: penstock history {model}",
        )
    if by_number[to].stage is Stage.REJECTED:
        raise ConflictError(
            what=f"{model}@{to} is rejected.",
            why="Rejected is final: nothing brings it back, a rollback neither.",
            fix=f"See: penstock history {model}@{to}",
            stage=Stage.REJECTED,
        )
    if to not in entered:
        raise ParameterError(
            what=f"{model}@{to} was never in production.",
            why="A rollback goes back to what answered requests before, without judging it again.",
            fix=f"Promote it instead: penstock promote {model}@{to}",
            version=to,
        )
    return by_number[to]


def require_expected(model: str, champion: ModelVersionRecord | None, expected: int | None) -> None:
    """Check that the version that is to go is still in production.

    Raises:
        ConflictError: If a different version is in production, or none.
    """
    if expected is None or (champion is not None and champion.version == expected):
        return
    there = f"{champion.ref} is" if champion else "nothing is"
    raise ConflictError(
        what=f"{model}@{expected} is not in production: {there}.",
        why="It was rolled back or replaced already.",
        fix=f"See: penstock history {model}",
        model=model,
    )


def require_alone(
    champion: ModelVersionRecord | None, events: Sequence[StageEvent], at: datetime
) -> None:
    """Check that the production version was not brought back by a rollback a moment ago.

    Args:
        champion: The version in production.
        events: The model's history, oldest first.
        at: The time now.

    Raises:
        ConflictError: If there was: a second rollback would put the bad version back.
    """
    back = last_production(events, champion.version) if champion is not None else None
    if champion is None or back is None or back.from_stage is not Stage.ARCHIVED:
        return
    if at - back.at < _AT_ONCE:
        raise ConflictError(
            what=f"{champion.ref} was brought back a moment ago by {back.actor}: {back.reason}",
            why="A second rollback would put the version back that was just taken out.",
            fix=f"If that is meant: penstock rollback {champion.model} --expected"
            f" {champion.version}, or expected={champion.version} in Python.",
            model=champion.model,
        )


def last_production(events: Sequence[StageEvent], version: int) -> StageEvent | None:
    """Return the event with which a version last entered production."""
    entries = [event for event in events if _is_entry(event) and event.version == version]
    return entries[-1] if entries else None


def _is_entry(event: StageEvent) -> bool:
    return event.to_stage is Stage.PRODUCTION and event.from_stage is not Stage.PRODUCTION


def _nothing_before(
    model: str, champion: ModelVersionRecord | None, rejected: Sequence[int]
) -> ConflictError:
    if rejected:
        return ConflictError(
            what=f"Every other version of {model!r} that was in production is rejected: "
            f"{_numbers(rejected)}",
            why="There is nothing to go back to.",
            fix=f"Promote a different one: penstock promote {model}@VERSION",
        )
    if champion is None:
        return ConflictError(
            what=f"No version of {model!r} was ever in production.",
            why="There is nothing to go back to.",
            fix=f"Promote one: penstock promote {model}",
        )
    return ConflictError(
        what=f"{champion.ref} is the first version of {model!r} in production.",
        why="There is nothing to go back to.",
        fix=f"Promote a different version: penstock promote {model}@VERSION",
    )


def _way_out(version: ModelVersionRecord) -> str:
    if version.stage is Stage.PRODUCTION:
        return (
            f"Promote a different version, or run: penstock rollback {version.model}. "
            f"Then: penstock reject {version.ref} --reason WHY"
        )
    if version.stage is Stage.REJECTED:
        return "Train a new version: penstock run FILE"
    return f"See: penstock history {version.model}"


def _where(stage: Stage) -> str:
    return stage.value if stage in {Stage.REJECTED, Stage.ARCHIVED} else f"in stage {stage.value}"


def _numbers(versions: Sequence[int]) -> str:
    return ", ".join(str(number) for number in sorted(set(versions))) + "."


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
