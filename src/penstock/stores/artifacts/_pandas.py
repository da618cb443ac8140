"""pandas frames and series as Parquet; read back after writing unless known to survive unchanged.

A plain table is written in pandas' form, so that any tool can read it. Facts without a
place in Parquet go into the record: names that are not text, the index, categories and attributes;
a column of Python objects becomes a column of JSON. A table that still does not survive reading
unchanged is refused.
"""

import io
from typing import TYPE_CHECKING, Any

from penstock.core import SerializationError, require, with_article
from penstock.stores._json import dump_json, load_json
from penstock.stores.artifacts._pandas_digest import unwrapped
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._object_digest import digest_object

if TYPE_CHECKING:
    import pandas as pd

_SERIES = "__penstock_series__"
_ROW_GROUP = 1 << 20
_LAYOUT = "layout"
_PLAIN_KINDS = frozenset("biu")
_PLAIN_TYPES = frozenset({"<f4", "<f8", "<M8[ns]", "<M8[us]"})
_TEXTS = ({str}, {str, type(None)})


def write_pandas(value: "pd.DataFrame | pd.Series[Any]", content_digest: str) -> Serialized:
    """Serialise a pandas frame or series with index and types.

    Raises:
        SerializationError: If the frame contains values that no table preserves.
    """
    require("pyarrow", extra="pandas", purpose="storing pandas frames")
    import pandas as pd

    series = isinstance(value, pd.Series)
    frame = value.to_frame(_SERIES) if isinstance(value, pd.Series) else value
    known = not series and _is_plain(frame)
    reasons = []
    for make in (_as_pandas, _in_parts):
        try:
            serialized = make(value, frame, content_digest)
            if (known and make is _as_pandas) or _comes_back(serialized, content_digest):
                return serialized
            reasons.append("its values, names, index or types would be read back changed")
        except Exception as error:  # noqa: BLE001 - pandas and pyarrow refuse in many ways
            reasons.append(f"{type(error).__name__}: {error}")
    raise SerializationError(
        what=f"{with_article(type_name(value), begins=True)} is no table that Parquet keeps ({reasons[-1]}).",
        why="A stored value must be read back as it was.",
        fix="Convert its columns to one type each, for example with astype(str).",
    )


def read_pandas(data: bytes, facts: Any) -> Any:
    """Read a frame or series that `write_pandas` wrote."""
    require("pyarrow", extra="pandas", purpose="reading pandas frames")
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    series = facts.get("frame") == "pandas series"
    if facts.get(_LAYOUT) is not None:
        frame = _from_parts(table, load_json(facts[_LAYOUT], strict=True))
    else:
        frame = table.to_pandas()
    if not series:
        return frame
    name = load_json(facts["name_json"], strict=True) if "name_json" in facts else facts["name"]
    restored = (
        frame[_SERIES].rename(name) if _LAYOUT not in facts else frame.iloc[:, 0].rename(name)
    )
    restored.attrs = dict(frame.attrs)
    return restored


def _is_plain(frame: "pd.DataFrame") -> bool:
    """Return whether a frame is of the kind that is known to survive Parquet unchanged."""
    import numpy as np
    import pandas as pd

    names = list(frame.columns)
    if set(map(type, names)) - {str} or len(set(names)) < len(names) or frame.attrs:
        return False
    if not frame.flags.allows_duplicate_labels or frame.columns.name is not None or not names:
        return False
    if type(frame.columns) is not pd.Index or frame.columns.dtype != pd.Index(names).dtype:
        return False
    if type(frame.index) is not pd.RangeIndex or frame.index.name is not None:
        return False
    text = pd.Index(["a"]).dtype
    for place in range(len(names)):
        column = unwrapped(frame.iloc[:, place].array)
        dtype = column.dtype
        if isinstance(dtype, pd.StringDtype) and dtype == text:
            continue
        if not isinstance(dtype, np.dtype):
            return False
        if dtype.kind in _PLAIN_KINDS or dtype.str in _PLAIN_TYPES:
            continue
        # Where text has no separate type (pandas 2) a column of nothing but text is plain.
        is_objects = dtype.kind == "O" and isinstance(text, np.dtype)
        if not (is_objects and set(map(type, column)) in _TEXTS):
            return False
    return True


