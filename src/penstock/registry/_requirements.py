"""Requirements of production: passed gates, and in a team's store an approval by a second person.

All reasons are reported at the same time, each with a command as fix.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.core import (
    GateError,
    GateResult,
    GateState,
    ModelVersionRecord,
    Permission,
    is_same_person,
)
from penstock.models import require_unsafe_allowed
from penstock.people import project_named, require_permission
from penstock.registry._approving import ApprovalState

if TYPE_CHECKING:
    from penstock.stores import Store


def require_ready(
    version: ModelVersionRecord,
    approvals: ApprovalState | None,
    *,
    force: bool = False,
    changes: Sequence[str] = (),
) -> None:
    """Check that a version may go to production.

    Args:
        version: The candidate.
        approvals: Result of the approvals; None if the promoter's own approval is enough.
        force: Overrule gates that did not pass; a missing approval is never overruled.
        changes: Changes that break callers of the production version; empty if accepted.

    Raises:
        GateError: If the version may not. Attributes: ``reasons``, and ``gates`` (those not
            passed).
    """
    gates = [] if force else open_gates(version)
    reasons = [_gate_reason(version, gate) for gate in gates]
    if changes:
        reasons.append(_changes_reason(changes))
    if approvals is not None and not approvals.is_enough:
        reasons.append(_approval_reason(version, approvals))
    if reasons:
        raise GateError(
            what=f"{version.ref} may not go to production:\n"
            + "".join(f"  - {reason}\n" for reason in reasons),
            fix=f"Then run: penstock promote {version.ref}",
            gates=tuple(gates),
            reasons=tuple(reasons),
        )


def require_answering(store: "Store", version: ModelVersionRecord, where: str) -> None:
    """Check that the store lets the version's kind of model go where requests are answered.

    No force overrules that: the policy of the store does.

    Args:
        store: The store with the version and the policy.
        version: The version.
        where: Use of the version, for the message: ``go to staging``.

    Raises:
        GateError: If the model is unsafe, and the store does not allow these there.
    """
    record = store.metadata.artifacts.get(version.artifact, version.content_digest)
    require_unsafe_allowed(record, where, store=store)


def require_force_allowed(store: "Store", model: str) -> None:
    """Check that whoever has signed in may overrule gates: an admin of the model's project.

    Raises:
        AccessError: If they may not.
    """
    require_permission(Permission.ADMIN, project_named(model, store=store))


def require_other_person(version: ModelVersionRecord, approver: str, registrant: str = "") -> None:
    """Check that the approver is neither the trainer nor whoever registered the version.

    Args:
        version: The version.
        approver: Who approves.
        registrant: Who registered the version; empty if that does not matter.

    Raises:
        GateError: If they are the same person, however the name is spelt.
    """
    trained = is_same_person(approver, version.trained_by)
    if trained or is_same_person(approver, registrant):
        deed = "trained" if trained else "registered"
        raise GateError(
            what=f"{approver.strip()!r} {deed} {version.ref} and may not approve it.",
            why="In a team's store four eyes look at a version.",
            fix=f"Ask a colleague to run: penstock approve {version.ref} --reason WHY",
            approver=approver,
        )


def open_gates(version: ModelVersionRecord) -> list[GateResult]:
    """Return the gates that did not pass."""
    return [gate for gate in version.gates if gate.state is not GateState.PASSED]


def describe_force(
    version: ModelVersionRecord,
    reason: str,
    force_reason: str | None,
    accepted: tuple[Sequence[str], str | None] = ((), None),
) -> str:
    """Return the reason of a promotion, with overruled gates and accepted changes for callers.

    Args:
        version: The version that is promoted.
        reason: Reason given by the actor.
        force_reason: Why gates are overruled.
        accepted: Changes that break callers of the production version, and why these are accepted.
    """
    gates = open_gates(version) if force_reason else []
    changes, why = accepted
    parts = []
    if gates:
        names = ", ".join(f"'{gate.gate}' ({gate.state.value})" for gate in gates)
        parts.append(f"FORCED past {names}: {force_reason}")
    if changes and why:
        parts.append(f"ACCEPTED changes for callers ({' '.join(changes)}): {why}")
    if reason or not parts:
        parts.append(reason or force_reason or why or "")
    return " ".join(parts)


def _gate_reason(version: ModelVersionRecord, gate: GateResult) -> str:
    reason = f"gate '{gate.gate}' {gate.state.value}: {gate.reason.rstrip('.')}."
    if gate.state is GateState.FAILED:
        return (
            f"{reason} Train a better version, or change the gate where the pipeline registers it."
        )
    if version.run_id is None:
        return f"{reason} The version has no run to prove: register it from a pipeline."
    return f"{reason} Run: penstock verify {version.run_id}"


def _changes_reason(changes: Sequence[str]) -> str:
    return (
        f"requests that the production version answers would break: {' '.join(changes)} "
        "If every caller is ready for it: --accept-changes WHY"
    )


def _approval_reason(version: ModelVersionRecord, approvals: ApprovalState) -> str:
    trainer, counted = version.trained_by or "its trainer", approvals.counted
    reason = f"no one other than {trainer} has approved it."
    if counted:
        names = ", ".join(each.actor for each in counted)
        reason = f"{len(counted)} of {approvals.needed} have approved it ({names})."
    elif approvals.needed > 1:
        reason = f"none of {approvals.needed} people other than {trainer} has approved it."
    reason = " ".join([reason, *approvals.refused])
    return (
        f"{reason} A colleague approves it with: penstock approve {version.ref} --actor NAME"
        " --reason WHY"
    )
