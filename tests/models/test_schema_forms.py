"""A signature in the words of standards."""

import pytest

from penstock.models._schema_forms import tensor_type
from penstock.tables import Column


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
    assert tensor_type(Column("x", "number", dtype)) == tensor