def _as_pandas(value: Any, frame: "pd.DataFrame", content_digest: str) -> Serialized:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame)
    return _to_parquet(value, table, frame, content_digest, {})


def _in_parts(value: Any, frame: "pd.DataFrame", content_digest: str) -> Serialized:
    """Write each column by position, with the facts that rebuild the frame."""
    import pandas as pd
    import pyarrow as pa

    index = frame.index
    levels = [] if isinstance(index, pd.RangeIndex) else _levels(index)
    columns = [frame.iloc[:, place].array for place in range(frame.shape[1])]
    parts = {str(place): _part(array) for place, array in enumerate([*columns, *levels])}
    layout = {
        "columns": [how for _, how in parts.values()],
        "width": len(columns),
        "names": None if isinstance(value, pd.Series) else _describe(frame.columns),
        "index": _describe_index(index),
        "attrs": value.attrs,
        "unique": not value.flags.allows_duplicate_labels,
    }
    table = pa.table({name: array for name, (array, _) in parts.items()})
    return _to_parquet(
        value, table, frame, content_digest, {_LAYOUT: dump_json(layout, exact=True)}
    )


def _to_parquet(
    value: Any, table: Any, frame: "pd.DataFrame", content_digest: str, more: dict[str, Any]
) -> Serialized:
    import pandas as pd
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        row_group_size=_ROW_GROUP,
        use_compliant_nested_type=_LAYOUT not in more,  # else the fields of lists are renamed
    )
    kind = "pandas series" if isinstance(value, pd.Series) else "pandas frame"
    facts = {"rows": len(frame), "columns": [str(name) for name in frame.columns], "frame": kind}
    if isinstance(value, pd.Series):
        facts["name"] = str(value.name)
        facts["name_json"] = dump_json(value.name, exact=True)
    return Serialized(buffer.getvalue(), "parquet", content_digest, type_name(value), facts | more)


def _comes_back(serialized: Serialized, content_digest: str) -> bool:
    return digest_object(read_pandas(serialized.data, serialized.metadata)) == content_digest


def _levels(index: "pd.Index[Any]") -> list[Any]:
    import pandas as pd

    if isinstance(index, pd.MultiIndex):
        return [pd.array(code, dtype="int64") for code in index.codes]
    return [index.array]


def _describe_index(index: "pd.Index[Any]") -> dict[str, Any]:
    """Return the facts that rebuild an index; the values are in the table."""
    import pandas as pd

    description: dict[str, Any] = {"names": list(index.names)}
    if isinstance(index, pd.RangeIndex):
        return description | {"range": [index.start, index.stop, index.step]}
    if isinstance(index, pd.MultiIndex):
        return description | {"levels": [_describe(level) for level in index.levels]}
    return description | {"freq": getattr(index, "freqstr", None)}


def _describe(index: "pd.Index[Any]") -> dict[str, Any]:
    """Return a short index with values, as for names and categories."""
    import pandas as pd

    description = _describe_index(index)
    if "range" in description:
        return description
    if isinstance(index, pd.MultiIndex):
        return description | {"codes": [code.tolist() for code in index.codes]}
    array, how = _part(index.array)
    return description | {"values": array.to_pylist(), "how": how, "type": str(array.type)}


