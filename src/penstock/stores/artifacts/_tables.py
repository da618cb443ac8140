"""Tables as Parquet, identified by their schema and values, whatever the file's encoding."""

import io
from typing import TYPE_CHECKING, Any

from penstock.core import SerializationError, digest_bytes, digest_json, require
from penstock.stores.artifacts._value import Serialized, type_name

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_SERIES = "__penstock_series__"
_ROW_GROUP = 1 << 20
_PART_BYTES = 1 << 26


def write_polars(value: "pl.DataFrame | pl.LazyFrame | pl.Series") -> Serialized:
    """Serialise a polars frame, or a series as a table of one column."""
    import polars as pl

    kind = "frame"
    if isinstance(value, pl.LazyFrame):
        frame = value.collect()
    elif isinstance(value, pl.Series):
        kind, frame = "series", value.to_frame(_SERIES)
    else:
        frame = value
    name = value.name if isinstance(value, pl.Series) else None
    _refuse_objects(frame)
    buffer = io.BytesIO()
    # One chunk and a fixed row group: the bytes do not depend on how the frame was put together.
    frame.rechunk().write_parquet(
        buffer,
        compression="zstd",
        row_group_size=_ROW_GROUP,
        metadata={"penstock": f"polars {kind} {frame.height}"},
    )
    return Serialized(
        buffer.getvalue(),
        "parquet",
        digest_polars(value),
        type_name(value),
        _facts(frame, f"polars {kind}") | ({} if kind == "frame" else {"name": name}),
    )


def read_polars(data: bytes, facts: Any) -> "pl.DataFrame | pl.Series":
    """Give back what `write_polars` took; a lazy frame comes back collected."""
    import polars as pl

    frame = pl.read_parquet(io.BytesIO(data))
    if facts.get("frame") == "polars series":
        return frame.to_series().alias(facts["name"])
    if not frame.width and facts.get("rows"):
        frame = pl.DataFrame(height=facts["rows"])
    return frame


def write_pandas(value: "pd.DataFrame | pd.Series[Any]") -> Serialized:
    """Serialise a pandas frame or series with its index and types.

    Raises:
        SerializationError: If a column holds Python objects of several types.
    """
    require("pyarrow", extra="pandas", purpose="storing pandas frames")
    import pandas as pd
    import pyarrow.parquet as pq

    series = isinstance(value, pd.Series)
    frame = value.to_frame(_SERIES) if isinstance(value, pd.Series) else value
    table = _to_arrow(frame)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=_ROW_GROUP)
    kind = "pandas series" if series else "pandas frame"
    facts = {"rows": len(frame), "columns": [str(name) for name in frame.columns], "frame": kind}
    if series:
        facts["name"] = value.name
    return Serialized(buffer.getvalue(), "parquet", digest_pandas(value), type_name(value), facts)


def read_pandas(data: bytes, facts: Any) -> Any:
    """Give back what `write_pandas` took."""
    require("pyarrow", extra="pandas", purpose="reading pandas frames")
    import pyarrow.parquet as pq

    frame = pq.read_table(io.BytesIO(data)).to_pandas()
    if facts.get("frame") == "pandas series":
        return frame[_SERIES].rename(facts["name"])
    return frame


def digest_polars(value: "pl.DataFrame | pl.LazyFrame | pl.Series") -> str:
    """Digest a table by its column names, types and values, in order."""
    import polars as pl

    if isinstance(value, pl.LazyFrame):
        value = value.collect()
    if isinstance(value, pl.Series):
        return digest_json(["series", value.name, _digest_column(value)])
    columns = [[name, _digest_column(value[name])] for name in value.columns]
    return digest_json(["table", value.height, columns])


