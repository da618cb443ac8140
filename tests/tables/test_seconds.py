"""Seconds since 1970 and back."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from penstock.tables import from_seconds, to_seconds

TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=0))


@given(TIMES)
def test_a_time_comes_back(time):
    assert from_seconds(to_seconds(time)) == time


def test_a_naive_time_and_a_day_count_as_utc():
    naive = datetime.fromisoformat("2024-02-05T00:00:00")
    assert to_seconds(naive) == to_seconds(date(2024, 2, 5)) == 1_707_091_200.0
