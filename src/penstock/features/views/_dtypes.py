"""Dtypes that features and keys may have: those that Delta stores and every store returns bit-equal.

Apart from the view, because definitions, writes and the codec of values ask the same questions.
"""

import ast
from typing import TYPE_CHECKING, Any, cast

from penstock.core import DefinitionError, SchemaError
from penstock.tables import dtype_name

if TYPE_CHECKING:
    import polars as pl

_INTEGERS = ("Int8", "Int16", "Int32", "Int64")
_PLAIN = {*_INTEGERS, "Float32", "Float64", "Boolean", "String", "Binary", "Date"}
_KEYS = {*_INTEGERS, "Boolean", "String", "Date"}
_INSTEAD = {
    "UInt8": "pl.Int16",
    "UInt16": "pl.Int32",
    "UInt32": "pl.Int64",
    "UInt64": "pl.Decimal(20, 0)",
    "Categorical": "pl.String",
    "Enum": "pl.String",
    "Duration": "pl.Int64 (microseconds)",
    "Time": "pl.Int64 (microseconds)",
    "Array": "pl.List",
    "Datetime": 'pl.Datetime("us", "UTC")',
}


def require_feature_dtype(name: str, dtype: Any, owner: str) -> "pl.DataType":
    """Return a feature's dtype as an instance.

    Raises:
        DefinitionError: If Delta tables or online stores would change the values.
    """
    kind = _instance(name, dtype, owner)
    if not _is_storable(kind):
        instead = _INSTEAD.get(kind.base_type().__name__, "a plain dtype or a list of one")
        raise DefinitionError(
            what=f"Feature {name!r} of {owner} has dtype {kind}.",
            why="Delta tables and online stores would not return the values bit-equal.",
            fix=f"Declare {instead}.",
        )
    return kind


def require_key_dtype(name: str, dtype: Any, owner: str) -> "pl.DataType":
    """Return a key's dtype as an instance.

    Raises:
        DefinitionError: If equal things can have different values, as with floats.
    """
    kind = _instance(name, dtype, owner)
    if kind.base_type().__name__ not in _KEYS:
        raise DefinitionError(
            what=f"Key {name!r} of {owner} has dtype {kind}.",
            why="Keys of the same thing must be equal.",
            fix="Declare an integer, pl.String, pl.Date or pl.Boolean.",
        )
    return kind


def fit_column(column: "pl.Series", kind: "pl.DataType", owner: str) -> "pl.Series":
    """Return a column as the declared dtype, if no value changes by that.

    Integers widen, times of any zone become UTC, an empty column fits every dtype; nothing else.

    Raises:
        SchemaError: If the dtype differs.
    """
    import polars as pl

    dtype = column.dtype
    if dtype == kind:
        return column
    empty = dtype == pl.Null or (dtype == pl.List(pl.Null) and isinstance(kind, pl.List))
    if empty or widens(dtype, kind):
        return column.cast(kind)
    if isinstance(kind, pl.Datetime) and getattr(dtype, "time_zone", None):
        return column.dt.convert_time_zone("UTC").cast(kind)
    raise SchemaError(
        what=f"Column {column.name!r} for {owner} is {dtype}; declared is {kind}.",
        why="A value that is converted on the way differs between training and serving.",
        fix=f"Convert the column: pl.col({column.name!r}).cast(pl.{kind}).",
        column=column.name,
    )


def read_dtype(text: str) -> "pl.DataType":
    """Return the dtype that ``dtype_name`` wrote, without running the text as code.

    >>> read_dtype("List(Decimal(precision=9, scale=2))")
    List(Decimal(precision=9, scale=2))
    """
    import polars as pl

    if text.startswith("List("):
        return pl.List(read_dtype(text[len("List(") : -1]))
    name, _, rest = text.partition("(")
    if name not in _PLAIN | {"Datetime", "Decimal"}:
        raise SchemaError(
            what=f"{text[:80]!r} is no dtype of a feature.",
            why="The definition in the table was not written by this package, or is damaged.",
            fix="Apply the view again.",
        )
    call = ast.parse(f"f({rest or ')'}", mode="eval").body
    assert isinstance(call, ast.Call)
    options = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
    kind = getattr(pl, name)(**options)
    assert isinstance(kind, pl.DataType)
    return kind


def _instance(name: str, dtype: Any, owner: str) -> "pl.DataType":
    import polars as pl

    if isinstance(dtype, type) and issubclass(dtype, pl.DataType):
        if dtype is pl.Datetime:
            return pl.Datetime("us", "UTC")
        dtype = dtype()
    if not isinstance(dtype, pl.DataType):
        raise DefinitionError(
            what=f"Column {name!r} of {owner} has dtype {dtype!r}.",
            why="A dtype is declared as a polars type.",
            fix="Write for example pl.Float64 or pl.String.",
        )
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, type):
        return pl.List(_instance(name, dtype.inner, owner))
    return dtype


def _is_storable(kind: "pl.DataType", *, nested: bool = False) -> bool:
    import polars as pl

    match kind:
        case pl.Datetime():
            return kind == pl.Datetime("us", "UTC")
        case pl.Decimal():
            return True
        case pl.List():
            return not nested and _is_storable(cast("pl.DataType", kind.inner), nested=True)
        case _:
            return dtype_name(kind) in _PLAIN


def widens(dtype: "pl.DataType", kind: "pl.DataType") -> bool:
    """Return whether a dtype is an integer and the second as wide or wider."""
    order = {name: place for place, name in enumerate(_INTEGERS)}
    small, large = (each.base_type().__name__ for each in (dtype, kind))
    return small in order and large in order and order[small] <= order[large]
