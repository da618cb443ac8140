"""Python values become a column in which no value is lost or changed, or a sentence names the first."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError
from penstock.tables import column_of_values, columns_of, read_frame

NOON = datetime(2026, 1, 2, 12)  # noqa: DTZ001 - without a zone on purpose
ONE_OF_EACH = [
    True, 1, "x", b"x", NOON, NOON.replace(tzinfo=UTC), date(2026, 1, 2), time(9), timedelta(1),
    [1], {"a": 1}, uuid.UUID(int=1), 1j,
]  # fmt: skip


@pytest.mark.parametrize("second", ONE_OF_EACH, ids=repr)
@pytest.mark.parametrize("first", ONE_OF_EACH, ids=repr)
def test_two_kinds_are_refused_by_row_and_value(first, second):
    values = [first, None, first, second]
    if first is second:
        assert column_of_values("a", values).to_list() == values
        return
    with pytest.raises(DataError) as caught:
        column_of_values("a", values)
    assert caught.value.row == 3
    assert caught.value.what.startswith(f"Row 3 of column 'a' holds {second!r} (")


def test_a_text_among_numbers_of_numpy_was_lost():
    frame = pd.DataFrame({"age": pd.Series([np.int64(3), "x", np.int64(4)], dtype=object)})
    assert pl.Series("age", list(frame["age"]), strict=False).to_list() == [3, None, 4]
    with pytest.raises(DataError, match=r"^Row 1 of column 'age' holds 'x' \(text\), but 2 of 3"):
        columns_of(frame)
    with pytest.raises(DataError, match=r"^Row 1 of column 'age' holds 'x' \(text\), but 2 of 3"):
        read_frame(frame)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.5, 2**53 + 1], r"Row 1 .* 9007199254740993, which would become 9007199254740992\.0"),
        ([0.5, Decimal("0.1")], r"Row 1 .* Decimal\('0\.1'\), which would become 0\.1"),
        ([1, 2**127], r"Row 1 .* does not fit into 128 bits"),
        ([Decimal(1), Decimal("1E-39")], r"Row 1 .* more than 38 digits"),
        ([Decimal(1), Decimal("Infinity")], r"Row 1 .* must be finite"),
        ([[1], [2, "x"]], r"Row 0 .* \[1\], which would become \['1'\]"),
        ([{"a": 1}, {"a": "x"}], r"Row 0 .* which would become \{'a': '1'\}"),
    ],
)
def test_a_value_that_would_change_is_named(values, message):
    with pytest.raises(DataError, match=message):
        column_of_values("a", values)


@pytest.mark.parametrize(
    "values",
    [
        [1, None, 2.5],
        [Decimal("1.5"), 2],
        [0.5, Decimal("0.25"), 3],
        [1, 2**70],
        [[1], [2.5], None, [None, 3]],
        [{"a": 1}, {"b": "x"}, {"a": None, "b": None}],
        [None, None],
        [],
    ],
)
def test_what_one_type_holds_exactly_is_kept(values):
    read = column_of_values("a", values).to_list()
    for given_, now in zip(values, read, strict=True):
        kept = {k: v for k, v in now.items() if k in given_} if isinstance(now, dict) else now
        assert kept == given_


def test_values_of_numpy_are_values_of_python():
    values = [np.float32(0.5), np.int8(3), 2]
    assert column_of_values("a", values).to_list() == [0.5, 3.0, 2.0]
    assert column_of_values("a", [np.array([1, 2]), [3]]).to_list() == [[1, 2], [3]]
    assert column_of_values("a", [np.datetime64("2026-01-02T12:00", "ns")]).to_list() == [NOON]


@given(
    st.lists(
        st.none() | st.integers() | st.floats(allow_nan=False) | st.decimals(allow_nan=False)
        | st.booleans() | st.text(max_size=3)
    )
)  # fmt: skip
def test_a_column_has_the_values_or_is_refused(values):
    try:
        read = column_of_values("a", values)
    except DataError:
        return
    assert read.to_list() == values
    assert len({type(value) is bool for value in values if value is not None}) < 2


def test_a_pandas_type_that_polars_has_not_is_a_sentence():
    frame = pd.DataFrame({"z": [1 + 2j]})
    with pytest.raises(DataError, match="Column 'z' of the type complex128 cannot be read"):
        read_frame(frame)
