"""The recorder on its own: what is written when, and the record of a step that was executed."""

import pytest

from penstock.core import StepRunRecord, StepState, now
from penstock.execution.engine._endings import ended_record
from penstock.execution.engine._recorder import StepRecorder
from penstock.execution.step import Outcome, failed
from penstock.stores import open_store
from penstock.testing._records import a_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        opened.metadata.runs.create(a_run(run_id="r"))
        yield opened


def begun(name, **changes):
    return StepRunRecord(f"id-{name}", "r", name, 0, StepState.RUNNING, started_at=now(), **changes)


def states(store):
    return {step.step: step.state.value for step in store.metadata.steps.list("r")}


def test_an_end_is_written_with_the_next_start(store):
    recorder = StepRecorder(store)
    recorder.start(begun("a"))
    assert states(store) == {"a": "running"}
    recorder.end(ended_record(begun("a"), Outcome()), Outcome())
    assert states(store) == {"a": "running"}, "not yet: the next start brings it along"
    recorder.start(begun("b"))
    assert states(store) == {"a": "finished", "b": "running"}


def test_flush_writes_the_last_end(store):
    recorder = StepRecorder(store)
    recorder.start(begun("a"))
    outcome = failed("a", ValueError("no"))
    recorder.end(ended_record(begun("a"), outcome), outcome)
    recorder.flush()
    recorder.flush()
    assert states(store) == {"a": "failed"}


def test_unfinished_steps_are_killed_and_the_last_end_is_kept(store):
    recorder = StepRecorder(store)
    for name in ("a", "b"):
        recorder.start(begun(name))
    recorder.end(ended_record(begun("a"), Outcome()), Outcome())
    recorder.kill([begun("b")], "it was interrupted")
    assert states(store) == {"a": "finished", "b": "killed"}


def test_outputs_are_recorded_by_both_digests_and_further_artifacts_too(store):
    made, item = store.pack([1] * 9_000), store.pack("an item")
    outcome = Outcome(outputs={"result": made}, nothing=("rest",), facts={"threads": 1})
    record = ended_record(begun("a", facts={"key_parts": {}}), outcome)
    assert record.outputs == {"result": made[0].content_digest}
    assert record.output_address("result") == made[0].digest
    assert (record.facts["nothing"], record.facts["threads"]) == (["rest"], 1)
    assert ("stored" in record.facts) is (made[0].inline is None)
    recorder = StepRecorder(store)
    recorder.start(begun("a"))
    recorder.end(record, outcome, item)
    recorder.flush()
    for artifact in (made[0], item[0]):
        assert store.metadata.artifacts.get(artifact.digest, artifact.content_digest)


def test_metrics_of_a_run_that_is_gone_are_logged_from_the_record(store):
    facts = {"metrics": [["auc", 0.9, 3]], "logged_in": ["gone", 0, 1]}
    StepRecorder(store).copy_metrics(begun("a", facts=facts))
    store.flush()
    assert store.metadata.runs.get("r").metrics["auc"].last == 0.9
