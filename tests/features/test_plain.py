from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from penstock.core import DataError
from penstock.features import ToNumber, ToText
from penstock.tables import columns_of


def test_numbers_booleans_and_nulls_become_floats():
    table = pl.DataFrame({"i": [1, None], "b": [None, True], "d": [Decimal("1.5"), None]})
    expected = [[1.0, np.nan, 1.5], [np.nan, 1.0, np.nan]]
    assert np.array_equal(ToNumber().fit_transform(table), expected, equal_nan=True)


def test_infinite_values_are_missing():
    table = pl.DataFrame({"x": [float("inf"), -float("inf"), 2.0]})
    assert np.isnan(ToNumber().fit_transform(table)[:2]).all()


def test_numbers_whose_median_would_overflow_count_as_infinite():
    table = pl.DataFrame({"x": [9e307, -9e307, 1e150]})
    assert np.isnan(ToNumber().fit_transform(table)[:2]).all()
    assert ToNumber().fit_transform(table)[2, 0] == 1e150


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [None]),
        pl.Series("x", [None], dtype=pl.String),
        pl.Series("x", [None], dtype=pl.Object),
    ],
    ids=["null", "text", "object"],
)
def test_a_single_row_without_a_value_is_understood(column):
    fitted = ToNumber().fit(pl.DataFrame({"x": [1.0, 2.0]}))
    assert np.isnan(fitted.transform(column.to_frame())).all()
    assert ToText().fit_transform(column.to_frame()).tolist() == [["(missing)"]]


def test_objects_are_read_by_value():
    column = pl.Series("x", [1, None, 2.5], dtype=pl.Object).to_frame()
    assert np.array_equal(
        ToNumber().fit_transform(column).ravel(), [1.0, np.nan, 2.5], equal_nan=True
    )


def test_text_where_numbers_belong_is_refused_by_name():
    fitted = ToNumber().fit(pl.DataFrame({"age": [1]}))
    assert fitted.transform(pl.DataFrame({"age": ["7"]})).tolist() == [[7.0]]
    with pytest.raises(DataError, match="'age' holds 'old', which is no number"):
        fitted.transform(pl.DataFrame({"age": ["old"]}))


def test_pandas_columns_are_read_like_polars_ones():
    plain = pl.DataFrame(
        {"i": [1, None, 3], "f": [0.5, None, 2.0], "s": ["a", None, "b"], "b": [True, None, False]}
    )
    frames = [
        pd.DataFrame(plain.to_dict(as_series=False)),
        pd.DataFrame(plain.to_dict(as_series=False)).convert_dtypes(),
        pd.DataFrame(plain.to_dict(as_series=False)).astype({"s": "category"}),
        plain.to_pandas(),
    ]
    for frame in frames:
        assert np.array_equal(
            ToNumber().fit_transform(frame[["i", "f", "b"]]),
            ToNumber().fit_transform(plain[["i", "f", "b"]]),
            equal_nan=True,
        )
        assert ToText().fit_transform(frame[["s"]]).tolist() == [["a"], ["(missing)"], ["b"]]


def test_pandas_times_keep_their_moment():
    times = pd.to_datetime(pd.Series(["2016-01-01T12:00Z", None]))
    zoned = columns_of(pd.DataFrame({"t": times.dt.tz_convert("Europe/Berlin")}))[0]
    naive = columns_of(pd.DataFrame({"t": times.dt.tz_localize(None)}))[0]
    assert zoned.dt.hour().to_list() == naive.dt.hour().to_list() == [12, None]
    assert str(zoned.dtype.time_zone) == "UTC"  # type: ignore[attr-defined]


def test_categories_are_read_as_text():
    column = pl.DataFrame({"s": pl.Series(["a", None], dtype=pl.Enum(["a", "b"]))})
    assert ToText().fit_transform(column).tolist() == [["a"], ["(missing)"]]


def test_the_columns_of_arrays_have_scikit_learns_names():
    fitted = ToNumber().fit(np.ones((2, 2)))
    assert fitted.get_feature_names_out().tolist() == ["x0", "x1"]
    assert fitted.transform(np.array([[1.5, None]], dtype=object)).tolist()[0][0] == 1.5
    with pytest.raises(ValueError, match="X has 1 features, but ToNumber is expecting 2"):
        fitted.transform(np.ones((2, 1)))


def test_a_table_with_other_columns_is_refused_by_name():
    fitted = ToNumber().fit(pl.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(ValueError, match="Feature names unseen at fit time:\n- c"):
        fitted.transform(pl.DataFrame({"a": [1], "c": [2]}))


def test_names_are_kept():
    table = pl.DataFrame({"a b": [1], "c": [2]})
    assert ToNumber().fit(table).get_feature_names_out().tolist() == ["a b", "c"]
