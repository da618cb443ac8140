"""Conversion of tables to the step's hint: polars, pandas, numpy; apart because hints name classes.

Classes are recognised by module and name, so that no table library is imported without need.
"""

import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Union, get_args, get_origin

from penstock.core import require
from penstock.stores import NamedParts, Parts

# Hints of steps that iterate over values without holding all of them in memory.
_LAZY: tuple[Any, ...] = (Parts, NamedParts, Iterable, Iterator, Sequence, Mapping)


def convert_argument(
    value: Any,  # Any: its type decides
    hint: object,
) -> Any:  # Any: what the hint names, or the value itself
    """Convert a table to the kind of table that a hint names; return any non-table value unchanged.

    >>> convert_argument(3, float)
    3

    Args:
        value: A polars or pandas frame or series, an array, or an object with a polars ``table`` (a
            Snapshot); or any value that is no table.
        hint: The step's annotation.

    Raises:
        MissingPackageError: If the hint names pandas, and pandas is not installed.
    """
    if type(value) is hint:  # the usual case
        return value
    if isinstance(value, Parts | NamedParts):
        return _from_parts(value, hint)
    if type(value) in {list, tuple} and len(get_args(hint)) == 1 and not _is_union(hint):
        return type(value)(convert_argument(item, get_args(hint)[0]) for item in value)
    for option in _options(hint):
        if _is_one(value, option):
            return value
    for option in _options(hint):
        converter = _CONVERTERS.get(_kind(option))
        if converter is not None:
            return converter(value)
    return value


def _from_parts(value: Parts | NamedParts, hint: Any) -> Any:
    """Load all chunks, unless the hint names a type that can be read lazily."""
    options = _options(hint)
    if any(option in _LAZY for option in options):
        return iter(value) if options == (Iterator,) else value
    whole = dict(value) if isinstance(value, NamedParts) else list(value)
    inner = get_args(hint)[-1:] if not _is_union(hint) else ()
    if not inner:
        return whole
    if isinstance(whole, dict):
        return {name: convert_argument(item, inner[0]) for name, item in whole.items()}
    return [convert_argument(item, inner[0]) for item in whole]


def _is_one(value: Any, option: Any) -> bool:
    try:
        return inspect.isclass(option) and isinstance(value, option)
    except TypeError:  # Any, and protocols without run-time checks
        return False


def _options(hint: Any) -> tuple[Any, ...]:
    if _is_union(hint):
        return tuple(get_origin(item) or item for item in get_args(hint))
    return (get_origin(hint) or hint,)


def _is_union(hint: Any) -> bool:
    return isinstance(hint, types.UnionType) or get_origin(hint) is Union


def _kind(cls: Any) -> str:
    module = getattr(cls, "__module__", "") or ""
    return f"{module.partition('.')[0]}.{getattr(cls, '__name__', '')}"


def _value_kind(value: Any) -> str:
    for cls in type(value).__mro__:
        kind = _kind(cls)
        if kind in _CONVERTERS:
            return kind
    return ""


def _table_of(value: Any) -> Any:
    """Return the frame of an object that has a ``table``; else the value."""
    table = value if _value_kind(value) else getattr(value, "table", value)
    return table if _value_kind(table) else value


def _to_polars(value: Any) -> Any:
    import polars as pl

    value = _table_of(value)
    match _value_kind(value):
        case "pandas.DataFrame":
            require("pyarrow", extra="pandas", purpose="turning a pandas frame into a polars frame")
            return pl.from_pandas(value)
        case "pandas.Series":
            return pl.from_pandas(value).to_frame()
        case "polars.LazyFrame":
            return value.collect()
        case "polars.Series":
            return value.to_frame()
        case "numpy.ndarray":
            return pl.DataFrame(value)
        case _:
            return value


def _to_lazy(value: Any) -> Any:
    frame = _to_polars(value)
    return frame.lazy() if _value_kind(frame) == "polars.DataFrame" else frame


def _to_pandas(value: Any) -> Any:
    value = _table_of(value)
    match _value_kind(value):
        case "polars.DataFrame" | "polars.Series":
            require("pandas", extra="pandas", purpose="a step that takes a pandas frame")
            return value.to_pandas()
        case "polars.LazyFrame":
            return value.collect().to_pandas()
        case "pandas.Series":
            return value.to_frame()
        case "numpy.ndarray":
            return require("pandas", extra="pandas", purpose="a pandas frame").DataFrame(value)
        case _:
            return value


def _to_numpy(value: Any) -> Any:
    value = _table_of(value)
    match _value_kind(value):
        case "polars.LazyFrame":
            return value.collect().to_numpy()
        case "polars.DataFrame" | "polars.Series" | "pandas.DataFrame" | "pandas.Series":
            return value.to_numpy()
        case _:
            return value


def _to_series(value: Any) -> Any:
    import polars as pl

    value = _table_of(value)
    match _value_kind(value):
        case "polars.DataFrame" if value.width == 1:
            return value.to_series()
        case "pandas.Series":
            return pl.from_pandas(value)
        case "numpy.ndarray":
            return pl.Series(value)
        case _:
            return value


def _to_pandas_series(value: Any) -> Any:
    series = _to_series(value)
    return series.to_pandas() if _value_kind(series) == "polars.Series" else series


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "polars.DataFrame": _to_polars,
    "polars.LazyFrame": _to_lazy,
    "polars.Series": _to_series,
    "pandas.DataFrame": _to_pandas,
    "pandas.Series": _to_pandas_series,
    "numpy.ndarray": _to_numpy,
}
