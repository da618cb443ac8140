"""Digest of pandas frames and series: index, names, types and values, all that code can observe."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.core import digest_bytes, digest_json
from penstock.stores.artifacts._polars import digest_column

if TYPE_CHECKING:
    import pandas as pd

Walk = Callable[[Any], bytes]
_TEXT = frozenset({str})
_TEXT_OR_NONE = frozenset({str, type(None)})


def digest_pandas_by(value: "pd.DataFrame | pd.Series[Any]", walk: Walk) -> str:
    """Compute the digest of a pandas table: index, names, types, values, ``attrs`` and flags.

    Args:
        value: A frame or a series.
        walk: Computes the digest of a Python object: a name, a cell, an attribute.
    """
    import pandas as pd

    more = [walk(value.attrs).hex(), value.flags.allows_duplicate_labels]
    index = _index(value.index, walk)
    if isinstance(value, pd.Series):
        return digest_json(
            ["series", walk(value.name).hex(), index, _values(value.array, walk), more]
        )
    columns = [_values(value.iloc[:, place].array, walk) for place in range(value.shape[1])]
    return digest_json(["frame", _index(value.columns, walk), index, columns, more])


def _index(index: "pd.Index[Any]", walk: Walk) -> Any:
    import pandas as pd

    kind, names = type(index).__name__, walk(list(index.names)).hex()
    if isinstance(index, pd.RangeIndex):
        return [kind, names, index.start, index.stop, index.step]
    if isinstance(index, pd.MultiIndex):
        levels = [_index(level, walk) for level in index.levels]
        return [kind, names, levels, [digest_bytes(_whole(code)) for code in index.codes]]
    freq = getattr(index, "freqstr", None)
    return [kind, names, freq, _values(index.array, walk)]


def _values(array: Any, walk: Walk) -> list[Any]:
    """Compute the digest of a column's values with their type."""
    import numpy as np
    import pandas as pd
    import polars as pl

    array = unwrapped(array)
    dtype = array.dtype
    if isinstance(dtype, np.dtype):
        return [dtype.str, _numbers(array, walk)]
    head = [type(dtype).__name__, str(dtype)]
    if isinstance(dtype, pd.CategoricalDtype):
        head = [type(dtype).__name__, str(bool(dtype.ordered))]
        return [*head, _index(dtype.categories, walk), digest_bytes(_whole(array.codes))]
    if isinstance(dtype, pd.DatetimeTZDtype):
        return [*head, walk(dtype.tz).hex(), _bytes(array.asi8)]
    if isinstance(dtype, pd.StringDtype):
        head += [dtype.storage, repr(dtype.na_value)]
        if hasattr(array, "_pa_array"):
            return [*head, digest_column(pl.Series(pl.from_arrow(array._pa_array)))]  # noqa: SLF001 - no objects are made
        return [*head, _texts(array.to_numpy(dtype=object, na_value=None).tolist())]
    if isinstance(dtype, pd.PeriodDtype):
        return [*head, _bytes(array.asi8)]
    if isinstance(dtype, pd.IntervalDtype):
        return [*head, array.closed, _index(array.left, walk), _index(array.right, walk)]
    if isinstance(dtype, pd.ArrowDtype):
        return [*head, _arrow(array, walk)]
    if hasattr(array, "_mask") and hasattr(array, "_data"):  # Int64, Float64, boolean
        gaps = array.isna()
        known = np.where(gaps, np.zeros((), array._data.dtype), array._data)  # noqa: SLF001 - the value in a gap is chance
        return [*head, digest_bytes(gaps.tobytes()), _numbers(known, walk)]
    return [*head, walk(array).hex()]


def unwrapped(array: Any) -> Any:
    """Return NumPy's array where pandas is only a wrapper."""
    import pandas as pd

    return array.to_numpy() if isinstance(array, pd.arrays.NumpyExtensionArray) else array


def _numbers(values: Any, walk: Walk) -> str:
    import numpy as np

    if values.dtype.kind != "O":
        if values.dtype.kind in "fc" and (gaps := np.isnan(values)).any():
            # There are many NaNs; a table's file preserves a single one.
            values = np.where(gaps, np.array(np.nan, values.dtype), values)
        return _bytes(values)
    cells = values.tolist()
    kinds = set(map(type, cells))
    if kinds <= _TEXT:
        return "text " + _texts(cells)
    return "text or none " + _texts(cells) if kinds <= _TEXT_OR_NONE else walk(cells).hex()


def _texts(cells: list[str | None]) -> str:
    import polars as pl

    try:
        return digest_column(pl.Series(cells, dtype=pl.String))
    except UnicodeEncodeError:  # half a character
        parts = [b"-" if c is None else b"+" + c.encode("utf-8", "surrogatepass") for c in cells]
        return digest_bytes(*(b"%d:%s" % (len(part), part) for part in parts))


def _arrow(array: Any, walk: Walk) -> str:
    import polars as pl
    import pyarrow as pa

    chunked = array._pa_array  # noqa: SLF001 - to_numpy would create objects
    kind = chunked.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_temporal(kind):
        return digest_column(pl.Series(pl.from_arrow(chunked)))
    return walk(chunked.to_pylist()).hex()


def _whole(codes: Any) -> bytes:
    """Return positions as bytes; their width depends on the number of levels."""
    import numpy as np

    return np.asarray(codes, dtype="<i8").tobytes()


def _bytes(values: Any) -> str:
    import numpy as np

    flat = np.ascontiguousarray(values)
    return digest_bytes(flat.view(np.uint8).data if flat.size else b"")
