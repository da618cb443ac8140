from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from penstock.core import DataError
from penstock.data._moments import (
    as_moments,
    ends_of,
    moments_of,
    time_columns,
    time_name,
    to_moment,
)


def test_dates_naive_and_zoned_times_meet_on_one_scale():
    noon = datetime(2016, 1, 1, 12, tzinfo=UTC)
    berlin = pl.Series([noon]).dt.convert_time_zone("Europe/Berlin")
    assert as_moments(berlin).to_list() == [noon]
    assert as_moments(pl.Series([noon.replace(tzinfo=None)])).to_list() == [noon]
    assert as_moments(pl.Series([date(2016, 1, 1)])).to_list() == [noon - timedelta(hours=12)]


def test_a_date_and_an_hour_make_a_time():
    table = pl.DataFrame({"day": ["2011-01-01", "2011-01-02"], "hr": [5, None]})
    assert moments_of(table, ("day", "hr")).to_list() == [datetime(2011, 1, 1, 5, tzinfo=UTC), None]


@pytest.mark.parametrize("hours", [[25], [-1], ["noon"]])
def test_hours_out_of_the_day_are_refused(hours):
    table = pl.DataFrame({"day": ["2011-01-01"], "hr": hours})
    with pytest.raises(DataError, match=r"'hr' does not hold hours"):
        moments_of(table, ("day", "hr"))


@pytest.mark.parametrize(
    "value",
    [
        "2016-06-30",
        date(2016, 6, 30),
        datetime(2016, 6, 30),  # noqa: DTZ001
        datetime(2016, 6, 30, 2, tzinfo=timezone(timedelta(hours=2))),
        "2016-06-30T00:00:00Z",
    ],
)
def test_a_limit_is_read_in_utc(value):
    assert to_moment(value, "cutoff") == datetime(2016, 6, 30, tzinfo=UTC)


def test_a_limit_that_is_no_date_is_refused():
    with pytest.raises(DataError, match=r"cutoff is 'soon'.*cutoff=2016-06-30"):
        to_moment("soon", "cutoff")


def test_no_times_have_no_ends():
    assert ends_of(pl.Series([None], dtype=pl.Datetime("us", "UTC"))) == (None, None)


def test_a_time_is_named_by_its_columns():
    assert time_columns(None) == []
    assert time_columns("t") == ["t"]
    assert time_columns(("day", "hr")) == ["day", "hr"]
    assert time_name("t") == "t"


@pytest.mark.parametrize(
    ("dtype", "a_day"),
    [
        (pl.Date, 1),
        (pl.Datetime("ms"), 86_400_000),
        (pl.Datetime("us"), 86_400_000_000),
        (pl.Datetime("us", "UTC"), 86_400_000_000),
    ],
)
def test_years_that_python_has_not_are_refused(dtype, a_day):
    first, after_last = date(1, 1, 1) - date(1970, 1, 1), date(9999, 12, 31) - date(1970, 1, 1)
    whole = pl.Series("at", [first.days * a_day, (after_last.days + 1) * a_day - 1, None]).cast(
        dtype
    )
    ends = ends_of(as_moments(whole))
    assert [end and end.year for end in ends] == [1, 9999]
    for number in (first.days * a_day - 1, (after_last.days + 1) * a_day):
        with pytest.raises(DataError, match=r"1 times of 'at' lie before the year 1 or after 9999"):
            as_moments(pl.Series("at", [number, 0]).cast(dtype))
