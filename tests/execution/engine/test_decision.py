"""A step that waits for a decision: queued, rejected or approved."""

from penstock.core import DecisionRecord, StepRunRecord, StepState, now
from penstock.execution.engine._decision import apply_decision
from penstock.execution.step import Work
from penstock.pipelines import Node, step


@step
def sign(message: str = ""): ...


WAITING = Work(
    Node("sign", sign, {"message": "is it good?"}),
    StepRunRecord("s", "r", "sign", 0, StepState.RUNNING),
)


def decision(*, approved, step="sign"):
    return DecisionRecord("r", step, approved, "ada", "because", now())


def test_a_step_without_a_decision_waits():
    record = apply_decision(WAITING, [decision(approved=True, step="other")]).record
    assert record.state is StepState.QUEUED
    assert record.error == "it waits for approval: is it good?"


def test_the_latest_decision_counts():
    rejected = apply_decision(WAITING, [decision(approved=True), decision(approved=False)])
    assert (rejected.executes, rejected.record.state) == (False, StepState.FAILED)
    assert rejected.record.error == "ada refused it: because"
    approved = apply_decision(WAITING, [decision(approved=False), decision(approved=True)])
    assert approved.executes
    assert approved.record.facts == {"approved_by": "ada", "approved_for": "because"}
