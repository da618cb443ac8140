"""``approve_step`` and ``reject_step``: decisions about a step that waits for approval."""

from penstock.core import (
    ConflictError,
    DecisionRecord,
    GateError,
    NotFoundError,
    Permission,
    RunRecord,
    StepRunRecord,
    StepState,
    did_you_mean,
    is_same_person,
    now,
    require_reason,
)
from penstock.people import decide_as
from penstock.stores import Store, open_store


def approve_step(
    run: str,
    step: str = "approval",
    *,
    reason: str,
    actor: str | None = None,
    store: Store | str | None = None,
) -> DecisionRecord:
    """Approve a waiting step of a run; the run is to be resumed afterwards.

    Args:
        run: Id of the run; a unique prefix, or ``"last"``.
        step: Name of the waiting step, as given to `wait_for_approval`.
        reason: Why; recorded with the run.
        actor: Actor of the approval; by default the user of this process.
        store: Store that has the run; by default the project's store.

    Raises:
        NotFoundError: If there is no such run or step.
        ConflictError: If the step does not wait for approval.
        GateError: If the actor started the run, in a team's store.
        ParameterError: If the reason is empty.
    """
    return _decide(run, step, approved=True, reason=reason, actor=actor, store=store)


def reject_step(
    run: str,
    step: str = "approval",
    *,
    reason: str,
    actor: str | None = None,
    store: Store | str | None = None,
) -> DecisionRecord:
    """Reject a waiting step of a run; the step fails with the reason when the run is resumed.

    Args:
        run: Id of the run; a unique prefix, or ``"last"``.
        step: Name of the waiting step, as given to `wait_for_approval`.
        reason: Why; recorded with the run.
        actor: Actor of the rejection; by default the user of this process.
        store: Store that has the run; by default the project's store.

    Raises:
        NotFoundError: If there is no such run or step.
        ConflictError: If the step does not wait for approval.
        ParameterError: If the reason is empty.
    """
    return _decide(run, step, approved=False, reason=reason, actor=actor, store=store)


def _decide(
    run: str,
    step: str,
    *,
    approved: bool,
    reason: str,
    actor: str | None,
    store: Store | str | None,
) -> DecisionRecord:
    opened = open_store(store)
    reason = require_reason(reason, f"The decision about step {step!r}")
    record = opened.metadata.runs.get(run)
    _require_waiting(opened, record, step)
    who, _ = decide_as(actor, Permission.APPROVE, record.experiment, store=opened)
    decision = DecisionRecord(record.run_id, step, approved, who, reason, now())
    require_decision(decision, store=opened)
    opened.metadata.steps.add_decision(decision)
    return decision


def require_decision(decision: DecisionRecord, *, store: Store) -> None:
    """Check that a step waits for a decision, and that its actor may make it.

    Args:
        decision: The decision; its actor is whoever decides.
        store: Store of the run.

    Raises:
        NotFoundError: If there is no such run or step.
        ConflictError: If the step does not wait.
        GateError: If the actor started the run, in a team's store.
        ParameterError: If the reason is empty.
    """
    step = decision.step
    require_reason(decision.reason, f"The decision about step {step!r}")
    record = store.metadata.runs.get(decision.run_id)
    _require_waiting(store, record, step)
    if decision.approved and not store.single_user and is_same_person(decision.actor, record.user):
        raise GateError(
            what=f"{decision.actor} started run {record.run_id} and cannot approve it.",
            why="In a team's store a second person approves.",
            fix="Ask a colleague to approve the step.",
        )


def _require_waiting(store: Store, record: RunRecord, step: str) -> None:
    steps = {each.step: each for each in store.metadata.steps.list(record.run_id)}
    if step not in steps:
        waiting = [name for name, each in steps.items() if each.state is StepState.QUEUED]
        raise NotFoundError(
            what=f"Run {record.run_id} has no step {step!r} that waits.",
            fix=did_you_mean(step, waiting),
        )
    decided = any(d.step == step for d in store.metadata.steps.list_decisions(record.run_id))
    if steps[step].state is not StepState.QUEUED and not (decided and _is_open(steps[step])):
        raise ConflictError(
            what=f"Step {step!r} of run {record.run_id} is {steps[step].state.value}.",
            why="Only a step that waits for approval can be approved or rejected.",
            fix=f"See the run with: penstock show {record.run_id}",
        )


def _is_open(step: StepRunRecord) -> bool:
    """Return whether a decided step can be decided again: only if the step was rejected."""
    return step.state is StepState.FAILED
