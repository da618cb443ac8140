"""Contract of every MetadataStore for schedules, ticks, hooks and events."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from penstock.core import (
    EventState,
    HookRecord,
    NotFoundError,
    RunState,
    ScheduleRecord,
    StepState,
    TickRecord,
    TickState,
    now,
)
from penstock.stores import MetadataStore
from penstock.testing._records import START, a_run, a_step, at

NIGHTLY = ScheduleRecord(
    "nightly",
    "big_tips",
    "big_tips.py:big_tips",
    {"cron": "0 3 * * *"},
    START,
    params={"lr": 0.1},
    options={"missed": "last", "at_most": 1},
    created_by="ada",
)
TICK = TickRecord("nightly", "2026-01-02", at(60), facts={"params": {"cutoff": "2026-01-02"}})
HOOK = HookRecord("team", "https://example.org/hook", "webhook", "whsec_abc", ("*",), START)


class ScheduleContract:
    """Tests about schedules and hooks; see MetadataStoreContract."""

    def test_a_schedule_comes_back_as_it_was_given(self, metadata: MetadataStore) -> None:
        paused = replace(NIGHTLY, paused_at=at(1), cursor={"at": "x"}, error="b\xf6se")
        metadata.schedules.save(paused)
        assert metadata.schedules.get("nightly") == paused
        assert metadata.schedules.list() == [paused]
        with pytest.raises(NotFoundError, match="Did you mean 'nightly'"):
            metadata.schedules.get("nightli")

    def test_a_schedule_advances_once_for_what_was_seen_once(self, metadata: MetadataStore) -> None:
        metadata.schedules.save(NIGHTLY)
        assert metadata.schedules.advance(
            "nightly", expected_revision=1, ticks=[TICK], cursor={"at": 1}
        )
        late = replace(TICK, key="other")
        assert not metadata.schedules.advance("nightly", expected_revision=1, ticks=[late])
        assert metadata.schedules.list_ticks("nightly") == [TICK]
        assert metadata.schedules.get("nightly").cursor == {"at": 1}

    def test_a_tick_whose_key_is_there_is_left_as_it_is(self, metadata: MetadataStore) -> None:
        metadata.schedules.save(NIGHTLY)
        assert metadata.schedules.add_tick(TICK)
        assert not metadata.schedules.add_tick(replace(TICK, reason="again"))
        assert metadata.schedules.list_ticks() == [TICK]

    def test_one_of_many_gets_a_tick(self, metadata: MetadataStore) -> None:
        metadata.schedules.save(NIGHTLY)
        metadata.schedules.add_tick(TICK)
        start = threading.Barrier(6)

        def claim(worker: int) -> TickRecord | None:
            start.wait()
            return metadata.schedules.claim_tick(
                TICK,
                holder=f"w{worker}",
                until=now() + timedelta(minutes=1),
                run_id=f"r{worker}",
                at_most=1,
            )

        with ThreadPoolExecutor(6) as pool:
            claimed = [tick for tick in pool.map(claim, range(6)) if tick is not None]
        assert len(claimed) == 1
        assert claimed[0].state is TickState.RUNNING
        assert claimed[0].run_id == "r" + str(claimed[0].holder)[1:]

    def test_a_silent_holders_tick_is_taken_over_with_its_run(
        self, metadata: MetadataStore
    ) -> None:
        metadata.schedules.save(NIGHTLY)
        metadata.schedules.add_tick(TICK)
        past, soon = now() - timedelta(seconds=1), now() + timedelta(minutes=1)
        assert metadata.schedules.claim_tick(TICK, holder="a", until=past, run_id="r1", at_most=1)
        taken = metadata.schedules.claim_tick(TICK, holder="b", until=soon, run_id="r2", at_most=1)
        assert taken is not None
        assert (taken.holder, taken.run_id, taken.attempt) == ("b", "r1", 2)
        assert not metadata.schedules.update_tick(TICK, held_by="a", state=TickState.FINISHED)
        assert metadata.schedules.update_tick(TICK, held_by="b", state=TickState.FINISHED)
        assert metadata.schedules.list_ticks(states=[TickState.FINISHED])[0].run_id == "r1"

    def test_no_more_ticks_are_given_than_may_go_on_at_once(self, metadata: MetadataStore) -> None:
        metadata.schedules.save(NIGHTLY)
        soon = now() + timedelta(minutes=1)
        ticks = [replace(TICK, key=str(number)) for number in range(3)]
        for tick in ticks:
            metadata.schedules.add_tick(tick)
        got = [
            metadata.schedules.claim_tick(
                tick, holder="a", until=soon, run_id=f"r{tick.key}", at_most=2
            )
            for tick in ticks
        ]
        assert [tick is not None for tick in got] == [True, True, False]

    def test_a_deleted_schedule_takes_its_ticks_along(self, metadata: MetadataStore) -> None:
        metadata.schedules.save(NIGHTLY)
        metadata.schedules.add_tick(TICK)
        metadata.schedules.delete("nightly")
        assert metadata.schedules.list() == []
        assert metadata.schedules.list_ticks() == []
        with pytest.raises(NotFoundError):
            metadata.schedules.delete("nightly")

    def test_who_holds_a_lease_is_listed_until_it_runs_out(self, metadata: MetadataStore) -> None:
        metadata.steps.take_lease("up", "a", now() + timedelta(minutes=1), most=5)
        metadata.steps.take_lease("up", "b", now() - timedelta(seconds=1), most=5)
        assert metadata.steps.list_holders("up") == ["a"]

    def test_what_happens_is_noted_for_who_wants_to_know(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        metadata.hooks.save(replace(HOOK, name="alarm", events=("run.failed", "step.failed")))
        run = a_run()
        metadata.runs.create(run)
        step = a_step(run.run_id)
        metadata.steps.start(step)
        metadata.steps.finish(replace(step, state=StepState.FAILED, error="boom"))
        metadata.runs.update(run.run_id, note="unlike a state, this is no event")
        metadata.runs.update(run.run_id, state=RunState.FAILED, error="train: boom")
        kinds = [event.kind for event in metadata.hooks.list_events("team")]
        assert kinds == ["run.started", "step.started", "step.failed", "run.failed"]
        alarms = metadata.hooks.list_events("alarm")
        assert [(event.kind, event.step) for event in alarms] == [
            ("step.failed", "train"),
            ("run.failed", None),
        ]
        assert alarms[0].facts["error"] == "boom"
        assert metadata.hooks.count_events() == {"alarm": {"pending": 2}, "team": {"pending": 4}}

    def test_what_is_undone_is_no_event(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        with pytest.raises(NotFoundError):
            metadata.steps.start(a_step("no-such-run"))
        assert metadata.hooks.list_events("team") == []

    def test_a_dead_process_is_told_of_with_its_steps(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        run = a_run(pid=2**22 + 1, pid_started=1.0, heartbeat_at=START)
        metadata.runs.create(run)
        metadata.steps.start(a_step(run.run_id))
        assert metadata.runs.kill_dead() == [run.run_id]
        assert [event.kind for event in metadata.hooks.list_events("team")][2:] == [
            "step.killed",
            "run.killed",
        ]

    def test_events_are_tried_again_given_up_or_removed(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        metadata.runs.create(a_run())
        metadata.runs.create(a_run())
        first, second = metadata.hooks.list_events("team")
        later = now() + timedelta(hours=1)
        metadata.hooks.update_event(first.event_id, due_at=later, attempts=1, error="refused")
        assert metadata.hooks.list_events("team", due=now()) == [second]
        assert metadata.hooks.get("team").error == "refused"
        metadata.hooks.drop_events("team", [second.event_id], delivered=True)
        hook = metadata.hooks.get("team")
        assert (hook.delivered, hook.error) == (1, None)
        metadata.hooks.update_event(first.event_id, state=EventState.DEAD)
        assert metadata.hooks.list_events("team") == []
        assert metadata.hooks.list_events("team", state=EventState.DEAD)[0].attempts == 1

    def test_a_hook_comes_back_as_it_was_given(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        assert metadata.hooks.list() == [HOOK]
        metadata.hooks.drop_events("team", ["e"], delivered=True)
        metadata.hooks.save(replace(HOOK, url="https://example.org/other"))
        assert metadata.hooks.get("team").delivered == 1
        metadata.hooks.delete("team")
        with pytest.raises(NotFoundError, match="no hook 'team'"):
            metadata.hooks.get("team")
