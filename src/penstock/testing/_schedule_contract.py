"""Contract of schedules and ticks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from penstock.core import (
    NotFoundError,
    ScheduleRecord,
    TickRecord,
    TickState,
    now,
)
from penstock.stores import MetadataStore
from penstock.testing._records import START, at

NIGHTLY = ScheduleRecord(
    "nightly",
    "big_tips",
    "big_tips.py:big_tips",
    {"cron": "0 3 * * *"},
    START,
    params={"lr": 0.1},
    options={"missed": "last", "max_active_runs": 1},
    created_by="ada",
)
TICK = TickRecord("nightly", "2026-01-02", at(60), facts={"params": {"cutoff": "2026-01-02"}})


class ScheduleContract:
    """Tests of schedules and ticks; see MetadataStoreContract."""

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
                max_active=1,
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
        assert metadata.schedules.claim_tick(
            TICK, holder="a", until=past, run_id="r1", max_active=1
        )
        taken = metadata.schedules.claim_tick(
            TICK, holder="b", until=soon, run_id="r2", max_active=1
        )
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
                tick, holder="a", until=soon, run_id=f"r{tick.key}", max_active=2
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
