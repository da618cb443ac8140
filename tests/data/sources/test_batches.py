"""Batches of any library become frames with equal columns, or are refused by name."""

import polars as pl
import pyarrow as pa
import pytest

from penstock.core import DataError, SchemaError
from penstock.data.sources import collect

FRAME = pl.DataFrame({"a": [1, 2], "b": ["x", None]})


@pytest.mark.parametrize(
    "batch",
    [FRAME, FRAME.to_arrow(), FRAME.to_arrow().to_batches()[0], FRAME.to_pandas()],
    ids=["polars", "arrow table", "record batch", "pandas"],
)
def test_frames_and_arrow_are_taken(batch):
    assert collect([batch, batch], "t").rows() == FRAME.rows() * 2


def test_no_batches_are_no_rows():
    assert collect(iter(()), "t").is_empty()
    assert collect([pl.DataFrame(), FRAME], "t").equals(FRAME)


@pytest.mark.parametrize("value", [[{"a": 1}], [None], ["text"]])
def test_what_is_no_table_is_named(value):
    with pytest.raises(DataError, match=r"Source 't' returned .*, which is no table"):
        collect(value, "t")


@pytest.mark.parametrize("value", [FRAME, 3, None])
def test_a_table_in_the_place_of_batches_is_named(value):
    with pytest.raises(DataError, match=r"not batches.*yield frame"):
        collect(value, "t")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (FRAME.with_columns(pl.col("a").cast(pl.Float64)), "'a' is Float64 in batch 1 and Int64"),
        (FRAME.select("a"), "batch 1 has no column 'b'"),
        (FRAME.with_columns(c=1), "batch 1 has a new column 'c'"),
        (FRAME.select("b", "a"), "in another order"),
        (FRAME.rename({"b": "bb"}), "no column 'b'.*Did you mean 'bb'"),
    ],
)
def test_a_batch_with_other_columns_is_named(other, words):
    with pytest.raises(SchemaError, match=words):
        collect([FRAME, other], "t")


def test_decimals_lists_and_zones_of_arrow_stay():
    table = pa.table(
        {
            "d": pa.array([1, 2], pa.decimal128(10, 2)),
            "l": pa.array([[1], None], pa.list_(pa.int32())),
            "t": pa.array([0, 1], pa.timestamp("us", "UTC")),
        }
    )
    assert collect([table], "t").schema == {
        "d": pl.Decimal(10, 2),
        "l": pl.List(pl.Int32),
        "t": pl.Datetime("us", "UTC"),
    }
