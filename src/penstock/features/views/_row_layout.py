"""RowLayout: where the columns of a view are in the bytes of a row; made once, for many rows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

WIDTHS = {
    "Boolean": "<u1", "Int8": "<i1", "Int16": "<i2", "Int32": "<i4", "Int64": "<i8",
    "Float32": "<f4", "Float64": "<f8", "Date": "<i4", "Datetime": "<i8",
}  # fmt: skip
DECIMAL = 16
"""Bytes of a decimal."""


@dataclass(frozen=True, slots=True)
class ColumnGroup:
    """Columns of a single dtype of fixed width.

    Args:
        kind: The dtype.
        size: Bytes of a value.
        names: Names of the columns.
        numbers: Their numbers among all columns.
        places: Places of their bytes in a row, behind the bitmap.
    """

    kind: "pl.DataType"
    size: int
    names: list[str]
    numbers: list[int]
    places: Any


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Where the columns are in the bytes of a row; made once for a view.

    Args:
        kinds: The columns' dtypes.
        bitmap: Bytes of the bitmap of nulls.
        width: Bytes of all columns of fixed width.
        groups: These columns, by dtype.
        tails: Number, name and dtype of the remaining columns.
    """

    kinds: "Mapping[str, pl.DataType]"
    bitmap: int
    width: int
    groups: list[ColumnGroup]
    tails: "list[tuple[int, str, pl.DataType]]"

    @classmethod
    def of(cls, kinds: "Mapping[str, pl.DataType]") -> Self:
        """Return the layout of columns."""
        width, tails = 0, []
        groups: dict[str, tuple[pl.DataType, int, list[tuple[int, str, int]]]] = {}
        for number, (name, kind) in enumerate(kinds.items()):
            size = fixed_width(kind)
            if size is None:
                tails.append((number, name, kind))
                continue
            groups.setdefault(str(kind), (kind, size, []))[2].append((number, name, width))
            width += size
        return cls(
            kinds,
            -(-len(kinds) // 8),
            width,
            [
                ColumnGroup(
                    kind,
                    size,
                    [name for _, name, _ in columns],
                    [number for number, _, _ in columns],
                    np.concatenate([np.arange(start, start + size) for _, _, start in columns]),
                )
                for kind, size, columns in groups.values()
            ],
            tails,
        )


def fixed_width(kind: "pl.DataType") -> int | None:
    """Return the bytes of a value; None for a dtype whose values differ in length."""
    name = kind.base_type().__name__
    return (
        DECIMAL
        if name == "Decimal"
        else np.dtype(WIDTHS[name]).itemsize
        if name in WIDTHS
        else None
    )