def digest_pandas(value: "pd.DataFrame | pd.Series[Any]") -> str:
    """Digest a pandas table by its index, column names, types and values, in order."""
    require("pyarrow", extra="pandas", purpose="digesting pandas frames")
    import pandas as pd
    import polars as pl

    frame = value.to_frame(_SERIES) if isinstance(value, pd.Series) else value
    table = _to_arrow(frame, preserve_index=True)
    plain = pl.DataFrame(pl.from_arrow(table.replace_schema_metadata()))
    types = [str(dtype) for dtype in frame.dtypes] + [str(name) for name in frame.columns]
    index = [str(name) for name in frame.index.names]
    name = repr(value.name) if isinstance(value, pd.Series) else None
    return digest_json(["pandas", name, types, index, digest_polars(plain)])


def _to_arrow(frame: "pd.DataFrame", *, preserve_index: bool | None = None) -> Any:
    import pyarrow as pa

    try:
        return pa.Table.from_pandas(frame, preserve_index=preserve_index)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise SerializationError(
            what=f"A pandas frame has a column that is no table column: {error}.",
            why="A column of a stored table has one type.",
            fix="Convert the column to one type, for example with astype(str).",
        ) from error


def _facts(frame: "pl.DataFrame", kind: str) -> dict[str, Any]:
    return {"rows": frame.height, "columns": list(frame.columns), "frame": kind}


def _refuse_objects(frame: "pl.DataFrame") -> None:
    import polars as pl

    for name, dtype in frame.schema.items():
        if dtype == pl.Object:
            raise SerializationError(
                what=f"Column {name!r} holds Python objects.",
                why="A stored table keeps numbers, text, dates and lists or structs of them.",
                fix=f"Convert the column, for example with pl.col({name!r}).map_elements(str).",
                column=name,
            )


def _digest_column(column: "pl.Series") -> str:
    import polars as pl

    dtype = column.dtype
    # The categories of a Categorical are not part of its type: two can differ in unused ones.
    head = "Categorical" if isinstance(dtype, pl.Categorical) else str(dtype)
    if isinstance(dtype, pl.Categorical):
        column = column.cast(pl.String)
    missing = column.is_null()
    gaps = digest_bytes(missing.to_numpy().tobytes()) if missing.any() else ""
    return digest_json([head, len(column), gaps, _digest_values(column)])


def _digest_values(column: "pl.Series") -> str:
    import polars as pl

    dtype = column.dtype
    if dtype == pl.Null:
        return ""
    if dtype == pl.Object:
        _refuse_objects(column.to_frame())
    if isinstance(dtype, pl.List):
        lengths = column.list.len().fill_null(0)
        inner = column.drop_nulls().filter(column.drop_nulls().list.len() > 0)
        return digest_json([_fixed(lengths), _digest_column(inner.explode().rename("item"))])
    if isinstance(dtype, pl.Array):
        return _digest_values(column.cast(pl.List(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        names = [field.name for field in dtype.fields]
        return digest_json([[name, _digest_column(column.struct.field(name))] for name in names])
    if dtype == pl.String:
        return _variable(column.fill_null("").cast(pl.Binary))
    if dtype == pl.Binary:
        return _variable(column.fill_null(b""))
    if dtype.is_decimal() or dtype in {pl.Int128, pl.UInt128}:  # NumPy has none of these
        return _variable(column.cast(pl.String).fill_null("").cast(pl.Binary))
    return _fixed(column)


def _fixed(column: "pl.Series") -> str:
    import polars as pl

    if column.dtype == pl.Boolean:
        column = column.cast(pl.UInt8)
    if column.dtype.is_float():
        column = column.fill_nan(float("nan"))  # there are many NaNs; one is enough
    physical = column.to_physical().fill_null(0)
    return digest_bytes(physical.to_numpy().tobytes())


def _variable(column: "pl.Series") -> str:
    import polars as pl

    lengths = _fixed(column.bin.size().cast(pl.UInt32))
    # Arrow would lay the text out in version-dependent ways; joined text has only one.
    rows = max(1, int(_PART_BYTES // max(1.0, float(column.bin.size().mean() or 1))))  # type: ignore[arg-type] # a number
    parts = (column.slice(start, rows).to_list() for start in range(0, len(column), rows))
    return digest_json([lengths, digest_bytes(*(b"".join(part) for part in parts))])
