"""Types as text: read back exactly, and nothing of the text is ever run."""

import polars as pl
import pytest

from penstock.core import DataError
from penstock.models._dtypes import family, integer_limits, number_limits, parse_dtype, tensor_type

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


def test_types_that_a_request_cannot_carry_are_refused_with_the_remedy():
    with pytest.raises(DataError, match=r"List\(Int64\) cannot be a model's input.*plain columns"):
        family("List(Int64)")


def test_limits_are_those_of_numpy():
    np = pytest.importorskip("numpy")
    for name in ("Int8", "Int32", "UInt16", "UInt64"):
        info = np.iinfo(name.lower())
        assert integer_limits(name) == (info.min, info.max)
    assert number_limits("Float32")[1] == float(np.finfo("float32").max)


@pytest.mark.parametrize(
    ("dtype", "tensor"),
    [
        ("Float32", "FP32"),
        ("Decimal(precision=10, scale=2)", "FP64"),
        ("UInt8", "UINT8"),
        ("Int128", "INT64"),
        ("Boolean", "BOOL"),
        ("Date", "BYTES"),
    ],
)
def test_tensors_are_named_as_the_protocol_does(dtype, tensor):
    assert tensor_type(dtype) == tensor
