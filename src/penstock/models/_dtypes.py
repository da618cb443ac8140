"""Column types as text and back, and the family of values of each; apart: the text is untrusted."""

import ast
import sys
from typing import TYPE_CHECKING, Any

from penstock.core import DataError

if TYPE_CHECKING:
    import polars as pl

# Family of values by the name of the polars type: the values that a JSON client may send.
_FAMILIES = {
    "Float32": "number",
    "Float64": "number",
    "Decimal": "decimal",
    "Boolean": "boolean",
    "String": "text",
    "Utf8": "text",
    "Categorical": "text",
    "Enum": "enum",
    "Datetime": "datetime",
    "Date": "date",
    "Time": "time",
    "Duration": "duration",
    "Null": "nothing",
}
_FLOAT32_MAX = (2 - 2**-23) * 2.0**127
_INTEGER_BITS = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64, "Int128": 128}
_UNSIGNED_BITS = {"UInt8": 8, "UInt16": 16, "UInt32": 32, "UInt64": 64}
# https://github.com/kserve/open-inference-protocol, "Tensor Data Types"
_TENSORS = {"Float32": "FP32", "Float64": "FP64", "Decimal": "FP64", "Boolean": "BOOL"}


def base_name(dtype: str) -> str:
    """Return the name of a type without arguments.

    >>> base_name("Datetime(time_unit='us', time_zone=None)")
    'Datetime'
    """
    return dtype.partition("(")[0]


def family(dtype: str) -> str:
    """Return the family of values of a column type.

    >>> family("Int32"), family("Categorical"), family("Date")
    ('integer', 'text', 'date')

    Raises:
        DataError: If rows of JSON cannot carry such values (lists, structures, bytes).
    """
    name = base_name(dtype)
    if name in _INTEGER_BITS or name in _UNSIGNED_BITS:
        return "integer"
    if name in _FAMILIES:
        return _FAMILIES[name]
    raise DataError(
        what=f"A column of type {dtype} cannot be a model's input.",
        why="A row of a request holds numbers, text, true/false and dates only.",
        fix="Turn the column into plain columns in a step before the split.",
        dtype=dtype,
    )


def integer_limits(dtype: str) -> tuple[int, int]:
    """Return the smallest and largest number of an integer type.

    >>> integer_limits("UInt8"), integer_limits("Int8")
    ((0, 255), (-128, 127))
    """
    name = base_name(dtype)
    if name in _UNSIGNED_BITS:
        return 0, 2 ** _UNSIGNED_BITS[name] - 1
    half = 2 ** (_INTEGER_BITS.get(name, 64) - 1)
    return -half, half - 1


def number_limits(dtype: str) -> tuple[float, float]:
    """Return the smallest and largest finite number of a floating type.

    >>> number_limits("Float32")[1] < 1e39 < number_limits("Float64")[1]
    True
    """
    largest = _FLOAT32_MAX if base_name(dtype) == "Float32" else sys.float_info.max
    return -largest, largest


def tensor_type(dtype: str) -> str:
    """Return a column type's name in the Open Inference Protocol; text and times are sent as BYTES.

    >>> tensor_type("Float64"), tensor_type("Int32"), tensor_type("String")
    ('FP64', 'INT32', 'BYTES')
    """
    name = base_name(dtype)
    if name == "Int128":
        return "INT64"
    if name in _INTEGER_BITS or name in _UNSIGNED_BITS:
        return name.upper()
    return _TENSORS.get(name, "BYTES")


def parse_dtype(text: str) -> "pl.DataType":
    """Parse a polars type from text, without running the text as code.

    >>> parse_dtype("Datetime(time_unit='us', time_zone=None)")
    Datetime(time_unit='us', time_zone=None)

    Raises:
        DataError: If the text names no column type.
    """
    import polars as pl

    try:
        node = ast.parse(text, mode="eval").body
        name, options = _read_call(node)
        family(name)  # raises unless the name is in our tables: only those are looked up
        dtype = getattr(pl, name)(**options)
    except (SyntaxError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            what=f"{text[:80]!r} is no column type.",
            why="The signature was not written by this package, or is damaged.",
            fix="Register the model again.",
        ) from error
    assert isinstance(dtype, pl.DataType)
    return dtype


def _read_call(node: ast.expr) -> tuple[str, dict[str, Any]]:
    if isinstance(node, ast.Name):
        return node.id, {}
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.args:
        raise ValueError("not a type")
    options = {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg}
    return node.func.id, options
