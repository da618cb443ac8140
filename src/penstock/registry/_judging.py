"""Judgement of what a client sends to a server about versions: the server's own facts decide.

A client judges first, by the same rules, and sends what follows. Here nothing of that is believed:
gates, approvals, effects on deployments and times are made anew (decision 0068).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ApprovalRecord,
    ConflictError,
    DeploymentEvent,
    DeploymentRecord,
    GateError,
    GateResult,
    GateState,
    ModelVersionRecord,
    ParameterError,
    Permission,
    Stage,
    StageEvent,
    current_identity,
    now,
    require_reason,
)
from penstock.people import project_named
from penstock.registry._approving import (
    approval_state,
    find_registrant,
    gates_digest,
    get_approval_rules,
    new_approval,
)
from penstock.registry._compatibility import signature_changes
from penstock.registry._effects import end_rollouts, require_unserved
from penstock.registry._judgement import judge_gates
from penstock.registry._moves import last_production, require_move
from penstock.registry._references import find_version, in_stage
from penstock.registry._requirements import (
    require_answering,
    require_force_allowed,
    require_other_person,
    require_ready,
)
from penstock.stores import require_possible

if TYPE_CHECKING:
    from penstock.stores import Store

_OUT = frozenset({Stage.ARCHIVED, Stage.REJECTED})
Ended = list[tuple[DeploymentRecord, DeploymentEvent]]


def judge_moves(
    moves: Sequence[StageEvent],
    *,
    expected: Mapping[int, int],
    approvals: Sequence[ApprovalRecord] = (),
    forced: bool = False,
    accepts_changes: bool = False,
    store: "Store",
    **_claims: object,
) -> dict[str, Any]:
    """Judge moves between stages, and return the arguments of `move_stages` as they follow.

    Args:
        moves: The moves, all of one model.
        expected: Revision by version on which the moves were decided.
        approvals: Approvals and rejections given with the moves.
        forced: Whether gates that did not pass are overruled; for admins.
        accepts_changes: Whether callers of the production version may break.
        store: The store, whose facts decide.
        **_claims: What the sender says of gates and deployments; not read.

    Raises:
        GateError: If a gate did not pass, an approval is missing, or callers would break.
        ConflictError: If a move is not possible, or was decided on an older revision.
        AccessError: If whoever has signed in may not overrule gates.
        ParameterError: If the moves are of several models, or there are none.
    """
    model = _require_one_model(moves, approvals)
    if forced:
        require_force_allowed(store, model)
    versions, at = store.metadata.models.list_versions(model), now()
    for move in moves:
        version = find_version(versions, move.version)
        require_possible(version, move, expected.get(move.version))
    gates = _judge_entries(store, moves, versions, forced=forced, accepts_changes=accepts_changes)
    return {
        "moves": [_dated(move) for move in moves],
        "expected": expected,
        "gates": gates,
        "approvals": [judge_approval(each, store=store) for each in approvals],
        "deployments": [
            each for move in moves for each in _effects(store, move, moves, versions, at)
        ],
        "forced": forced,
        "accepts_changes": accepts_changes,
    }


def judge_approval(approval: ApprovalRecord, *, store: "Store") -> ApprovalRecord:
    """Judge an approval, and return it bound to the version as it is now.

    Raises:
        GateError: If whoever approves trained or registered the version, in a team's store.
        ConflictError: If the version is rejected, or something else was approved.
        ParameterError: If there is no reason.
    """
    if store.single_user:
        return approval
    version = store.metadata.models.get_version(approval.model, approval.version)
    identity = current_identity()
    is_known = identity is not None and bool(identity.attested)
    who = identity.actor if identity is not None and is_known else approval.actor
    attested = identity.attested if identity is not None else ""
    reason = require_reason(approval.reason, "A decision")
    if not approval.approved:
        return replace(approval, actor=who, at=now(), reason=reason, attested=attested)
    require_other_person(version, who, find_registrant(store, version))
    if version.stage is Stage.REJECTED:
        require_move(version, Stage.PRODUCTION)
    _require_seen(version, approval)
    rules = get_approval_rules(store=store)
    return new_approval(version, who, reason, rules, attested=attested)


def judge_claims(
    gates: Sequence[GateResult],
    version: ModelVersionRecord,
    *,
    report: str | None,
    store: "Store",
) -> tuple[GateResult, ...]:
    """Return the gates of a version as they may be stored when someone says how they ended.

    With a report they are judged again before they count. Without, a gate that passed is the word
    of whoever says so: it counts from someone who may approve and is not the trainer.

    Args:
        gates: Results as sent.
        version: The version.
        report: The version's report after the change.
        store: Store of the version.
    """
    identity = current_identity()
    if report is not None or identity is None or not identity.attested:
        return tuple(gates)
    project = project_named(version.model, store=store)
    registrant = find_registrant(store, version) if version.version else identity.actor
    try:
        require_other_person(version, identity.actor, registrant)
        counts = identity.may(Permission.APPROVE, project)
    except GateError:
        counts = False
    if counts:
        return tuple(gates)
    known = set(version.gates) if version.version else set()
    return tuple(each if each in known else _claimed(each, identity.actor) for each in gates)


def require_servable(
    model: str, version: int, *, accepts_changes: bool = False, store: "Store"
) -> None:
    """Check that a version may answer requests: it is or was in production, or could be now.

    Args:
        model: The model's name.
        version: Version number.
        accepts_changes: Whether callers of the production version may break.
        store: Store of the version.

    Raises:
        GateError: If a gate did not pass, an approval is missing, or callers would break.
        ConflictError: If the version cannot move to production.
        NotFoundError: If there is no such version.
    """
    versions = store.metadata.models.list_versions(model)
    found = find_version(versions, version)
    if found.stage is not Stage.PRODUCTION:
        _judge_production(store, found, versions, accepts_changes=accepts_changes)


def _require_one_model(moves: Sequence[StageEvent], approvals: Sequence[ApprovalRecord]) -> str:
    models = {each.model for each in moves}
    if len(models) == 1 and models >= {each.model for each in approvals}:
        return models.pop()
    raise ParameterError(
        what=f"The moves and approvals are of {len(models)} models.",
        why="Revisions are those of one model's versions, and an approval is about what moves.",
        fix="Send one call for each model.",
    )


def _judge_entries(
    store: "Store",
    moves: Sequence[StageEvent],
    versions: Sequence[ModelVersionRecord],
    *,
    forced: bool,
    accepts_changes: bool,
) -> dict[int, tuple[GateResult, ...]]:
    """Judge the versions that move to production or staging; return the results by version."""
    gates: dict[int, tuple[GateResult, ...]] = {}
    for move in moves:
        version = find_version(versions, move.version)
        if move.to_stage is Stage.STAGING:
            require_answering(store, version, "go to staging")
        elif move.to_stage is Stage.PRODUCTION:
            gates[version.version] = _judge_production(
                store, version, versions, forced=forced, accepts_changes=accepts_changes
            )
    return gates


def _judge_production(
    store: "Store",
    version: ModelVersionRecord,
    versions: Sequence[ModelVersionRecord],
    *,
    forced: bool = False,
    accepts_changes: bool = False,
) -> tuple[GateResult, ...]:
    """Judge a version as of now; one that was in production before comes back as it was."""
    events = store.metadata.models.list_stage_events(version.model)
    if version.stage is Stage.ARCHIVED and last_production(events, version.version) is not None:
        require_answering(store, version, "go back to production")
        return version.gates
    require_move(version, Stage.PRODUCTION, events)
    require_answering(store, version, "go to production")
    champion = in_stage(versions, Stage.PRODUCTION)
    judged = replace(version, gates=judge_gates(store, version, champion))
    approvals = None if store.single_user else approval_state(store, version)
    changes = () if accepts_changes else signature_changes(champion, version).breaking
    require_ready(judged, approvals, force=forced, changes=changes)
    return judged.gates


def _effects(
    store: "Store",
    move: StageEvent,
    moves: Sequence[StageEvent],
    versions: Sequence[ModelVersionRecord],
    at: datetime,
) -> Ended:
    """Return what a version's end does to deployments: rollouts end, and someone answers."""
    if move.to_stage not in _OUT:
        return []
    version = find_version(versions, move.version)
    entering = next((each.version for each in moves if each.to_stage is Stage.PRODUCTION), None)
    if version.stage is Stage.PRODUCTION and entering is not None:
        return []  # replaced: the deployments follow the production version
    deployments = store.metadata.deployments.list()
    require_unserved(version, deployments)
    champion = in_stage(versions, Stage.PRODUCTION)
    return end_rollouts(
        deployments,
        version,
        production=entering or (champion.version if champion else None),
        reason=f"{version.ref} was {move.to_stage.value} by {move.actor}: {move.reason}",
        at=at,
    )


def _dated(move: StageEvent) -> StageEvent:
    """Return a move at the server's time, where people sign in: the history is evidence."""
    identity = current_identity()
    if identity is None or not identity.attested:
        return move
    return replace(move, at=now(), actor=identity.actor)


def _require_seen(version: ModelVersionRecord, approval: ApprovalRecord) -> None:
    seen = (approval.version_digest, approval.gates_digest)
    present = (version.content_digest, gates_digest(version))
    if all(old in {None, new} for old, new in zip(seen, present, strict=True)):
        return
    raise ConflictError(
        what=f"{version.ref} is not what was approved: its content, gates or report are others.",
        why="An approval is about what its actor saw.",
        fix=f"Look again: penstock models {version.ref}, and approve it if it is still right.",
    )


def _claimed(gate: GateResult, actor: str) -> GateResult:
    if gate.state is not GateState.PASSED:
        return gate
    reason = (
        f"{actor} says that it passed ({gate.reason.rstrip('.')}); there is no report to judge by,"
        " and someone who may approve has to say so"
    )
    return GateResult(gate.gate, GateState.PENDING, reason)
