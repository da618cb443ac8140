"""Decision: the next state of a step that waits for a person's decision."""

from collections.abc import Sequence

from penstock.core import DecisionRecord, StepState
from penstock.execution.step import Work


def apply_decision(work: Work, decisions: Sequence[DecisionRecord]) -> Work:
    """Return an approved step as work to execute, a rejected step as failed, else as queued.

    Args:
        work: The step, planned to be executed.
        decisions: Decisions about steps of the run, oldest first; the latest counts.
    """
    latest = next((d for d in reversed(decisions) if d.step == work.node.name), None)
    if latest is None:
        message = str(work.node.arguments.get("message") or "")
        why = "it waits for approval" + (f": {message}" if message else "")
        return work.changed(state=StepState.QUEUED, error=why)
    if not latest.approved:
        why = f"{latest.actor} refused it: {latest.reason}"
        return work.changed(state=StepState.FAILED, error=why)
    approval = {"approved_by": latest.actor, "approved_for": latest.reason}
    return work.changed(facts={**work.record.facts, **approval})
