from datetime import UTC, date, datetime

import polars as pl
import pytest

from penstock.core import DataError
from penstock.data import guess_time_format, read_times
from penstock.tables.reading._times import read_iso

MOMENT = datetime(2014, 5, 16, 19, 45, tzinfo=UTC)
SECONDS = 1_400_269_500


@pytest.mark.parametrize(
    "values",
    [
        [SECONDS],
        [SECONDS * 1_000],
        [SECONDS * 1_000_000],
        [SECONDS * 1_000_000_000],
        [float(SECONDS)],
        [str(SECONDS)],
        [f"{SECONDS}.0"],
        ["2014-05-16T19:45:00Z"],
        ["2014-05-16 19:45:00 UTC"],
        ["2014-05-16T21:45:00+02:00"],
        ["2014-05-16T21:45+0200"],
        ["2014-05-16T19:45:00.000Z"],
        [MOMENT],
    ],
    ids=str,
)
def test_a_moment_is_read_as(values):
    times = read_times(pl.Series("t", [*values, None]))
    assert times.to_list() == [MOMENT, None]


@pytest.mark.parametrize(
    "values",
    [
        ["2014-05-16T19:45"],
        ["2014-05-16 19:45:00"],
        ["2014-05-16T19:45:00,000"],
        ["2014-5-16 19:45:00.000000"],
    ],
    ids=str,
)
def test_a_moment_without_zone_stays_naive(values):
    assert read_times(pl.Series("t", values)).to_list() == [MOMENT.replace(tzinfo=None)]


@pytest.mark.parametrize("values", [["2014-05-16"], [20140516], ["20140516"], [date(2014, 5, 16)]])
def test_a_day_is_read_as(values):
    assert read_times(pl.Series("t", values)).to_list() == [date(2014, 5, 16)]


def test_days_and_moments_may_be_mixed():
    times = read_times(pl.Series("t", ["2014-05-16", "2014-05-16T19:45"]))
    assert times.to_list() == [datetime(2014, 5, 16), datetime(2014, 5, 16, 19, 45)]  # noqa: DTZ001


def test_fractions_of_a_second_are_kept():
    times = read_times(pl.Series("t", ["2014-05-16T19:45:00.123456Z", "2014-05-16T19:45:00Z"]))
    assert times[0].microsecond == 123_456
    assert read_times(pl.Series("t", [SECONDS + 0.5])).to_list()[0].microsecond == 500_000


def test_a_format_is_used_as_given():
    days = read_times(pl.Series("t", ["16/05/2014"]), "%d/%m/%Y")
    assert days.to_list() == [date(2014, 5, 16)]
    zoned = read_times(pl.Series("t", ["16.05.2014 21:45 +0200"]), "%d.%m.%Y %H:%M %z")
    assert zoned.to_list() == [MOMENT]


def test_a_value_that_does_not_fit_the_format_is_shown():
    with pytest.raises(DataError, match=r"'soon', not written as '%d/%m/%Y'"):
        read_times(pl.Series("t", ["16/05/2014", "soon"]), "%d/%m/%Y")


def test_a_column_without_values_has_no_times():
    assert read_times(pl.Series("t", [None])).to_list() == [None]
    assert read_times(pl.Series("t", [None], dtype=pl.Int64)).to_list() == [None]


def test_text_that_is_no_time_is_shown():
    with pytest.raises(DataError, match=r"'t' holds 'soon', which is no time"):
        read_times(pl.Series("t", ["2014-05-16", "soon"]))


def test_a_counter_is_no_time():
    with pytest.raises(DataError, match=r"numbers like 1 and 3.*time_format"):
        read_times(pl.Series("t", [1, 2, 3]))


def test_a_date_that_does_not_exist_is_no_time():
    with pytest.raises(DataError):
        read_times(pl.Series("t", ["2014-02-30"]))
    assert read_iso(pl.Series("t", ["2014-02-30"])) is None


def test_zoned_and_naive_times_in_one_column_are_not_guessed():
    assert read_iso(pl.Series("t", ["2014-05-16T19:45Z", "2014-05-16T19:45"])) is None


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["31.12.2015", None], "%d.%m.%Y"),
        (["12/31/2015 01:30:00 PM"], "%m/%d/%Y %I:%M:%S %p"),
        (["2015/12/31"], "%Y/%m/%d"),
        (["01/02/2015", "13/02/2015"], "%d/%m/%Y"),
        (["01/02/2015"], None),
        (["soon"], None),
        ([None], None),
    ],
)
def test_a_format_is_guessed_only_if_one_fits(texts, expected):
    assert guess_time_format(pl.Series("t", texts, dtype=pl.String)) == expected


def test_the_guess_is_offered_in_the_error():
    with pytest.raises(DataError, match=r"time_format='%d\.%m\.%Y'"):
        read_times(pl.Series("t", ["31.12.2015"]))
