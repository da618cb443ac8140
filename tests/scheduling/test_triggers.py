"""Triggers: what each finds due, told by what it saw last and by the moment alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import AlertRecord, DefinitionError, ParameterError, Stage, StageEvent
from penstock.data import FileSource
from penstock.pipelines import Partitions
from penstock.scheduling._triggers import (
    MOST_DUE,
    Sight,
    begin_of_window,
    describe_trigger,
    look,
    next_due,
    require_cron,
)
from penstock.testing._records import START, a_run, a_version

FIELDS = st.sampled_from(["*", "0", "7", "*/15", "3-9", "5,50"])
HOURS = st.sampled_from(["*", "0", "3", "*/6", "9-17"])
DAYS = st.sampled_from(["*", "1", "*/2"])
WEEKDAYS = st.sampled_from(["*", "1-5", "0"])
MOMENTS = st.integers(0, 365 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def fits(field: str, value: int, least: int = 0) -> bool:
    """Whether a cron field allows a value, read another way than the library does."""
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        inside = span == "*" or int(low) <= value <= int(high or low)
        first = least if span == "*" else int(low)
        if inside and (not step or (value - first) % int(step) == 0):
            return True
    return False


def sight(moment: datetime, **facts) -> Sight:
    return Sight(facts.pop("store", None), moment=moment, **facts)


@given(FIELDS, HOURS, DAYS, WEEKDAYS, MOMENTS, st.integers(1, 600))
def test_cron_is_due_at_each_minute_that_its_fields_allow(minute, hour, day, weekday, moment, span):
    trigger = {"cron": f"{minute} {hour} {day} * {weekday}", "timezone": "UTC"}
    until = moment + timedelta(minutes=span)
    found = look(trigger, {"at": moment.isoformat()}, sight(until)).due
    each = (moment.replace(second=0, microsecond=0) + timedelta(minutes=n) for n in range(span + 1))
    # A day and a weekday that both say something are alternatives, as in every cron.
    expected = [
        m
        for m in each
        if moment < m <= until
        and fits(minute, m.minute)
        and fits(hour, m.hour)
        and (
            (fits(day, m.day, 1) and fits(weekday, m.isoweekday() % 7))
            if day.startswith("*") or weekday.startswith("*")
            else (fits(day, m.day, 1) or fits(weekday, m.isoweekday() % 7))
        )
    ]
    assert [each.at for each in found] == expected[-MOST_DUE:]


@given(st.lists(st.integers(0, 4000), min_size=2, max_size=6, unique=True), MOMENTS)
def test_however_often_one_looks_the_same_is_due(pauses, start):
    trigger = {"cron": "*/7 * * * *", "timezone": "Europe/Zurich"}
    moments = [start + timedelta(seconds=each) for each in sorted(pauses)]
    whole = look(trigger, {"at": start.isoformat()}, sight(moments[-1])).due
    cursor, pieces = {"at": start.isoformat()}, []  # type: ignore[var-annotated]
    for moment in moments:
        seen = look(trigger, cursor, sight(moment))
        cursor, pieces = seen.cursor, [*pieces, *seen.due]  # type: ignore[assignment]
    assert tuple(pieces) == whole


def test_a_night_that_lacks_or_repeats_the_hour_has_one_run():
    trigger = {"cron": "30 2 * * *", "timezone": "Europe/Zurich"}
    spring = look(
        trigger, {"at": "2026-03-28T12:00:00+00:00"}, sight(datetime(2026, 3, 29, 12, tzinfo=UTC))
    )
    autumn = look(
        trigger, {"at": "2026-10-24T12:00:00+00:00"}, sight(datetime(2026, 10, 25, 12, tzinfo=UTC))
    )
    assert [due.key for due in spring.due] == ["2026-03-29T01:00:00Z"]  # 2:30 does not exist: 3:00
    assert len(autumn.due) == 1


def test_a_long_pause_of_a_short_interval_is_not_counted_through():
    trigger = {"every": "1s", "start": START.isoformat()}
    seen = look(trigger, {"at": START.isoformat()}, sight(START + timedelta(days=365)))
    assert len(seen.due) == MOST_DUE
    assert seen.due[-1].at == START + timedelta(days=365)


@given(st.integers(1, 10_000), st.integers(0, 100_000), st.integers(0, 50_000))
def test_an_interval_is_due_at_its_multiples(step, begin, span):
    trigger = {"every": f"{step}s", "start": START.isoformat()}
    cursor = START + timedelta(seconds=begin)
    until = cursor + timedelta(seconds=span)
    found = [due.at for due in look(trigger, {"at": cursor.isoformat()}, sight(until)).due]
    expected = [
        START + timedelta(seconds=n * step)
        for n in range(begin // step + 1, (begin + span) // step + 1)
    ]
    assert found == expected[-MOST_DUE:]


@pytest.mark.parametrize(
    "trigger",
    [{"cron": "* * * * *"}, {"every": "1s", "start": START.isoformat()}],
)
def test_the_first_look_finds_nothing(trigger):
    assert look(trigger, None, sight(START)).due == ()


def test_each_partition_is_due_once_when_it_is_over():
    parts = Partitions.daily("2026-01-01")
    first = look(
        {"partitions": "2h"}, None, sight(datetime(2026, 1, 3, 1, tzinfo=UTC), partitions=parts)
    )
    assert [due.key for due in first.due] == ["2026-01-01"]
    then = look(
        {"partitions": "2h"},
        first.cursor,
        sight(datetime(2026, 1, 4, 3, tzinfo=UTC), partitions=parts),
    )
    assert [(due.key, due.facts) for due in then.due] == [
        ("2026-01-02", {"partition": "2026-01-02"}),
        ("2026-01-03", {"partition": "2026-01-03"}),
    ]
    assert next_due({"partitions": "2h"}, {"at": "2026-01-04T03:00:00+00:00"}, parts) == datetime(
        2026, 1, 5, 2, tzinfo=UTC
    )


def test_a_key_that_is_added_later_is_due_then():
    first = look(
        {"partitions": "0s"}, None, sight(START, partitions=Partitions.by(region=["eu", "us"]))
    )
    assert [due.key for due in first.due] == ["eu", "us"]
    more = Partitions.by(region=["eu", "ch", "us"])
    assert [
        due.key
        for due in look({"partitions": "0s"}, first.cursor, sight(START, partitions=more)).due
    ] == ["ch"]


def test_new_data_is_due_once_it_has_come_to_rest(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("a\n1\n")
    source = FileSource(str(file))
    trigger = {"new_data": "rows.csv"}

    def again(cursor):
        return look(trigger, cursor, sight(START, source=source))

    seen = again(None)
    assert again(seen.cursor).due == ()
    file.write_text("a\n1\n2\n")
    writing = again(seen.cursor)
    assert writing.due == ()
    file.write_text("a\n1\n2\n3\n")
    still = again(writing.cursor)
    assert still.due == ()
    rest = again(still.cursor)
    assert [due.reason for due in rest.due] == ["rows has new data."]
    assert again(rest.cursor).due == ()
    file.touch()  # written again with the same rows
    assert again(again(rest.cursor).cursor).due == ()


def test_unchanged_files_are_not_read_again(tmp_path, monkeypatch):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    source = FileSource(str(tmp_path / "rows.csv"))
    cursor = look({"new_data": ""}, None, sight(START, source=source)).cursor
    reads = []
    monkeypatch.setattr(FileSource, "fingerprint", lambda _: reads.append(1) or {})
    look({"new_data": ""}, cursor, sight(START, source=source))
    assert reads == []


@pytest.mark.parametrize("has_mark", [True, False])
def test_a_source_whose_state_cannot_be_known_is_watched_by_its_mark(has_mark):
    class Rows:
        name, time, rows = "rows", None, 1

        def describe(self):
            return {}

        def fingerprint(self):
            return None

        def stamp(self):
            return {"rows": self.rows} if has_mark else None

        def scan(self, since=None, cutoff=None):
            return []

    source = Rows()

    def again(cursor):
        return look({"new_data": ":rows"}, cursor, sight(START, source=source))

    if not has_mark:
        with pytest.raises(ParameterError, match="cannot tell whether it has new data"):
            again(None)
        return
    seen = again(None)
    assert again(seen.cursor).due == ()
    source.rows = 2
    writing = again(seen.cursor)
    assert writing.due == ()
    assert [due.reason for due in again(writing.cursor).due] == ["rows has new data."]


def test_a_version_is_due_when_it_is_made_and_when_it_comes_into_a_stage(project):
    store = project.store
    run = a_run()
    store.metadata.runs.create(run)
    new, moved = {"new_version": "fraud"}, {"new_version": "fraud@staging"}
    first = look(new, None, sight(START, store=store)).cursor
    staged = look(moved, None, sight(START, store=store)).cursor
    version = store.metadata.models.create_version(
        a_version(model="fraud", run_id=run.run_id), actor="ada"
    )
    due = look(new, first, sight(START, store=store)).due
    assert [(each.key, each.facts) for each in due] == [
        ("fraud@1", {"model": "fraud", "version": 1})
    ]
    assert look(moved, staged, sight(START, store=store)).due == ()
    event = StageEvent("fraud", 1, Stage.NONE, Stage.STAGING, "ada", "try", START, "")
    store.metadata.models.move_stages([event], expected={1: version.revision})
    seen = look(moved, staged, sight(START, store=store))
    assert [each.reason for each in seen.due] == ["Version 1 of fraud came into staging."]
    assert look(moved, seen.cursor, sight(START, store=store)).due == ()


def test_alerts_of_one_moment_are_each_due_even_if_saved_one_by_one(project):
    store = project.store
    alert = AlertRecord("a0", "fraud", "fraud", "feature_drift", "amount", "moved", START, START, 1)
    trigger = {"alert": "fraud"}
    store.metadata.deployments.save_alert(alert)
    cursor = look(trigger, None, sight(START, store=store)).cursor
    keys: list[Any] = []
    for name in ("a1", "a2"):
        store.metadata.deployments.save_alert(replace(alert, alert_id=name))
        seen = look(trigger, cursor, sight(START, store=store))
        cursor, keys = seen.cursor, [*keys, *(due.key for due in seen.due)]
    assert keys == ["a1", "a2"]
    store.metadata.deployments.save_alert(replace(alert, alert_id="a3", kind="performance"))
    assert look({"alert": "fraud/feature_drift"}, cursor, sight(START, store=store)).due == ()


def test_where_nobody_can_know_there_is_no_next_time():
    assert next_due({"new_data": "rows.csv"}, None, None) is None
    assert next_due({"cron": "0 3 * * *"}, {"at": "2026-01-01T04:00:00+00:00"}, None) == datetime(
        2026, 1, 2, 3, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0 3 * *", "wrong number of fields"),
        ("61 * * * *", "bad minute"),
        ("0 0 31 2 *", "bad day"),
    ],
)
def test_a_cron_expression_that_means_nothing_is_refused(text, told):
    with pytest.raises(DefinitionError, match=told):
        require_cron(text, "UTC")


def test_every_trigger_is_told_in_words():
    assert describe_trigger({"every": "6h", "start": "x"}) == "every 6h"
    assert describe_trigger({"partitions": "2h"}) == "each partition, 2h after its end"
    assert describe_trigger({"new_version": "fraud@staging"}) == "fraud in staging"
    assert describe_trigger({"alert": "fraud"}) == "alert of fraud"
    assert describe_trigger({"new_data": "rows.csv"}) == "new data in rows.csv"


@pytest.mark.parametrize(
    ("cron", "window"),
    [
        ("0 * * * *", timedelta(hours=1)),
        ("*/15 * * * *", timedelta(minutes=15)),
        ("0 */6 * * *", timedelta(hours=6)),
        ("0 3 * * *", timedelta(days=1)),
        ("0 0 * * *", timedelta(days=1)),
        ("30 2 * * *", timedelta(days=1)),
        ("0 0 * * 1", timedelta(days=7)),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Zurich", "America/New_York", "Australia/Sydney", "UTC"])
def test_windows_of_ticks_tile_where_clocks_are_changed(cron, window, zone):
    trigger = {"cron": cron, "timezone": zone}
    for month in (3, 4, 10, 11):
        clock = CronSim(cron, datetime(2026, month, 1, tzinfo=ZoneInfo(zone)))
        ticks = [next(clock).astimezone(UTC) for _ in range(int(timedelta(days=35) / window))]
        for before, tick in pairwise(ticks):
            assert begin_of_window(trigger, tick, window) == before


def test_hours_are_hours_and_days_are_days_of_the_calendar():
    trigger = {"cron": "0 12 * * *", "timezone": "Europe/Zurich"}
    noon = datetime(2026, 3, 30, 10, tzinfo=UTC)  # 12:00 after the clocks were moved
    assert begin_of_window(trigger, noon, timedelta(days=90)).hour == 11
    assert noon - begin_of_window(trigger, noon, timedelta(hours=5)) == timedelta(hours=5)
    missing = datetime(2026, 3, 30, 0, 30, tzinfo=UTC)  # 02:30, which the day before does not have
    at_four = {"cron": "0 4 * * *", "timezone": "Europe/Zurich"}
    moved = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert begin_of_window(at_four, missing, timedelta(days=1)) == moved
