"""Tables come back as they were, and their digest is that of schema and values only."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes

from penstock.core import SerializationError
from penstock.stores.artifacts._pandas import read_pandas
from penstock.stores.artifacts._pandas import write_pandas as write_pandas_frame
from penstock.stores.artifacts._polars import digest_polars, is_plain_type, read_polars
from penstock.stores.artifacts._polars import write_polars as write_polars_frame
from penstock.stores.artifacts.models._object_digest import digest_object


def write_polars(table):
    return write_polars_frame(table, digest_polars(table))


def write_pandas(table):
    return write_pandas_frame(table, digest_object(table))


def digest_pandas(table):
    return digest_object(table)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(dataframes(max_cols=4, max_size=8, allow_chunks=True, excluded_dtypes=[pl.Object]))
def test_any_polars_frame_comes_back_with_one_digest_and_the_same_bytes(frame):
    written = write_polars(frame)
    back = read_polars(written.data, written.metadata)
    assert back.schema == frame.schema  # type: ignore[union-attr]
    assert_frame_equal(frame, back, categorical_as_str=True)  # type: ignore[arg-type]
    assert written.content_digest == digest_polars(back) == digest_polars(frame.rechunk())
    assert write_polars(frame.rechunk()).data == write_polars(back).data == written.data


BASE = pl.DataFrame({"a": [1, None], "b": ["x", "yz"]})


@pytest.mark.parametrize(
    "other",
    [
        BASE.rename({"a": "c"}),
        BASE.select("b", "a"),
        BASE.reverse(),
        BASE.with_columns(pl.col("a").fill_null(0)),
        BASE.with_columns(pl.col("a").cast(pl.Int32)),
        BASE.with_columns(b=pl.Series(["xy", "z"])),
        BASE.with_columns(b=pl.Series(["x", None])),
        BASE.head(1),
        BASE.with_columns(pl.col("b").cast(pl.Categorical)),
    ],
)
def test_a_table_that_differs_has_another_digest(other):
    assert digest_polars(other) != digest_polars(BASE)


def test_nulls_and_empty_values_are_not_the_same():
    texts = [pl.Series("a", values, dtype=pl.String) for values in ([None], [""])]
    lists = [pl.Series("a", values, dtype=pl.List(pl.Int64)) for values in ([None], [[]], [[None]])]  # type: ignore[var-annotated]
    numbers = [
        pl.Series("a", values, dtype=pl.Float64) for values in ([None], [0.0], [float("nan")])
    ]
    for group in (texts, lists, numbers):
        assert len({digest_polars(series) for series in group}) == len(group)


def test_the_compression_and_layout_of_the_file_do_not_count():
    frame = pl.DataFrame({"n": range(5000), "s": [str(i % 7) for i in range(5000)]})
    other = io.BytesIO()
    frame.write_parquet(other, compression="lz4", row_group_size=100)
    back = pl.read_parquet(io.BytesIO(other.getvalue()))
    assert other.getvalue() != write_polars(frame).data
    assert digest_polars(back) == digest_polars(frame)


def test_a_category_counts_by_its_name_not_by_its_number():
    whole = pl.Series("s", ["b", "a", "b"]).cast(pl.Categorical)
    assert digest_polars(whole.slice(1)) == digest_polars(
        pl.Series("s", ["a", "b"]).cast(pl.Categorical)
    )


def test_a_lazy_frame_is_collected_and_a_series_stays_a_series():
    lazy = write_polars(BASE.lazy())
    assert read_polars(lazy.data, lazy.metadata).equals(BASE)  # type: ignore[arg-type]
    written = write_polars(BASE["b"])
    back = read_polars(written.data, written.metadata)
    assert isinstance(back, pl.Series)
    assert back.equals(BASE["b"], check_names=True)


def test_python_objects_are_refused_with_the_column():
    frame = pl.DataFrame({"ok": [1], "things": pl.Series([object()], dtype=pl.Object)})
    with pytest.raises(SerializationError, match="Column 'things' holds Python objects"):
        write_polars(frame)
    with pytest.raises(SerializationError, match="holds Python objects"):
        digest_polars(frame)


def pandas_frames() -> list[pd.DataFrame]:
    return [
        pd.DataFrame({"a": [1.0, None], "b": ["x", None]}),
        pd.DataFrame({"a": [1, 2]}, index=["x", "y"]),
        pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 3], name="key")),
        pd.DataFrame({"c": pd.Categorical(["u", "v", "u"], categories=["v", "u", "w"])}),
        pd.DataFrame({"t": pd.to_datetime(["2026-01-01", None]).tz_localize("UTC")}),
        pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "f": [True, False]}),
        pd.DataFrame({"d": [date(2026, 1, 1)], "n": [Decimal("1.5")]}),
        pd.DataFrame({"l": [[1, 2], []]}),
        pd.DataFrame({"a": []}),
    ]


@pytest.mark.parametrize("index", range(9))
def test_a_pandas_frame_comes_back_with_index_and_types(index):
    frame = pandas_frames()[index]
    written = write_pandas(frame)
    back = read_pandas(written.data, written.metadata)
    assert list(back.dtypes) == list(frame.dtypes)
    pd.testing.assert_index_equal(back.index, frame.index)
    assert digest_pandas(back) == written.content_digest
    assert write_pandas(back).data == written.data


def test_pandas_frames_that_differ_have_other_digests():
    digests = {digest_pandas(frame) for frame in pandas_frames()}
    assert len(digests) == 9
    frame = pd.DataFrame({"a": [1, 2]})
    assert digest_pandas(frame) != digest_pandas(frame.set_index(pd.Index([1, 2])))
    assert digest_pandas(frame) != digest_pandas(frame["a"])


def test_a_pandas_series_stays_a_series():
    series = pd.Series([1.5, 2.5], index=["a", "b"], name="speed")
    written = write_pandas(series)
    back = read_pandas(written.data, written.metadata)
    pd.testing.assert_series_equal(back, series)
    assert digest_pandas(back) == written.content_digest


def test_a_pandas_column_of_many_types_is_refused():
    frame = pd.DataFrame({"mixed": [1, "a", np.array([1])]})
    with pytest.raises(SerializationError, match="no table that Parquet keeps"):
        write_pandas(frame)


def test_times_with_zones_keep_them():
    frame = pl.DataFrame({"t": [datetime(2026, 1, 1, tzinfo=UTC)]}).with_columns(
        pl.col("t").dt.convert_time_zone("Europe/Rome")
    )
    written = write_polars(frame)
    assert read_polars(written.data, written.metadata).schema == frame.schema  # type: ignore[union-attr]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kathmandu", "America/St_Johns"])
def test_times_of_every_unit_survive_parquet_and_are_not_read_back_to_see(unit, zone):
    values = [0, None, -1, 10**12, 2**62, -(2**62)]
    frame = pl.DataFrame({"at": pl.Series(values).cast(pl.Datetime(unit, zone))})
    assert is_plain_type(frame.schema["at"])
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    back = pl.read_parquet(io.BytesIO(buffer.getvalue()))
    assert back.schema == frame.schema
    assert digest_polars(back) == digest_polars(frame)
