"""Names of polars types that never change with the polars version, and families of equal types."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


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
        case pl.Enum() | pl.Categorical():
            return base
        case _:
            return base


def _inner(dtype: Any) -> "pl.DataType":
    # polars allows a class where a type has no settings.
    return dtype() if isinstance(dtype, type) else dtype  # type: ignore[no-any-return]


def family(name: str) -> str:
    """Return the family of a type name: integer, number, text, boolean, date, datetime, missing.

    Types of the same family can replace each other between two readings of a source.

    >>> family("Int32"), family("Float64"), family("Datetime(time_unit='us', time_zone=None)")
    ('integer', 'number', 'datetime')
    """
    base = name.split("(", 1)[0]
    if base.startswith(("Int", "UInt")):
        return "integer"
    if base.startswith("Float") or base == "Decimal":
        return "number"
    return _FAMILIES.get(base, base.lower())


_FAMILIES = {
    "String": "text",
    "Utf8": "text",
    "Categorical": "text",
    "Enum": "text",
    "Boolean": "boolean",
    "Date": "date",
    "Datetime": "datetime",
    "Null": "missing",
}
