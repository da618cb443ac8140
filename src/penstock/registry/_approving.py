"""Approvals: number for a version, evidence behind each, and validity.

An approval is about the evidence that the actor saw: the version's content, gates and report. If
any of them changes afterwards, or the approval is too old, the approval does not count any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from penstock.core import (
    ApprovalRecord,
    ModelVersionRecord,
    ParameterError,
    digest_json,
    is_same_person,
    now,
    parse_duration,
)
from penstock.people import has_users
from penstock.stores import REGISTERED, open_store

if TYPE_CHECKING:
    from penstock.stores import Store

_NEEDED, _EXPIRE = "approvals_needed", "approvals_expire_s"
_MOST = 20
_DEFAULT_EXPIRY = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """Rules of a team's store for versions before production.

    Args:
        needed: Number of people, without the trainer, who have to approve.
        expires_after: How long an approval counts.
    """

    needed: int = 1
    expires_after: timedelta = _DEFAULT_EXPIRY

    def to_json(self) -> dict[str, float]:
        """Return the rules as plain JSON; the time in seconds."""
        return {"needed": self.needed, "expires_after_s": self.expires_after.total_seconds()}


def get_approval_rules(*, store: "Store | str | None" = None) -> ApprovalRules:
    """Return the store's rules for versions before production."""
    settings = open_store(store).metadata.settings
    needed, expire = settings.get(_NEEDED), settings.get(_EXPIRE)
    return ApprovalRules(
        int(needed) if needed else 1,
        timedelta(seconds=float(expire)) if expire else _DEFAULT_EXPIRY,
    )


def set_approval_rules(
    *,
    needed: int | None = None,
    expires_after: str | timedelta | None = None,
    actor: str | None = None,
    store: "Store | str | None" = None,
) -> ApprovalRules:
    """Change the store's rules for versions before production; the history has actor and time.

    Args:
        needed: Number of approvals, 1 to 20; None for no change.
        expires_after: How long an approval counts, such as ``14d``; None for no change.
        actor: Actor of the change; by default the user of this process.
        store: The store; by default the project's.

    Raises:
        ParameterError: If a value cannot be used.
    """
    opened = open_store(store)
    if needed is not None:
        if not 1 <= needed <= _MOST:
            raise ParameterError(
                what=f"needed is {needed}.",
                why="A version goes to production by the approval of people.",
                fix=f"Use 1 to {_MOST}.",
            )
        opened.metadata.settings.set(_NEEDED, str(needed), actor=actor)
    if expires_after is not None:
        span = parse_duration(expires_after)
        if span <= timedelta(0):
            raise ParameterError(what="No approval would ever count.", fix="Use for example 14d.")
        opened.metadata.settings.set(_EXPIRE, str(span.total_seconds()), actor=actor)
    return get_approval_rules(store=opened)


def gates_digest(version: ModelVersionRecord) -> str:
    """Return the digest of a version's evidence: gates and report.

    The results are no part of it: a proof that is pending at the approval may pass later, and gates
    that do not pass stop a promotion whoever has approved.
    """
    return digest_json([sorted(gate.gate for gate in version.gates), version.report])


def new_approval(
    version: ModelVersionRecord,
    actor: str,
    reason: str,
    rules: ApprovalRules,
    *,
    attested: str = "",
) -> ApprovalRecord:
    """Return an approval of a version with the present digests."""
    at = now()
    return ApprovalRecord(
        version.model,
        version.version,
        actor,
        approved=True,
        reason=reason,
        at=at,
        version_digest=version.content_digest,
        gates_digest=gates_digest(version),
        expires_at=at + rules.expires_after,
        attested=attested,
    )


@dataclass(frozen=True, slots=True)
class ApprovalState:
    """The result of a version's approvals.

    Args:
        counted: Approvals that count, at most a single approval per person.
        needed: How many are needed.
        refused: Why further approvals do not count, a sentence each.
    """

    counted: tuple[ApprovalRecord, ...]
    needed: int
    refused: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        """Whether the version has enough approvals."""
        return len(self.counted) >= self.needed


def judge_approvals(
    version: ModelVersionRecord,
    approvals: Sequence[ApprovalRecord],
    rules: ApprovalRules,
    *,
    attested_only: bool = False,
    registrant: str = "",
    at: datetime | None = None,
) -> ApprovalState:
    """Return which approvals of a version count.

    Args:
        version: The version, present state.
        approvals: The version's approvals and rejections, oldest first.
        rules: The store's rules.
        attested_only: Whether only those count whose actor had signed in: in a store with users.
        registrant: Who registered the version, and so cannot approve it; empty if that may be.
        at: The time; by default now.
    """
    counted: list[ApprovalRecord] = []
    refused: list[str] = []
    for approval in reversed([each for each in approvals if each.approved]):
        if any(is_same_person(approval.actor, each.actor) for each in counted):
            continue
        trouble = _trouble(
            version, approval, at or now(), attested_only=attested_only, registrant=registrant
        )
        if trouble:
            refused.append(f"The approval by {approval.actor} does not count: {trouble}.")
        else:
            counted.append(approval)
    return ApprovalState(tuple(reversed(counted)), rules.needed, tuple(dict.fromkeys(refused)))


def approval_state(store: "Store", version: ModelVersionRecord) -> ApprovalState:
    """Return the result of a version's approvals in the store, now."""
    return judge_approvals(
        version,
        store.metadata.models.list_approvals(version.model, version.version),
        get_approval_rules(store=store),
        attested_only=has_users(store=store),
        registrant=find_registrant(store, version),
    )


def find_registrant(store: "Store", version: ModelVersionRecord) -> str:
    """Return who registered a version in a store with users; empty in others: names are free there.

    The version's run names the trainer; whoever registers may name a run of someone else.
    """
    if not has_users(store=store):
        return ""
    events = store.metadata.models.list_stage_events(version.model)
    registered = [
        each for each in events if each.version == version.version and each.reason == REGISTERED
    ]
    return registered[0].actor if registered else ""


def _trouble(
    version: ModelVersionRecord,
    approval: ApprovalRecord,
    at: datetime,
    *,
    attested_only: bool,
    registrant: str,
) -> str:
    """Return why an approval does not count; empty if the approval counts."""
    if is_same_person(approval.actor, version.trained_by):
        return "the version is theirs"
    if is_same_person(approval.actor, registrant):
        return "they registered the version"
    if approval.version_digest not in {None, version.content_digest}:
        return "it is about another content"
    if approval.gates_digest not in {None, gates_digest(version)}:
        return "the gates or the report have changed since"
    if approval.expires_at is not None and at >= approval.expires_at:
        return f"it has expired on {approval.expires_at:%Y-%m-%d}"
    if attested_only and not approval.attested:
        return "nobody checked who gave it"
    return ""
