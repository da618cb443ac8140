"""Contract of step runs, logs, decisions and leases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from penstock.core import (
    NOT_TAKEN,
    ConflictError,
    DecisionRecord,
    Edge,
    LogLine,
    NotFoundError,
    RunState,
    StepState,
    now,
)
from penstock.stores import MetadataStore, claim_here
from penstock.testing._records import a_run, a_step, an_artifact, at, digest_of


class StepContract:
    """Tests of step runs, logs, decisions and leases; see MetadataStoreContract."""

    def test_a_step_ends_with_all_that_it_gave(self, metadata: MetadataStore, run_id: str) -> None:
        artifact = an_artifact()
        step = a_step(run_id, key="k", seed=2**63, inputs={"rows": digest_of("rows")})
        metadata.steps.start(step)
        ended = replace(
            step,
            state=StepState.FINISHED,
            ended_at=at(1),
            outputs={"result": artifact.content_digest},
            addresses={artifact.content_digest: artifact.digest},
            facts={"threads": 2, "parts": {"a": [1, None]}},
        )
        edge = Edge(f"step:{step.step_run_id}", f"artifact:{artifact.content_digest}", "output")
        lines = [LogLine(at(0), "stdout", "début"), LogLine(at(0.5), "stderr", "end")]
        after = a_step(run_id, "evaluate", position=1)
        metadata.steps.finish(ended, outputs=[artifact], edges=[edge], logs=lines, next_step=after)
        assert metadata.steps.list(run_id) == [ended, after]
        assert metadata.steps.list_logs(step.step_run_id) == lines
        found = [metadata.steps.find_run(each) for each in (step.step_run_id, run_id, "none")]
        assert found == [run_id, run_id, None]
        assert metadata.artifacts.get(artifact.digest) == artifact
        assert metadata.artifacts.list_edges(edge.source, direction="down") == [edge]

    def test_a_step_of_another_run_is_not_replaced(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        step = a_step(run_id)
        metadata.steps.start(step)
        other = a_run()
        metadata.runs.create(other)
        foreign = replace(step, run_id=other.run_id, state=StepState.FAILED)
        following = a_step(other.run_id, position=1)
        with pytest.raises(ConflictError, match="belongs to something else"):
            metadata.steps.start(foreign)
        with pytest.raises(ConflictError, match="belongs to something else"):
            metadata.steps.finish(foreign)
        with pytest.raises(ConflictError, match="belongs to something else"):
            metadata.steps.finish(following, next_step=foreign)
        assert metadata.steps.list(run_id) == [step]
        assert metadata.steps.list(other.run_id) == []

    def test_output_that_is_no_text_is_kept_as_far_as_it_is(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        step = a_step(run_id, state=StepState.FAILED, error="bad \udcff", traceback="\ud800 ü")
        metadata.steps.finish(step, logs=[LogLine(at(0), "stdout", "caf\xe9 \udcff\x00")])
        # Not every database can keep a NUL or half a character: they are escaped.
        assert metadata.steps.list_logs(step.step_run_id)[0].text == r"café \udcff\x00"
        recorded = metadata.steps.list(run_id)[0]
        assert (recorded.error, recorded.traceback) == (r"bad \udcff", r"\ud800 ü")

    def test_a_step_that_was_never_started_is_inserted(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        step = a_step(run_id, state=StepState.SKIPPED, error="train failed", traceback="…")
        metadata.steps.finish(step)
        assert metadata.steps.list(run_id) == [step]

    def test_a_step_of_an_unknown_run_is_refused_whole(self, metadata: MetadataStore) -> None:
        artifact = an_artifact()
        with pytest.raises(NotFoundError, match="run 'nobody', which does not exist"):
            metadata.steps.finish(a_step("nobody"), outputs=[artifact])
        with pytest.raises(NotFoundError, match="nobody"):
            metadata.steps.start(a_step("nobody"))
        with pytest.raises(NotFoundError):
            metadata.artifacts.get(artifact.digest)

    def test_the_latest_attempt_of_a_step_is_listed(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        first = a_step(run_id, "train", position=1, state=StepState.FAILED)
        again = a_step(run_id, "train", position=1, attempt=2)
        ingest = a_step(run_id, "ingest", position=0)
        for step in (first, ingest, again):
            metadata.steps.start(step)
        assert metadata.steps.list(run_id) == [ingest, again]

    def test_a_cached_step_is_found_only_while_finished_with_outputs_recorded(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        artifact = an_artifact()
        outputs = {"result": artifact.content_digest}
        addresses = {artifact.content_digest: artifact.digest}
        step = a_step(run_id, key="k", outputs=outputs, addresses=addresses)
        metadata.steps.start(step)
        assert metadata.steps.find_cached("k") is None
        done = replace(step, state=StepState.FINISHED)
        metadata.steps.finish(done)
        assert metadata.steps.find_cached("k") is None
        metadata.artifacts.add([artifact])
        assert metadata.steps.find_cached("k") == done
        newer = replace(done, step_run_id="newer")
        metadata.steps.finish(newer)
        assert metadata.steps.find_cached("k") == newer
        assert metadata.steps.find_cached("other") is None

    def test_what_a_run_printed_is_listed_by_its_id(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        lines = [LogLine(at(place), "stdout", f"line {place}") for place in range(3)]
        metadata.steps.add_logs(run_id, lines[:2])
        metadata.steps.add_logs(run_id, lines[2:])
        assert metadata.steps.list_logs(run_id) == lines

    def test_decisions_about_steps_are_kept_in_order(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        waiting = a_step(run_id)
        metadata.steps.start(waiting)
        metadata.steps.finish(replace(waiting, state=StepState.QUEUED, error="waits"))
        decisions = [
            DecisionRecord(run_id, "train", approved, "ada", "as discussed", at(index))
            for index, approved in enumerate((False, True))
        ]
        for decision in decisions:
            metadata.steps.add_decision(decision)
        assert metadata.steps.list_decisions(run_id) == decisions
        with pytest.raises(NotFoundError):
            metadata.steps.add_decision(replace(decisions[0], run_id="no-such-run"))

    def test_only_so_many_hold_a_lease_at_once(self, metadata: MetadataStore) -> None:
        later, earlier = now() + timedelta(minutes=1), now() - timedelta(minutes=1)
        assert metadata.steps.take_lease("warehouse", "a", later, most=2)
        assert metadata.steps.take_lease("warehouse", "b", later, most=2)
        assert not metadata.steps.take_lease("warehouse", "c", later, most=2)
        assert metadata.steps.take_lease("warehouse", "a", later, most=2)  # prolonged
        assert metadata.steps.take_lease("other", "c", later)
        metadata.steps.drop_lease("warehouse", "b")
        metadata.steps.drop_lease("warehouse", "nobody")
        assert metadata.steps.take_lease("warehouse", "c", earlier, most=2)
        assert metadata.steps.take_lease(
            "warehouse", "d", later, most=2
        )  # the lease of c has run out

    def test_of_many_that_ask_at_once_one_gets_the_lease(self, metadata: MetadataStore) -> None:
        start, until = threading.Barrier(8), now() + timedelta(minutes=1)

        def ask(holder: int) -> bool:
            start.wait()
            return metadata.steps.take_lease("one", str(holder), until)

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(ask, range(8))) == 1

    def test_who_holds_a_lease_is_listed_until_it_runs_out(self, metadata: MetadataStore) -> None:
        metadata.steps.take_lease("up", "a", now() + timedelta(minutes=1), most=5)
        metadata.steps.take_lease("up", "b", now() - timedelta(seconds=1), most=5)
        assert metadata.steps.list_holders("up") == ["a"]

    def test_several_processes_claim_steps_of_a_run_and_the_last_decides(
        self, metadata: MetadataStore
    ) -> None:
        run = a_run(state=RunState.QUEUED)
        metadata.runs.create(run)
        one, two = claim_here(run.run_id, "one", 1), claim_here(run.run_id, "two", 1)
        assert metadata.steps.claim_step(one)
        assert metadata.steps.claim_step(two)
        assert metadata.steps.claim_step(one)  # renewed
        assert metadata.runs.get(run.run_id).state is RunState.RUNNING
        assert metadata.runs.kill_dead() == []
        names = ["one", "two", "three"]
        metadata.steps.finish(a_step(run.run_id, "one", state=StepState.FINISHED))
        assert metadata.steps.release_step(one, names) is RunState.RUNNING
        metadata.steps.finish(a_step(run.run_id, "two", state=StepState.CACHED))
        assert metadata.steps.release_step(two, names) is RunState.QUEUED
        three = claim_here(run.run_id, "three", 1)
        assert metadata.steps.claim_step(three)
        skipped = {"state": StepState.SKIPPED, "facts": {NOT_TAKEN: True}}
        metadata.steps.finish(a_step(run.run_id, "three", **skipped))
        assert metadata.steps.release_step(three, names) is RunState.FINISHED
        assert metadata.runs.get(run.run_id).ended_at is not None
        with pytest.raises(ConflictError, match="is finished"):
            metadata.steps.claim_step(three)

    def test_a_failed_step_fails_the_run_once_no_process_works_on_it(
        self, metadata: MetadataStore
    ) -> None:
        run = a_run(state=RunState.QUEUED)
        metadata.runs.create(run)
        bad, good = claim_here(run.run_id, "bad", 1), claim_here(run.run_id, "good", 1)
        assert metadata.steps.claim_step(bad)
        assert metadata.steps.claim_step(good)
        metadata.steps.finish(a_step(run.run_id, "bad", state=StepState.FAILED, error="KeyError"))
        assert metadata.steps.release_step(bad, ["bad", "good"]) is RunState.RUNNING
        metadata.steps.finish(a_step(run.run_id, "good", state=StepState.FINISHED))
        assert metadata.steps.release_step(good, ["bad", "good"]) is RunState.FAILED
        assert metadata.runs.get(run.run_id).error == "KeyError"
        again = claim_here(run.run_id, "bad", 1)
        assert metadata.steps.claim_step(again)
        assert metadata.runs.get(run.run_id).error is None
        metadata.steps.finish(a_step(run.run_id, "bad", state=StepState.FINISHED))
        assert metadata.steps.release_step(again, ["bad", "good"]) is RunState.FINISHED

    def test_a_claimed_step_and_its_items_are_no_others(self, metadata: MetadataStore) -> None:
        run = a_run(state=RunState.QUEUED)
        metadata.runs.create(run)

        def claim(step: str) -> bool:
            return metadata.steps.claim_step(claim_here(run.run_id, step, 1))

        assert claim("train[1]")
        assert not claim("train[1]")
        assert not claim("train")
        assert not claim("train[1]/fit")
        assert claim("train[2]")
        assert claim("training")

    def test_a_run_that_a_process_executes_as_a_whole_is_not_claimed(
        self, metadata: MetadataStore, run_id: str
    ) -> None:
        with pytest.raises(ConflictError, match="executed as a whole"):
            metadata.steps.claim_step(claim_here(run_id, "train", 1))
        metadata.runs.update(run_id, state=RunState.FAILED)
        assert metadata.steps.claim_step(claim_here(run_id, "train", 1))
        with pytest.raises(ConflictError, match="resumed elsewhere"):
            metadata.steps.claim_step(claim_here(run_id, "test", 2))

    def test_the_steps_of_a_process_that_has_gone_are_killed_and_no_others(
        self, metadata: MetadataStore
    ) -> None:
        run = a_run(state=RunState.QUEUED)
        metadata.runs.create(run)
        living = claim_here(run.run_id, "living", 1)
        # A process of this machine, of this boot, that does not exist.
        trace = " ".join([*living.process.split()[:2], "1", "1.0"]) if living.process else ""
        gone = replace(living, claim_id="gone", step="gone", pid=2**22 - 1, process=trace)
        for claim in (living, gone):
            assert metadata.steps.claim_step(claim)
            metadata.steps.start(a_step(run.run_id, claim.step))
        assert metadata.runs.kill_dead() == []
        states = {step.step: step.state for step in metadata.steps.list(run.run_id)}
        assert states == {"living": StepState.RUNNING, "gone": StepState.KILLED}
        assert metadata.runs.get(run.run_id).state is RunState.RUNNING
        assert metadata.steps.claim_step(replace(living, claim_id="again", step="gone"))
        assert metadata.steps.release_step(living, ["living"]) is RunState.RUNNING

    def test_a_run_whose_last_process_has_gone_is_killed(self, metadata: MetadataStore) -> None:
        run = a_run(state=RunState.QUEUED)
        metadata.runs.create(run)
        living = claim_here(run.run_id, "living", 1)
        trace = " ".join([*living.process.split()[:2], "1", "1.0"]) if living.process else ""
        gone = replace(living, claim_id="gone", pid=2**22 - 1, process=trace)
        assert metadata.steps.claim_step(gone)
        metadata.steps.start(a_step(run.run_id, "living"))
        assert metadata.runs.kill_dead() == [run.run_id]
        assert metadata.runs.get(run.run_id).state is RunState.KILLED
        assert metadata.steps.list(run.run_id)[0].state is StepState.KILLED
        assert metadata.steps.claim_step(living)
        assert metadata.runs.get(run.run_id).state is RunState.RUNNING
        assert metadata.runs.kill_dead() == []
