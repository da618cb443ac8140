"""TableDigest: the digest of a table's rows in order, built from slices of any size.

Each column has running states, so that the digest does not depend on the slices, and no slice is
needed twice: a table larger than memory has a digest, and columns are digested side by side.
"""

import hashlib
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from penstock.core import SerializationError, digest_json, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    NameOf: TypeAlias = Callable[[pl.DataType], str]

_Any = TypeVar("_Any")
_PREFIX = "sha256:"
_PART_ROWS = 1 << 16  # texts joined at once
_MANY_CELLS = 1 << 16  # fewer are digested faster than threads start


class TableDigest:
    """Digest of column names, types and values, in order.

    >>> import polars as pl
    >>> table = pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})
    >>> whole, slices = TableDigest(), TableDigest()
    >>> for slice in (table,):
    ...     whole.update(slice)
    >>> for slice in (table[:1], table[1:]):
    ...     slices.update(slice)
    >>> whole.digest() == slices.digest()
    True
    """

    def __init__(self) -> None:
        self._rows = 0
        self._columns: dict[str, ColumnDigest] = {}

    def update(self, frame: "pl.DataFrame", also: "TableDigest | None" = None) -> None:
        """Add the next rows; all slices have equal columns.

        Args:
            frame: The rows.
            also: A second digest of the same columns that gets the rows too, for little more than
                the hashing itself.

        Raises:
            SerializationError: If a column contains Python objects.
        """
        if not self._rows:
            refuse_objects(frame)
        for table in (self, also) if also is not None else (self,):
            for name, dtype in frame.schema.items():
                table._columns.setdefault(name, ColumnDigest(dtype))  # noqa: SLF001 - its own class
            table._rows += frame.height  # noqa: SLF001
        others = {} if also is None else also._columns  # noqa: SLF001
        side_by_side(
            lambda series: self._columns[series.name].update(series, others.get(series.name)),
            frame.get_columns(),
            if_worth=frame.height * frame.width > _MANY_CELLS,
        )

    def digest(self, name_of: "NameOf" = str) -> str:
        """Return the digest of the rows so far.

        Args:
            name_of: Name of a column's type; by default that of polars.
        """
        columns = [[name, state.digest(name_of)] for name, state in self._columns.items()]
        return digest_json(["table", self._rows, columns])


class ColumnDigest:
    """Digest of a column's type and values, without the name."""

    def __init__(self, dtype: "pl.DataType") -> None:
        import polars as pl

        self._dtype = dtype
        self._rows = 0
        self._gaps = _Gaps()
        self._values: _Values
        if dtype == pl.Null:
            self._values = _Nothing()
        elif isinstance(dtype, pl.List | pl.Array):
            self._values = _Lists(_plain(dtype.inner))
        elif isinstance(dtype, pl.Struct):
            self._values = _Structs(dtype)
        elif _is_variable(dtype):
            self._values = _Variable()
        else:
            self._values = _Fixed()

    def update(self, column: "pl.Series", also: "ColumnDigest | None" = None) -> None:
        """Add the next values; see `TableDigest.update`."""
        import polars as pl

        if isinstance(column.dtype, pl.Categorical):
            # Categories are not part of the type: two tables may differ in unused ones.
            column = column.cast(pl.String)
        mask = column.is_null().to_numpy().tobytes() if column.null_count() else None
        for state in _both(self, also):
            state._rows += len(column)  # noqa: SLF001 - its own class
            state._gaps.update(len(column), mask)  # noqa: SLF001
        self._values.update(column, None if also is None else also._values)  # noqa: SLF001

    def digest(self, name_of: "NameOf" = str) -> str:
        """Return the digest of the values so far; see `TableDigest.digest`."""
        import polars as pl

        head: Any = name_of(self._dtype)
        if isinstance(self._dtype, pl.Enum):  # the type's text leaves out some of many categories
            head = ["Enum", self._dtype.categories.to_list()]
        elif isinstance(self._dtype, pl.Categorical):
            head = "Categorical"
        return digest_json([head, self._rows, self._gaps.digest(), self._values.digest(name_of)])


def refuse_objects(frame: "pl.DataFrame") -> None:
    """Refuse columns of Python objects.

    Raises:
        SerializationError: If there is such a column.
    """
    import polars as pl

    for name, dtype in frame.schema.items():
        if dtype == pl.Object:
            raise SerializationError(
                what=f"Column {name!r} holds Python objects.",
                why="A stored table has numbers, text, dates and lists or structs of them.",
                fix=f"Convert the column, for example with pl.col({name!r}).map_elements(str).",
                column=name,
            )


class _Values(Protocol):
    """Running digest of a column's values."""

    def update(self, column: "pl.Series", also: Any) -> None: ...
    def digest(self, name_of: "NameOf") -> str: ...


