"""Column types as text: names that no polars version changes, families, limits, and back to types.

A type's text is untrusted from a file: ``parse_dtype`` never runs it as code.
"""

import ast
import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.core import DataError

if TYPE_CHECKING:
    import polars as pl

Family: TypeAlias = Literal[
    "number",
    "integer",
    "decimal",
    "boolean",
    "text",
    "enum",
    "datetime",
    "date",
    "time",
    "duration",
    "nothing",
    "other",
]
"""The values that a column's type holds; ``other`` are values that no JSON row carries."""

_FAMILIES: dict[str, Family] = {
    "Float16": "number",
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
_BROAD = {"decimal": "number", "enum": "text"}
_LARGEST = {"Float16": 65_504.0, "Float32": (2 - 2**-23) * 2.0**127}
_INTEGER_BITS = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64, "Int128": 128}
_UNSIGNED_BITS = {"UInt8": 8, "UInt16": 16, "UInt32": 32, "UInt64": 64, "UInt128": 128}


def dtype_name(dtype: "pl.DataType") -> str:
    """Return a type's name as in polars, fixed here so that digests outlive polars' own spelling.

    >>> import polars as pl
    >>> dtype_name(pl.Datetime("us", "UTC"))
    "Datetime(time_unit='us', time_zone='UTC')"
    """
    import polars as pl

    base = dtype.base_type().__name__
    match dtype:
        case pl.Datetime():
            zone = f"'{dtype.time_zone}'" if dtype.time_zone else "None"
            return f"Datetime(time_unit='{dtype.time_unit}', time_zone={zone})"
        case pl.Duration():
            return f"Duration(time_unit='{dtype.time_unit}')"
        case pl.Decimal():
            return f"Decimal(precision={dtype.precision}, scale={dtype.scale})"
        case pl.List():
            return f"List({dtype_name(_inner(dtype.inner))})"
        case pl.Array():
            return f"Array({dtype_name(_inner(dtype.inner))}, shape={tuple(dtype.shape)})"
        case pl.Struct():
            fields = ", ".join(f"'{f.name}': {dtype_name(_inner(f.dtype))}" for f in dtype.fields)
            return f"Struct({{{fields}}})"
        case _:
            return base


def _inner(dtype: Any) -> "pl.DataType":
    # polars allows a class where a type has no settings.
    return dtype() if isinstance(dtype, type) else dtype  # type: ignore[no-any-return]


def base_name(dtype: str) -> str:
    """Return the name of a type without arguments.

    >>> base_name("Datetime(time_unit='us', time_zone=None)")
    'Datetime'
    """
    return dtype.partition("(")[0]


def family(dtype: str) -> Family:
    """Return the family of values of a column type.

    >>> family("Int32"), family("Categorical"), family("Date"), family("List(Int64)")
    ('integer', 'text', 'date', 'other')
    """
    name = base_name(dtype)
    if name in _INTEGER_BITS or name in _UNSIGNED_BITS:
        return "integer"
    return _FAMILIES.get(name, "other")


def broad_family(dtype: str) -> str:
    """Return the family within which types are exchangeable between two readings of a source.

    >>> broad_family("Float64") == broad_family("Decimal(precision=5, scale=1)")
    True
    >>> broad_family("List(Int64)")
    'List'
    """
    group = family(dtype)
    return base_name(dtype) if group == "other" else _BROAD.get(group, group)


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
    largest = _LARGEST.get(base_name(dtype), sys.float_info.max)
    return -largest, largest


def parse_dtype(text: str) -> "pl.DataType":
    """Parse a polars type from text, without running the text as code.

    >>> parse_dtype("Datetime(time_unit='us', time_zone=None)")
    Datetime(time_unit='us', time_zone=None)

    Raises:
        DataError: If the text names no type of a family that JSON rows carry.
    """
    import polars as pl

    try:
        node = ast.parse(text, mode="eval").body
        name, options = _read_call(node)
        if family(name) == "other":  # only names in our tables are looked up
            raise ValueError(name)  # noqa: TRY301 - one message for all causes
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
