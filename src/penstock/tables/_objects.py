"""Columns from Python values, which a file or a database cannot hold mixed: a single kind per column.

polars takes the type of the first values and makes the rest fit, by null, by text or by rounding.
Apart from frames, because every way in that has values instead of arrays reads them here.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import starmap
from typing import TYPE_CHECKING, Any, NoReturn

from penstock.core import DataError, summarize_error

if TYPE_CHECKING:
    import polars as pl

_MOST_DIGITS = 38
_MOST_INTEGER = 2**127
_MAX_SHOWN = 80

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "boolean"),
    ((int, float, Decimal), "number"),
    (str, "text"),
    ((bytes, bytearray, memoryview), "bytes"),
    (date, "date"),  # after datetime, which is a date too: see _kind
    (time, "time of day"),
    (timedelta, "duration"),
    ((list, tuple), "list"),
    (dict, "record"),
)
_NESTED = frozenset({"list", "record"})
_KNOWN = frozenset(word for _, word in _KINDS) | {"time", "time with a zone"}


def typed_column(column: "pl.Series") -> "pl.Series":
    """Convert a column of Python objects (a single row's null, for example) to the values' type.

    >>> import polars as pl
    >>> typed_column(pl.Series("age", [None, 4], dtype=pl.Object)).dtype
    Int64

    Raises:
        DataError: If kinds are mixed, or a value does not fit.
    """
    import polars as pl

    if column.dtype != pl.Object:
        return column
    return column_of_values(column.name, column.to_list())


def column_of_values(name: str, values: Iterable[Any]) -> "pl.Series":
    """Return Python values as a column in which each value is unchanged.

    >>> column_of_values("rate", [1, None, 2.5]).to_list()
    [1.0, None, 2.5]

    Numbers may be whole, floats and decimals where a single type holds them exactly; all further
    values must be of a single kind.

    Args:
        name: Name of the column.
        values: Values, shape (rows,); None is a missing value.

    Raises:
        DataError: If kinds are mixed, or a value does not fit; with column, row and value.
    """
    import numpy as np
    import polars as pl

    plain = list(values)
    types = set(map(type, plain)) - {type(None)}
    if any(issubclass(each, np.generic | np.ndarray) for each in types):
        plain = [_without_numpy(value) for value in plain]
        types = set(map(type, plain)) - {type(None)}
    if types == {str}:
        return pl.Series(name, plain, pl.String)
    kinds = {_kind(value) for value in plain if value is not None} if types else set()
    if len(kinds) > 1:
        _refuse_mixed(name, plain)
    kind = next(iter(kinds), "")
    if kind == "number":
        _require_fitting(name, plain, types)
    built = _build(name, plain)
    is_short = built.null_count() != sum(value is None for value in plain)
    if len(types) > 1 or kind in _NESTED or is_short:
        _require_same(name, plain, built.to_list())
    if kind in _KNOWN and isinstance(built.dtype, pl.Object):
        _refuse(name, plain, *_first(plain), "which no column type holds")
    return built


def _kind(value: Any) -> str:
    if isinstance(value, datetime):
        return "time with a zone" if value.tzinfo else "time"
    return next((word for kind, word in _KINDS if isinstance(value, kind)), type(value).__name__)


def _without_numpy(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.datetime64 | np.timedelta64):
        # item() of nanoseconds is a whole number.
        return value.astype(f"{value.dtype.kind}8[us]").item()
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else value


def _build(name: str, values: list[Any]) -> "pl.Series":
    import polars as pl

    try:
        return pl.Series(name, values, strict=False)
    except Exception as error:  # noqa: BLE001 - polars raises errors of Python, Arrow and its own
        row, value = _locate(values, lambda some: pl.Series(name, some, strict=False))
        _refuse(name, values, row, value, f"which is refused: {summarize_error(error)}")


def _locate(values: list[Any], build: Callable[[list[Any]], Any]) -> tuple[int, Any]:
    """Return the row of the last value of the shortest beginning that cannot be built."""
    good, bad = 0, len(values)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            build(values[:middle])
        except Exception:  # noqa: BLE001 - see _build
            bad = middle
        else:
            good = middle
    return bad - 1, values[bad - 1]


def _require_fitting(name: str, values: list[Any], types: set[type]) -> None:
    """Refuse numbers for which polars has no exact type and which polars would round or panic at."""
    for row, value in enumerate(values):
        if isinstance(value, Decimal):
            if not value.is_finite():
                _refuse(name, values, row, value, "and a decimal must be finite")
            _, digits, exponent = value.as_tuple()
            scale = max(-int(exponent), 0)
            if max(len(digits) + max(int(exponent), 0), scale) > _MOST_DIGITS:
                _refuse(name, values, row, value, f"with more than {_MOST_DIGITS} digits")
        elif isinstance(value, int) and abs(value) >= _MOST_INTEGER and float not in types:
            _refuse(name, values, row, value, "which does not fit into 128 bits")


def _require_same(name: str, values: list[Any], read: list[Any]) -> None:
    for row, (value, now) in enumerate(zip(values, read, strict=True)):
        if not _is_same(value, now):
            _refuse(name, values, row, value, f"which would become {_show(now)} beside the others")


def _is_same(value: Any, read: Any) -> bool:
    if isinstance(value, list | tuple):
        same = isinstance(read, list) and len(value) == len(read)
        return same and all(starmap(_is_same, zip(value, read, strict=True)))
    if isinstance(value, dict):
        # Fields that other records have are null here.
        same = isinstance(read, dict) and value.keys() <= read.keys()
        return same and all(_is_same(each, read[key]) for key, each in value.items())
    if value is None or read is None:
        return value is read
    value = _without_numpy(value)
    if isinstance(value, list):
        return _is_same(value, read)
    # Python compares whole numbers, floats and decimals exactly; NaN is no error.
    return _kind(value) == _kind(read) and bool(value == read or value != value)  # noqa: PLR0124


def _refuse_mixed(name: str, values: list[Any]) -> NoReturn:
    counts: dict[str, int] = {}
    for value in values:
        if value is not None:
            counts[_kind(value)] = counts.get(_kind(value), 0) + 1
    usual = max(counts, key=lambda kind: counts[kind])
    row = next(at for at, v in enumerate(values) if v is not None and _kind(v) != usual)
    odd = _kind(values[row])
    raise DataError(
        what=f"Row {row} of column {name!r} holds {_show(values[row])} ({odd}), but "
        f"{counts[usual]:,} of {sum(counts.values()):,} values are of the kind {usual!r}.",
        why="A column has one kind of values: values of another would be lost or changed.",
        fix=f"Convert the column before: df[{name!r}].astype(str), pandas.to_numeric(df[{name!r}]) "
        "or pandas.to_datetime, or take the row out.",
        column=name,
        row=row,
        value=_show(values[row]),
    )


def _refuse(name: str, values: list[Any], row: int, value: Any, what: str) -> NoReturn:
    raise DataError(
        what=f"Row {row} of column {name!r} holds {_show(value)}, {what}.",
        why="The value would be lost or changed.",
        fix=f"Convert all {len(values):,} values to one type before, for example to text: "
        f"df[{name!r}].astype(str).",
        column=name,
        row=row,
        value=_show(value),
    )


def _first(values: list[Any]) -> tuple[int, Any]:
    return next((row, value) for row, value in enumerate(values) if value is not None)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
