from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError
from penstock.features import DateParts


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), min_size=1))  # noqa: DTZ001
def test_parts_are_pythons(moments):
    found = DateParts().fit_transform(pl.DataFrame({"t": moments}))
    expected = [
        [t.year, t.month, t.day, t.isoweekday(), t.hour, (t.date() - date(1970, 1, 1)).days]
        for t in moments
    ]
    assert found.tolist() == expected


def test_missing_times_are_not_a_number():
    assert np.isnan(
        DateParts().fit_transform(pl.DataFrame({"d": [date(2016, 1, 1), None]}))[1]
    ).all()
    assert np.isnan(DateParts().fit_transform(pl.DataFrame({"d": [None]}))).all()


def test_requests_may_send_text_or_seconds():
    fitted = DateParts(["year", "hour"]).fit(
        pl.DataFrame({"t": [datetime(2016, 1, 1, tzinfo=UTC)]})
    )
    for value in ("2014-05-16T19:45:00Z", "2014-05-16T21:45:00+02:00", 1_400_269_500):
        assert fitted.transform(pl.DataFrame({"t": [value]})).tolist() == [[2014.0, 19.0]]
    assert fitted.transform(pd.DataFrame({"t": ["2014-05-16T19:45:00Z"]})).tolist() == [
        [2014.0, 19.0]
    ]
    with pytest.raises(DataError, match="'t' holds 'soon'"):
        fitted.transform(pl.DataFrame({"t": ["soon"]}))


def test_names_say_column_and_part():
    fitted = DateParts(["year", "day"]).fit(pl.DataFrame({"a": [date(2016, 1, 1)], "b": [None]}))
    assert fitted.get_feature_names_out().tolist() == ["a_year", "a_day", "b_year", "b_day"]
    assert fitted.transform(pl.DataFrame({"a": [None], "b": [date(2017, 2, 3)]}))[
        0, 2:
    ].tolist() == [2017, 3]


def test_the_last_day_of_a_year_is_next_to_the_first():
    days = pl.DataFrame({"d": [date(2024, 12, 31), date(2025, 1, 1), date(2025, 7, 2), None]})
    parts = DateParts(["year_sin", "year_cos"]).fit_transform(days)
    assert np.linalg.norm(parts[0] - parts[1]) < 0.02
    assert np.linalg.norm(parts[1] - parts[2]) > 1.99
    assert np.isnan(parts[3]).all()


def test_an_unknown_part_is_refused_with_the_nearest():
    with pytest.raises(DataError, match=r"no part 'wekday'\. Did you mean 'weekday'"):
        DateParts(["wekday"]).fit_transform(pl.DataFrame({"d": [date(2024, 12, 31)]}))
