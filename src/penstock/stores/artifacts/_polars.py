"""polars tables as Parquet, identified by schema and values, whatever the file's encoding."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import SerializationError, digest_json, with_article
from penstock.stores.artifacts._table_digest import ColumnDigest, TableDigest, refuse_objects
from penstock.stores.artifacts._value import Serialized, type_name

if TYPE_CHECKING:
    import polars as pl

_SERIES = "__penstock_series__"
_ROW_GROUP = 1 << 20


def write_polars(
    value: "pl.DataFrame | pl.LazyFrame | pl.Series", content_digest: str
) -> Serialized:
    """Serialise a polars frame, or a series as a table with a single column.

    Raises:
        SerializationError: If a column contains Python objects, or Parquet would change the column.
    """
    import polars as pl

    kind = "frame"
    if isinstance(value, pl.LazyFrame):
        frame = value.collect()
    elif isinstance(value, pl.Series):
        kind, frame = "series", value.to_frame(_SERIES)
    else:
        frame = value
    name = value.name if isinstance(value, pl.Series) else None
    refuse_objects(frame)
    buffer = io.BytesIO()
    # One chunk and a fixed row group: the bytes do not depend on the frame's construction.
    frame.rechunk().write_parquet(
        buffer,
        compression="zstd",
        row_group_size=_ROW_GROUP,
        metadata={"penstock": f"polars {kind} {frame.height}"},
    )
    facts = _facts(frame, f"polars {kind}") | ({} if kind == "frame" else {"name": name})
    known = all(is_plain_type(dtype) for dtype in frame.dtypes)
    if not known and digest_polars(read_polars(buffer.getvalue(), facts)) != digest_polars(value):
        raise SerializationError(
            what=f"{with_article(type_name(value), begins=True)} would be read back changed from Parquet.",
            why="A stored value must be read back as it was.",
            fix="Cast its columns to numbers, text, dates, or lists or structs of them.",
        )
    return Serialized(buffer.getvalue(), "parquet", content_digest, type_name(value), facts)


def read_polars(
    data: bytes | Path, facts: Any, columns: Sequence[str] | None = None
) -> "pl.DataFrame | pl.Series":
    """Read a frame or series that `write_polars` wrote; a lazy frame is restored collected.

    Args:
        data: The stored bytes, or the file that has them: only the columns' pages are read then.
        facts: The record's metadata.
        columns: Columns of the frame to read; by default all.
    """
    import polars as pl

    place = data if isinstance(data, Path) else io.BytesIO(data)
    chosen = None if columns is None else list(columns)
    frame = pl.read_parquet(place, columns=chosen, glob=False, hive_partitioning=False)
    if facts.get("frame") == "polars series":
        return frame.to_series().alias(facts["name"])
    if not frame.width and facts.get("rows"):
        frame = pl.DataFrame(height=facts["rows"])
    return frame


def digest_polars(value: "pl.DataFrame | pl.LazyFrame | pl.Series") -> str:
    """Compute the digest of a table by column names, types and values, in order."""
    import polars as pl

    if isinstance(value, pl.LazyFrame):
        value = value.collect()
    if isinstance(value, pl.Series):
        return digest_json(["series", value.name, digest_column(value)])
    state = TableDigest()
    state.update(value)
    return state.digest()


def is_plain_type(dtype: "pl.DataType") -> bool:
    """Return whether a column of this type is known to survive Parquet unchanged."""
    import polars as pl

    # Compared, not looked up: a type with a unit or a zone equals its class with another hash.
    return dtype.is_numeric() or dtype in (pl.String, pl.Boolean, pl.Date, pl.Datetime, pl.Time)


def _facts(frame: "pl.DataFrame", kind: str) -> dict[str, Any]:
    return {"rows": frame.height, "columns": list(frame.columns), "frame": kind}


def digest_column(column: "pl.Series") -> str:
    """Compute the digest of a column by type and values, without the name."""
    state = ColumnDigest(column.dtype)
    state.update(column)
    return state.digest()
