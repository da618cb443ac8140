"""polars tables as Parquet, identified by schema and values, whatever the file's encoding."""

import io
from typing import TYPE_CHECKING, Any

from penstock.core import SerializationError, digest_bytes, digest_json, with_article
from penstock.stores.artifacts._value import Serialized, type_name

if TYPE_CHECKING:
    import polars as pl

_SERIES = "__penstock_series__"
_ROW_GROUP = 1 << 20
_PART_BYTES = 1 << 26


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
    _refuse_objects(frame)
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


def read_polars(data: bytes, facts: Any) -> "pl.DataFrame | pl.Series":
    """Read a frame or series that `write_polars` wrote; a lazy frame is restored collected."""
    import polars as pl

    frame = pl.read_parquet(io.BytesIO(data))
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
    columns = [[name, digest_column(value[name])] for name in value.columns]
    return digest_json(["table", value.height, columns])


def is_plain_type(dtype: "pl.DataType") -> bool:
    """Return whether a column of this type is known to survive Parquet unchanged."""
    import polars as pl

    return dtype.is_numeric() or dtype in {pl.String, pl.Boolean, pl.Date, pl.Datetime, pl.Time}


def _facts(frame: "pl.DataFrame", kind: str) -> dict[str, Any]:
    return {"rows": frame.height, "columns": list(frame.columns), "frame": kind}


def _refuse_objects(frame: "pl.DataFrame") -> None:
    import polars as pl

    for name, dtype in frame.schema.items():
        if dtype == pl.Object:
            raise SerializationError(
                what=f"Column {name!r} holds Python objects.",
                why="A stored table has numbers, text, dates and lists or structs of them.",
                fix=f"Convert the column, for example with pl.col({name!r}).map_elements(str).",
                column=name,
            )


def digest_column(column: "pl.Series") -> str:
    """Compute the digest of a column by type and values, without the name."""
    import polars as pl

    dtype = column.dtype
    head: Any = str(dtype)
    if isinstance(dtype, pl.Enum):  # the type's text leaves out some of many categories
        head = ["Enum", dtype.categories.to_list()]
    # The categories of a Categorical are not part of its type: two can differ in unused ones.
    if isinstance(dtype, pl.Categorical):
        head = "Categorical"
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
        return digest_json([_fixed(lengths), digest_column(inner.explode().rename("item"))])
    if isinstance(dtype, pl.Array):
        return _digest_values(column.cast(pl.List(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        names = [field.name for field in dtype.fields]
        return digest_json([[name, digest_column(column.struct.field(name))] for name in names])
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
        column = column.fill_nan(float("nan"))  # there are many NaNs; a single one is enough
    physical = column.to_physical().fill_null(0)
    return digest_bytes(physical.to_numpy().tobytes())


def _variable(column: "pl.Series") -> str:
    import polars as pl

    lengths = _fixed(column.bin.size().cast(pl.UInt32))
    # Arrow would lay the text out in version-dependent ways; joined text has a single layout.
    rows = max(1, int(_PART_BYTES // max(1.0, float(column.bin.size().mean() or 1))))  # type: ignore[arg-type] # a number
    parts = (column.slice(start, rows).to_list() for start in range(0, len(column), rows))
    return digest_json([lengths, digest_bytes(*(b"".join(part) for part in parts))])