def _part(array: Any) -> tuple[Any, dict[str, Any]]:
    """Return a column in Arrow's form, and the facts that rebuild the column."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    array = unwrapped(array)
    dtype = array.dtype
    if isinstance(dtype, np.dtype):
        values = array
        if dtype.kind == "O":
            texts = [dump_json(cell, exact=True) for cell in values.tolist()]
            return pa.array(texts, pa.large_string()), {"as": "objects"}
        raw = np.ascontiguousarray(values).tobytes()
        buffers = [None, pa.py_buffer(raw)]
        kind = pa.binary(dtype.itemsize)
        return pa.Array.from_buffers(kind, len(values), buffers), {"as": "raw", "type": dtype.str}
    if isinstance(dtype, pd.CategoricalDtype):
        how = {"as": "categories", "ordered": bool(dtype.ordered)}
        return pa.array(array.codes, pa.int64()), how | {"categories": _describe(dtype.categories)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pa.array(array.asi8), {"as": "zoned", "unit": dtype.unit, "zone": dtype.tz}
    if isinstance(dtype, pd.ArrowDtype):
        return array._pa_array.combine_chunks(), {"as": "arrow"}  # noqa: SLF001 - as it is
    if isinstance(dtype, pd.PeriodDtype):
        return pa.array(array.asi8), {"as": "periods", "freq": dtype.freq.freqstr}
    if isinstance(dtype, pd.StringDtype):
        description = {"as": "strings", "storage": dtype.storage, "missing": dtype.na_value}
        return pa.array(
            list(array.to_numpy(dtype=object, na_value=None)), pa.large_string()
        ), description
    made = pa.array(array, from_pandas=True)
    return made, {"as": "extension", "type": str(dtype)}


def _from_parts(table: Any, layout: dict[str, Any]) -> Any:
    import pandas as pd

    arrays = [_restore(table.column(place), how) for place, how in enumerate(layout["columns"])]
    columns, levels = arrays[: layout["width"]], arrays[layout["width"] :]
    index = _index_of(layout["index"], levels)
    # With an explicit type, or pandas would make text of a column of objects that are text.
    series = [pd.Series(array, index=index, dtype=array.dtype, copy=False) for array in columns]
    frame = pd.DataFrame(dict(enumerate(series)), index=index, copy=False)
    frame.columns = pd.Index([_SERIES]) if layout["names"] is None else _index_from(layout["names"])
    frame.attrs = layout["attrs"]
    return frame.set_flags(allows_duplicate_labels=False) if layout["unique"] else frame


def _index_of(description: dict[str, Any], levels: list[Any]) -> Any:
    import numpy as np
    import pandas  # noqa: ICN001 - it gets its short name below

    pd: Any = pandas  # the stubs know fewer types than pandas accepts

    names = description["names"]
    if "range" in description:
        return pd.RangeIndex(*description["range"], name=names[0])
    if "levels" in description:
        return pd.MultiIndex(
            levels=[_index_from(level) for level in description["levels"]],
            codes=[np.asarray(code) for code in levels],
            names=names,
            verify_integrity=False,
        )
    index = pd.Index(levels[0], name=names[0], dtype=levels[0].dtype)
    if (
        description["freq"] is not None
        and hasattr(index, "freq")
        and not isinstance(index, pd.PeriodIndex)
    ):
        index.freq = pd.tseries.frequencies.to_offset(description["freq"])
    return index


def _index_from(description: dict[str, Any]) -> Any:
    import numpy as np
    import pyarrow as pa

    if "codes" in description:
        return _index_of(description, [np.asarray(code) for code in description["codes"]])
    if "range" in description:
        return _index_of(description, [])
    raw = description["how"]["as"] == "raw"
    kind = pa.binary(np.dtype(description["how"]["type"]).itemsize) if raw else description["type"]
    return _index_of(
        description, [_restore(pa.chunked_array([description["values"]], kind), description["how"])]
    )


def _restore(column: Any, how: dict[str, Any]) -> Any:
    """Rebuild a column from Arrow; see `_part`."""
    import numpy as np
    import pandas  # noqa: ICN001 - it gets its short name below

    pd: Any = pandas  # the stubs know fewer types than pandas accepts

    match how["as"]:
        case "objects":
            cells = np.empty(len(column), dtype=object)
            for place, text in enumerate(column.to_pylist()):
                cells[place] = load_json(text, strict=True)
            return cells
        case "raw":
            whole = column.combine_chunks()
            raw = b"".join(whole.to_pylist()) if len(whole) else b""
            return np.frombuffer(raw, dtype=how["type"]).copy()
        case "categories":
            codes, kept = column.to_numpy(), _index_from(how["categories"])
            dtype = pd.CategoricalDtype(kept, how["ordered"])
            return pd.Categorical.from_codes(codes, dtype=dtype)
        case "zoned":
            moments = pd.DatetimeIndex(column.to_numpy().view(f"M8[{how['unit']}]"), tz="UTC")
            return moments.tz_convert(how["zone"]).array
        case "arrow":
            return pd.arrays.ArrowExtensionArray(column)
        case "periods":
            return pd.arrays.PeriodArray(column.to_numpy(), dtype=pd.PeriodDtype(how["freq"]))
        case "strings":
            dtype = pd.StringDtype(how["storage"], na_value=how["missing"])
            return pd.array(column.to_pylist(), dtype=dtype)
        case _:
            return pd.api.types.pandas_dtype(how["type"]).__from_arrow__(column)
