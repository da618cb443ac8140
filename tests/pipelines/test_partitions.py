"""Partitions: which there are, what a key means, and what a pipeline must take."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DefinitionError, NotFoundError, ParameterError
from penstock.pipelines import Partitions, pipeline, step

DAYS = st.dates(date(2000, 1, 1), date(2040, 1, 1))
ZONES = st.sampled_from(["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe"])
MAKERS = st.sampled_from([Partitions.daily, Partitions.weekly, Partitions.monthly])


@given(MAKERS, DAYS, st.integers(1, 400), ZONES)
def test_parts_of_time_follow_each_other_without_gap(make, start, days, zone):
    start = start.replace(day=1)
    until = start + timedelta(days=days)
    if until.month == start.month and until.year == start.year:
        until = date(start.year + start.month // 12, start.month % 12 + 1, 1)
    parts = make(start, until=until, timezone=zone)
    spans = list(map(parts.span, parts.keys()))
    assert spans[0][0] == datetime(start.year, start.month, start.day, tzinfo=ZoneInfo(zone))
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert spans[-1][1].date() <= until


@given(MAKERS, DAYS, ZONES, st.integers(0, 3000))
def test_a_part_is_listed_once_it_is_over(make, start, zone, days):
    start = start.replace(day=1)
    parts = make(start, timezone=zone)
    moment = datetime(start.year, start.month, 1, 7, tzinfo=UTC) + timedelta(days=days)
    keys = parts.keys(moment)
    assert all(parts.span(key)[1] <= moment for key in keys)
    assert keys == sorted(keys)
    after = parts.span(keys[-1])[1] if keys else None
    assert after is None or after + timedelta(days=32) > moment


@given(st.integers(0, 8760))
def test_hours_are_those_of_utc(hours):
    start = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    parts = Partitions.hourly(start, until=start + timedelta(hours=30))
    keys = parts.keys()
    assert len(keys) == len(set(keys)) == 30
    begin, end = parts.parameters(keys[3]).values()
    assert (end - begin) == timedelta(hours=1)
    assert begin.tzinfo is not None


def test_a_day_is_the_day_of_its_timezone():
    parts = Partitions.daily("2026-10-24", until="2026-10-27", timezone="Europe/Zurich")
    lengths = [
        end.astimezone(UTC) - begin.astimezone(UTC) for begin, end in map(parts.span, parts.keys())
    ]
    assert lengths == [timedelta(hours=24), timedelta(hours=25), timedelta(hours=24)]


def test_keys_are_combined_in_order():
    parts = Partitions.by(region=["eu", "us"], product=["a", "b"])
    assert parts.keys() == ["eu/a", "eu/b", "us/a", "us/b"]
    assert parts.parameters("us/a") == {"region": "us", "product": "a"}


@pytest.mark.parametrize(
    "parts",
    [
        Partitions.by(region=["eu", "us"]),
        Partitions.daily("2026-01-01", until="2026-02-01", timezone="Europe/Zurich"),
        Partitions.hourly("2026-01-01T05"),
        Partitions.monthly("2026-01-01"),
    ],
)
def test_partitions_come_back_from_their_spec(parts):
    assert Partitions.from_spec(parts.to_spec()) == parts


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Partitions.daily("yesterday"), "no moment"),
        (lambda: Partitions.daily("2026-01-02", until="2026-01-02"), "are none"),
        (lambda: Partitions.daily("2026-01-02", timezone="Zurich"), "no timezone 'Zurich'"),
        (lambda: Partitions.monthly("2026-01-02"), "first of a month"),
        (lambda: Partitions.by(region="eu"), "a unique text"),
        (lambda: Partitions.by(region=["a/b"]), "without a slash"),
        (lambda: Partitions.by(region=["a", "a"]), "a unique text"),
        (Partitions.by, "no values"),
    ],
)
def test_partitions_that_mean_nothing_are_refused(make, told):
    with pytest.raises(DefinitionError, match=told):
        make()


@pytest.mark.parametrize("key", ["2026-01-09", "2025-12-31", "monday", "2026-1"])
def test_a_key_that_is_none_is_refused(key):
    parts = Partitions.daily("2026-01-01", until="2026-01-05")
    with pytest.raises(NotFoundError, match="no partition"):
        parts.parameters(key)


def test_parts_without_end_need_a_moment():
    with pytest.raises(ParameterError, match="no end"):
        Partitions.daily("2026-01-01").keys()


@step
def position_text(cutoff: date) -> str:
    return str(cutoff)


def test_a_pipeline_must_take_what_its_partitions_give():
    with pytest.raises(DefinitionError, match="no parameter 'region'"):

        @pipeline(partitions=Partitions.by(region=["eu"]))
        def other(cutoff: date):
            return position_text(cutoff)


def test_a_partition_gives_the_parameters_that_the_pipeline_has():
    @pipeline(partitions=Partitions.daily("2026-01-01"))
    def job(cutoff: date, strength: float = 1.0):
        return position_text(cutoff)

    assert job.bind_partition("2026-01-02", {"strength": "2"}) == {
        "cutoff": date(2026, 1, 3),
        "strength": 2.0,
    }
    with pytest.raises(ParameterError, match="gives it already"):
        job.bind_partition("2026-01-02", {"cutoff": "2026-01-01"})
