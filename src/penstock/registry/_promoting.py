"""Promotion to production: gates are judged now, the plan fits the versions of the plan."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.core import ApprovalRecord, GateError, GateResult, ModelVersionRecord, Stage, now
from penstock.registry._approving import ApprovalRules, approval_state, new_approval
from penstock.registry._changing import change_version
from penstock.registry._compatibility import signature_changes
from penstock.registry._judgement import judge_gates
from penstock.registry._moves import (
    plan_production,
    require_alone,
    require_expected,
    require_move,
    rollback_target,
)
from penstock.registry._moving import Moves, make_moves
from penstock.registry._references import find_version, in_stage
from penstock.registry._requirements import (
    describe_force,
    require_answering,
    require_force_allowed,
    require_ready,
)

if TYPE_CHECKING:
    from penstock.stores import Store


def promote_to_production(
    store: "Store",
    model: str,
    version: int | str | None,
    *,
    actor: str,
    reason: str,
    force_reason: str | None,
    accept_changes: str | None,
) -> ModelVersionRecord:
    """Promote a version to production; see `Registry.promote`."""
    if force_reason:
        require_force_allowed(store, model)
    # `make_moves` may plan several times; gates are judged again only if a version has changed.
    judged: dict[tuple[int, int | None], tuple[GateResult, ...]] = {}

    def plan(versions: Sequence[ModelVersionRecord]) -> Moves:
        target = find_version(versions, version)
        champion = in_stage(versions, Stage.PRODUCTION)
        require_move(target, Stage.PRODUCTION, store.metadata.models.list_stage_events(model))
        require_answering(store, target, "go to production")
        against = (target.revision, champion.version if champion else None)
        if against not in judged:
            judged[against] = judge_gates(store, target, champion)
        target = replace(target, gates=judged[against])
        changes = signature_changes(champion, target).breaking
        approvals = _require_ready(
            store,
            target,
            actor,
            reason,
            force=bool(force_reason),
            changes=() if accept_changes else changes,
        )
        why = describe_force(target, reason, force_reason, (changes, accept_changes))
        events = plan_production(versions, target, actor=actor, reason=why, at=now())
        return Moves(
            events,
            {target.version: target.gates},
            approvals,
            forced=bool(force_reason),
            accepts_changes=bool(accept_changes),
        )

    return make_moves(store.metadata, model, plan)


def roll_back_to(
    store: "Store", model: str, to: int | None, expected: int | None, actor: str, reason: str
) -> ModelVersionRecord:
    """Move an earlier production version back to production; see `Registry.rollback`."""

    def plan(versions: Sequence[ModelVersionRecord]) -> Moves:
        champion = in_stage(versions, Stage.PRODUCTION)
        events, at = store.metadata.models.list_stage_events(model), now()
        require_expected(model, champion, expected)
        if expected is None and to is None:
            require_alone(champion, events, at)
        target = rollback_target(versions, events, to)
        require_answering(store, target, "go back to production")
        return Moves(plan_production(versions, target, actor=actor, reason=reason, at=at))

    return make_moves(store.metadata, model, plan)


def _require_ready(
    store: "Store",
    version: ModelVersionRecord,
    actor: str,
    reason: str,
    *,
    force: bool,
    changes: Sequence[str],
) -> tuple[ApprovalRecord, ...]:
    """Check that a version may be promoted; return the promoter's own approval if that counts."""
    single = store.single_user
    approvals = store.metadata.models.list_approvals(version.model, version.version)
    state = None if single else approval_state(store, version)
    try:
        require_ready(version, state, force=force, changes=changes)
    except GateError:
        # The reason, for later readers.
        change_version(store.metadata, version, actor=actor, gates=version.gates)
        raise
    if not single or any(approval.approved for approval in approvals):
        return ()
    text = reason or "Promoted in a single-user store."
    return (new_approval(version, actor, text, ApprovalRules()),)
