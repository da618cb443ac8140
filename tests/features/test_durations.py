from datetime import time, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

from penstock.core import DataError
from penstock.features import ClockParts, ToSeconds

WAITS = pl.DataFrame({"wait": [timedelta(days=2, microseconds=1), timedelta(seconds=-1), None]})


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_durations_are_seconds_in_every_unit(unit):
    table = WAITS.with_columns(pl.col("wait").cast(pl.Duration(unit)))
    expected = [172_800.0 if unit == "ms" else 172_800.000001, -1.0]
    assert ToSeconds().fit_transform(table)[:2, 0].tolist() == expected


def test_pandas_durations_and_seconds_of_a_request_are_the_same_numbers():
    fitted = ToSeconds().fit(WAITS)
    expected = fitted.transform(WAITS)
    frame = pd.DataFrame({"wait": pd.to_timedelta([172_800_000_001, -1_000_000, None], unit="us")})
    assert np.array_equal(fitted.transform(frame), expected, equal_nan=True)
    seconds = pl.DataFrame({"wait": [172_800.000001, -1.0, None]})
    assert np.array_equal(fitted.transform(seconds), expected, equal_nan=True)


def test_times_of_day_are_points_of_a_circle():
    table = pl.DataFrame({"open": [time(0), time(12, 0, 30), None]})
    fitted = ClockParts().fit(table)
    found = fitted.transform(table)
    assert found[:, 0].tolist()[:2] == [0.0, 43_230.0]
    assert found[0, 1:].tolist() == [0.0, 1.0]
    assert found[1, 1:] == pytest.approx([0.0, -1.0])
    assert np.isnan(found[2]).all()
    names = ["open_seconds", "open_day_sin", "open_day_cos"]
    assert fitted.get_feature_names_out().tolist() == names


@pytest.mark.parametrize("maker", [ToSeconds, ClockParts])
def test_texts_are_refused_with_the_value(maker):
    with pytest.raises(DataError, match="'odd' holds 'soon', which is no"):
        maker().fit_transform(pl.DataFrame({"odd": ["soon"]}))
