"""Columns to bytes per row and back, bit-equal; apart from the codec, which knows keys and views.

A row is: a bitmap of nulls, the values of fixed width in little endian (zero where null), then the
values of varying length where not null, each after the value's length. A list is the elements, each
after a byte for null.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from penstock.features.views._row_layout import (
    DECIMAL,
    WIDTHS,
    ColumnGroup,
    RowLayout,
    fixed_width,
)

if TYPE_CHECKING:
    import polars as pl

_LENGTH = 4


def encode_columns(columns: "Sequence[pl.Series]", mark: bytes = b"") -> list[bytes]:
    """Return the bytes of each row of columns, after a mark."""
    height = len(columns[0])
    head = np.broadcast_to(np.frombuffer(mark, np.uint8), (height, len(mark)))
    nulls = np.column_stack([_nulls(each) for each in columns])
    fixed = [_fixed_bytes(each) for each in columns if fixed_width(each.dtype) is not None]
    matrix = np.ascontiguousarray(
        np.hstack([head, np.packbits(nulls, axis=1, bitorder="little"), *fixed])
    )
    flat, width = matrix.tobytes(), matrix.shape[1]
    rows = [flat[start : start + width] for start in range(0, height * width, width)]
    tails = [_tail_bytes(each) for each in columns if fixed_width(each.dtype) is None]
    return [b"".join(parts) for parts in zip(rows, *tails, strict=True)] if tails else rows


def decode_columns(rows: list[bytes], layout: RowLayout, skip: int = 0) -> "pl.DataFrame":
    """Return the columns of ``encode_columns``.

    Args:
        rows: The bytes of each row.
        layout: Where the columns are.
        skip: Length of the mark.
    """
    import polars as pl

    start = skip + layout.bitmap
    width = start + layout.width
    matrix = np.frombuffer(b"".join([row[:width] for row in rows]), np.uint8)
    matrix = matrix.reshape(len(rows), width)
    nulls = np.unpackbits(
        matrix[:, skip:start], axis=1, bitorder="little", count=len(layout.kinds)
    ).astype(bool)
    decoded = dict.fromkeys(layout.kinds, pl.Series())
    for group in layout.groups:
        decoded.update(_decode_group(matrix[:, start:], nulls, group))
    ends = [width] * len(rows)
    for number, name, kind in layout.tails:
        null = nulls[:, number]
        decoded[name] = with_nulls(_from_tails(_cut(rows, null, ends), kind), null).alias(name)
    return pl.DataFrame(list(decoded.values()))


def _decode_group(matrix: Any, nulls: Any, group: ColumnGroup) -> "Iterator[tuple[str, pl.Series]]":
    """Return columns of one dtype: slices of a single column, which costs less than single columns."""
    height = len(matrix)
    block = matrix[:, group.places].reshape(height, len(group.names), group.size)
    flat = _from_fixed(
        np.ascontiguousarray(block.transpose(1, 0, 2)).reshape(-1, group.size), group.kind
    )
    has_nulls = nulls[:, group.numbers].any(axis=0).tolist()
    for place, name in enumerate(group.names):
        column = flat.slice(place * height, height)
        if has_nulls[place]:
            column = with_nulls(column, nulls[:, group.numbers[place]])
        yield name, column.alias(name)


def with_nulls(values: "pl.Series", null: Any) -> "pl.Series":
    """Return a column with nulls; all further bits stay."""
    import polars as pl

    if not null.any():
        return values
    return pl.select(pl.when(pl.Series(~null)).then(values)).to_series()


def _nulls(column: "pl.Series") -> Any:
    return column.is_null().to_numpy() if column.null_count() else np.zeros(len(column), bool)


def _fixed_bytes(column: "pl.Series") -> Any:
    name = column.dtype.base_type().__name__
    if name == "Decimal":
        numbers = column.to_physical().fill_null(0).to_list()
        flat = b"".join([each.to_bytes(DECIMAL, "little", signed=True) for each in numbers])
        return np.frombuffer(flat, np.uint8).reshape(len(numbers), DECIMAL)
    plain = column.to_physical() if name in {"Date", "Datetime"} else column
    filled = plain.fill_null(False if name == "Boolean" else 0) if plain.null_count() else plain
    values = np.ascontiguousarray(filled.to_numpy().astype(WIDTHS[name], copy=False))
    return values.view(np.uint8).reshape(len(values), values.itemsize)


def _from_fixed(matrix: Any, kind: "pl.DataType") -> "pl.Series":
    import polars as pl

    name = kind.base_type().__name__
    if name == "Decimal":
        numbers = [int.from_bytes(bytes(row), "little", signed=True) for row in matrix]
        assert isinstance(kind, pl.Decimal)
        return _decimals(numbers, kind)
    values = np.ascontiguousarray(matrix).view(WIDTHS[name]).ravel()
    column = pl.Series(values.astype(bool) if name == "Boolean" else values)
    return column.cast(kind) if name in {"Date", "Datetime"} else column


def _decimals(numbers: list[int], kind: Any) -> "pl.Series":
    import decimal

    import polars as pl

    exact = decimal.Context(prec=50)
    return pl.Series([decimal.Decimal(n).scaleb(-kind.scale, exact) for n in numbers], dtype=kind)


def _tail_bytes(column: "pl.Series") -> list[bytes]:
    """Return length and bytes of each value of a column of varying length; nothing for a null."""
    raw = (
        _list_bytes(column) if column.dtype.base_type().__name__ == "List" else _plain_bytes(column)
    )
    return [b"" if each is None else len(each).to_bytes(_LENGTH, "little") + each for each in raw]


def _plain_bytes(column: "pl.Series") -> list[bytes | None]:
    import polars as pl

    return column.cast(pl.Binary).to_list()


def _list_bytes(column: "pl.Series") -> list[bytes | None]:
    lengths = column.list.len().to_list()
    elements = _element_bytes(
        column.drop_nulls().filter(column.drop_nulls().list.len() > 0).explode()
    )
    start, parts = 0, []
    for length in lengths:
        parts.append(None if length is None else b"".join(elements[start : start + length]))
        start += length or 0
    return parts


def _element_bytes(flat: "pl.Series") -> list[bytes]:
    if fixed_width(flat.dtype) is not None:
        joined = np.hstack(
            [flat.is_null().to_numpy().astype(np.uint8)[:, None], _fixed_bytes(flat)]
        )
        return [row.tobytes() for row in np.ascontiguousarray(joined)]
    tails = _tail_bytes(flat)
    return [(b"\1" if not each else b"\0") + each for each in tails]


def _cut(rows: list[bytes], null: Any, ends: list[int]) -> "list[bytes | None]":
    """Return the next value of varying length of each row, and move the ends behind that value."""
    parts: list[bytes | None] = []
    for number, (row, missing) in enumerate(zip(rows, null.tolist(), strict=True)):
        if missing:
            parts.append(None)
            continue
        start = ends[number] + _LENGTH
        ends[number] = start + int.from_bytes(row[start - _LENGTH : start], "little")
        parts.append(row[start : ends[number]])
    return parts


def _from_tails(raw: "list[bytes | None]", kind: Any) -> "pl.Series":
    import polars as pl

    if not isinstance(kind, pl.List):
        return pl.Series(raw, dtype=pl.Binary).cast(kind)
    inner = cast("pl.DataType", kind.inner)
    size = fixed_width(inner)
    if size is None:
        split = [None if each is None else list(_elements(each)) for each in raw]
        return pl.Series(split, dtype=pl.List(pl.Binary)).cast(kind)
    matrix = np.frombuffer(b"".join(filter(None, raw)), np.uint8).reshape(-1, 1 + size)
    flat = with_nulls(_from_fixed(matrix[:, 1:], inner), matrix[:, 0].astype(bool))
    return _as_lists(flat, [None if each is None else len(each) // (1 + size) for each in raw])


def _as_lists(flat: "pl.Series", lengths: list[int | None]) -> "pl.Series":
    """Return elements as lists of these lengths; None stands for a null."""
    import polars as pl

    rows = pl.DataFrame(
        {"row": range(len(lengths)), "length": lengths},
        schema={"row": pl.Int64, "length": pl.Int64},
    )
    owners = np.repeat(rows["row"].to_numpy(), rows["length"].fill_null(0).to_numpy())
    full = (
        pl.DataFrame({"row": owners, "list": flat}).group_by("row", maintain_order=True).agg("list")
    )
    joined = rows.join(full, on="row", how="left", maintain_order="left")
    empty = pl.lit([], dtype=pl.List(flat.dtype))
    return joined.select(pl.when(pl.col("length") == 0).then(empty).otherwise("list")).to_series()


def _elements(raw: bytes) -> Iterator[bytes | None]:
    place = 0
    while place < len(raw):
        is_null, place = raw[place], place + 1
        if is_null:
            yield None
            continue
        start = place + _LENGTH
        place = start + int.from_bytes(raw[place:start], "little")
        yield raw[start:place]
