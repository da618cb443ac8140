import polars as pl
import pytest

from penstock.data._dtypes import dtype_name, family

TYPES = [
    pl.Int8(),
    pl.UInt64(),
    pl.Float32(),
    pl.String(),
    pl.Boolean(),
    pl.Date(),
    pl.Time(),
    pl.Null(),
    pl.Binary(),
    pl.Datetime("us"),
    pl.Datetime("ms", "UTC"),
    pl.Duration("ns"),
    pl.List(pl.Int64),
    pl.List(pl.List(pl.String)),
    pl.Struct({"a": pl.Int64, "b": pl.String}),
    pl.Decimal(10, 2),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_names_are_those_of_this_polars(dtype):
    assert dtype_name(dtype) == str(dtype)


def test_categories_are_named_without_their_levels():
    assert dtype_name(pl.Enum(["a", "b"])) == "Enum"
    assert dtype_name(pl.Categorical()) == "Categorical"
    assert dtype_name(pl.Array(pl.Int64, 3)) == "Array(Int64, shape=(3,))"


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (pl.UInt8(), "integer"),
        (pl.Float32(), "number"),
        (pl.Decimal(5, 1), "number"),
        (pl.Enum(["a"]), "text"),
        (pl.Boolean(), "boolean"),
        (pl.Null(), "missing"),
        (pl.List(pl.Int64), "list"),
    ],
    ids=str,
)
def test_types_of_one_family_can_stand_for_each_other(dtype, expected):
    assert family(dtype_name(dtype)) == expected
