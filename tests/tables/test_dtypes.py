"""Types as text: read back exactly, and nothing of the text is ever run."""

import polars as pl
import pytest

from penstock.core import DataError
from penstock.tables import (
    broad_family,
    dtype_name,
    family,
    integer_limits,
    number_limits,
    parse_dtype,
)

TYPES = [
    pl.Float32(),
    pl.Float64(),
    pl.Int8(),
    pl.Int64(),
    pl.UInt64(),
    pl.Boolean(),
    pl.String(),
    pl.Categorical(),
    pl.Enum(["a", "it's"]),
    pl.Date(),
    pl.Time(),
    pl.Null(),
    pl.Duration("ms"),
    pl.Datetime("ns", "Europe/Berlin"),
    pl.Datetime("us"),
    pl.Decimal(10, 2),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_type_is_read_back_from_its_text(dtype):
    assert parse_dtype(str(dtype)) == dtype


@pytest.mark.parametrize(
    "text",
    [
        "read_csv",
        "__import__('os')",
        "Datetime(time_unit=open('x'))",
        "Float64(1)",
        "List(Int64)",
        "Enum(categories=3)",
        "a b",
        "pl.Float64",
    ],
)
def test_text_that_is_no_type_is_refused(text):
    with pytest.raises(DataError):
        parse_dtype(text)


def test_limits_are_those_of_numpy():
    np = pytest.importorskip("numpy")
    for name in ("Int8", "Int32", "UInt16", "UInt64"):
        info = np.iinfo(name.lower())
        assert integer_limits(name) == (info.min, info.max)
    assert number_limits("Float32")[1] == float(np.finfo("float32").max)


NAMED = [
    *(dtype for dtype in TYPES if dtype not in (pl.Categorical(), pl.Enum(["a", "it's"]))),
    pl.Binary(),
    pl.List(pl.List(pl.String)),
    pl.Struct({"a": pl.Int64, "b": pl.String}),
]


@pytest.mark.parametrize("dtype", NAMED, ids=str)
def test_names_are_those_of_this_polars(dtype):
    assert dtype_name(dtype) == str(dtype)


def test_categories_are_named_without_their_levels():
    assert dtype_name(pl.Enum(["a", "b"])) == "Enum"
    assert dtype_name(pl.Categorical()) == "Categorical"
    assert dtype_name(pl.Array(pl.Int64, 3)) == "Array(Int64, shape=(3,))"


@pytest.mark.parametrize(
    ("dtype", "narrow", "broad"),
    [
        (pl.UInt8(), "integer", "integer"),
        (pl.Float32(), "number", "number"),
        (pl.Decimal(5, 1), "decimal", "number"),
        (pl.Enum(["a"]), "enum", "text"),
        (pl.Boolean(), "boolean", "boolean"),
        (pl.Null(), "nothing", "nothing"),
        (pl.List(pl.Int64), "other", "List"),
    ],
    ids=str,
)
def test_types_of_one_broad_family_can_replace_each_other(dtype, narrow, broad):
    name = dtype_name(dtype)
    assert (family(name), broad_family(name)) == (narrow, broad)
