"""Which version was in production at a time, with promoter and approvers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from penstock.core import ApprovalRecord, ParameterError, Stage, StageEvent


@dataclass(frozen=True, slots=True)
class ProductionAt:
    """The version in production at a time.

    Args:
        model: The model's name.
        at: The time of the query, UTC.
        version: The version in production then; None if there was none.
        since: Start of the version's time in production.
        until: End of that time; None if the version is still in production.
        actor: Actor of the move into production.
        reason: Reason of that move.
        approved_by: Approvers up to that time.
    """

    model: str
    at: datetime
    version: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    actor: str = ""
    reason: str = ""
    approved_by: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The result as a sentence."""
        if self.version is None or self.since is None:
            return f"At {_time(self.at)} no version of {self.model!r} was in production."
        until = f" until {_time(self.until)}" if self.until else ""
        approved = ", ".join(self.approved_by) or "nobody"
        reason = f" ({self.reason.rstrip('.')})" if self.reason else ""
        return (
            f"At {_time(self.at)} {self.model}@{self.version} was in production: "
            f"put there by {self.actor} at {_time(self.since)}{until}{reason}; "
            f"approved by {approved}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON; times in ISO form."""
        return {
            "model": self.model,
            "at": self.at.isoformat(),
            "version": self.version,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "actor": self.actor,
            "reason": self.reason,
            "approved_by": list(self.approved_by),
        }


def production_at(
    model: str, at: datetime, events: Sequence[StageEvent], approvals: Sequence[ApprovalRecord]
) -> ProductionAt:
    """Read from a model's history which version was in production at a time.

    Args:
        model: The model's name.
        at: The time, aware.
        events: The model's history, oldest first.
        approvals: Approvals of all versions of the model.
    """
    entry: StageEvent | None = None
    until: datetime | None = None
    for event in events:
        if event.from_stage is event.to_stage:
            continue  # no move: a gate was judged, or an approval was given
        leaves = entry is not None and event.version == entry.version
        if event.at > at:
            if leaves and event.to_stage is not Stage.PRODUCTION:
                until = event.at
                break
        elif event.to_stage is Stage.PRODUCTION:
            entry = event
        elif leaves:
            entry = None
    if entry is None:
        return ProductionAt(model, at)
    yes = (
        approval.actor
        for approval in approvals
        if approval.version == entry.version and approval.approved and approval.at <= at
    )
    return ProductionAt(
        model,
        at,
        version=entry.version,
        since=entry.at,
        until=until,
        actor=entry.actor,
        reason=entry.reason,
        approved_by=tuple(dict.fromkeys(yes)),
    )


def read_time(value: str | datetime) -> datetime:
    """Parse a time for ``history --at``; without a zone in UTC, a date as midnight.

    >>> read_time("2026-05-27T12:00Z")
    datetime.datetime(2026, 5, 27, 12, 0, tzinfo=datetime.timezone.utc)

    Raises:
        ParameterError: If the text is no ISO time.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise ParameterError(
                what=f"{value!r} is no time.",
                fix="Write for example 2026-05-27T12:00Z or 2026-05-27.",
            ) from error
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