class _Nothing:
    def update(self, column: "pl.Series", also: "_Nothing | None") -> None:
        del column, also

    def digest(self, name_of: "NameOf") -> str:
        del name_of
        return ""


class _Fixed:
    """Values of equal width."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()

    def update(self, column: "pl.Series", also: "_Fixed | None") -> None:
        import numpy as np
        import polars as pl

        if column.dtype == pl.Object:
            refuse_objects(column.to_frame())
        if column.dtype == pl.Boolean:
            column = column.cast(pl.UInt8)
        if column.dtype.is_float() and column.is_nan().any():
            column = column.fill_nan(float("nan"))  # there are many NaNs; a single one is enough
        column = column.to_physical()
        if column.null_count():
            column = column.fill_null(0)
        values = np.ascontiguousarray(column.to_numpy()).data
        for digest in _both(self, also):
            digest._state.update(values)  # noqa: SLF001 - its own class

    def digest(self, name_of: "NameOf") -> str:
        del name_of
        return _PREFIX + self._state.hexdigest()


class _Variable:
    """Texts and bytes: their lengths, and all of them joined, as Arrow has several layouts."""

    def __init__(self) -> None:
        self._lengths, self._joined = _Fixed(), hashlib.sha256()

    def update(self, column: "pl.Series", also: "_Variable | None") -> None:
        import polars as pl

        if column.dtype not in (pl.String, pl.Binary):  # NumPy has none of these numbers
            column = column.cast(pl.String)
        is_text = column.dtype == pl.String
        if column.null_count():
            column = column.fill_null("" if is_text else b"")
        sizes = column.str.len_bytes() if is_text else column.bin.size()
        self._lengths.update(sizes.cast(pl.UInt32), None if also is None else also._lengths)  # noqa: SLF001
        for start in range(0, len(column), _PART_ROWS):
            part = column.slice(start, _PART_ROWS)
            joined = part.str.join("").item().encode() if is_text else b"".join(part.to_list())
            for digest in _both(self, also):
                digest._joined.update(joined)  # noqa: SLF001 - its own class

    def digest(self, name_of: "NameOf") -> str:
        return digest_json([self._lengths.digest(name_of), _PREFIX + self._joined.hexdigest()])


class _Lists:
    def __init__(self, inner: "pl.DataType") -> None:
        self._lengths, self._items = _Fixed(), ColumnDigest(inner)

    def update(self, column: "pl.Series", also: "_Lists | None") -> None:
        import polars as pl

        if isinstance(column.dtype, pl.Array):
            column = column.cast(pl.List(column.dtype.inner))
        lengths = column.list.len().fill_null(0)
        self._lengths.update(lengths, None if also is None else also._lengths)  # noqa: SLF001
        filled = column.drop_nulls()
        filled = filled.filter(filled.list.len() > 0)
        if len(filled):
            items = filled.explode().rename("item")
            self._items.update(items, None if also is None else also._items)  # noqa: SLF001

    def digest(self, name_of: "NameOf") -> str:
        return digest_json([self._lengths.digest(name_of), self._items.digest(name_of)])


class _Structs:
    def __init__(self, dtype: "pl.Struct") -> None:
        self._fields = {field.name: ColumnDigest(_plain(field.dtype)) for field in dtype.fields}

    def update(self, column: "pl.Series", also: "_Structs | None") -> None:
        others = {} if also is None else also._fields
        for name, state in self._fields.items():
            state.update(column.struct.field(name), others.get(name))

    def digest(self, name_of: "NameOf") -> str:
        return digest_json([[name, state.digest(name_of)] for name, state in self._fields.items()])


class _Gaps:
    """Which values are missing; empty if none is, which most columns are."""

    def __init__(self) -> None:
        self._state: Any = None
        self._before = 0  # values before the first missing one

    def update(self, rows: int, mask: bytes | None) -> None:
        """Add the next values: a byte for each, 1 if missing; no mask if none is missing."""
        if self._state is None and mask is None:
            self._before += rows
            return
        if self._state is None:
            self._state = hashlib.sha256()
            for start in range(0, self._before, _PART_ROWS):
                self._state.update(bytes(min(_PART_ROWS, self._before - start)))
        self._state.update(bytes(rows) if mask is None else mask)

    def digest(self) -> str:
        return "" if self._state is None else _PREFIX + self._state.hexdigest()


def _both(one: _Any, two: _Any | None) -> tuple[_Any, ...]:
    return (one,) if two is None else (one, two)


def _is_variable(dtype: "pl.DataType") -> bool:
    import polars as pl

    # An Enum's physical numbers are fixed by its type, a Categorical's are not.
    if isinstance(dtype, pl.Categorical) or dtype in (pl.String, pl.Binary):
        return True
    return dtype.is_decimal() or dtype in (pl.Int128, pl.UInt128)


def _plain(dtype: Any) -> "pl.DataType":
    """Return a type's instance, where polars' signature allows the class."""
    instance: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return instance
