"""Columns of long texts, lists or bytes: described from passes over the chunks, never as a whole.

The results are those of the whole column: texts are counted by hashes of 128 bits, and only the most
frequent ones are read again.
"""

from typing import TYPE_CHECKING, Any

from penstock.data._dependence import STRETCH_ROWS, estimate_dependence
from penstock.data._profile import ColumnProfile
from penstock.data._profiling import TOP, first_of, level_places
from penstock.data._row_hashes import value_hashes
from penstock.stores import ChunkedTable
from penstock.tables import HEAD_ROWS, Column, Kind, dtype_name, kind_of, kind_of_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import polars as pl

    Counts = np.ndarray[Any, np.dtype[np.int32]]

_LONG_BYTES = 1 << 28


def long_columns(table: ChunkedTable) -> list[str]:
    """Return the columns that take so much memory that they are read chunk by chunk."""
    if len(table.chunks) < 2:  # noqa: PLR2004 - several
        return []
    sizes: dict[str, float] = {}
    for chunk in (table.chunks[0], table.chunks[-1]):
        for series in chunk.read().iter_columns():
            if _is_variable(series.dtype):
                size = series.estimated_size() / max(len(series), 1) * table.rows
                sizes[series.name] = max(sizes.get(series.name, 0.0), size)
    return [name for name, size in sizes.items() if size > _LONG_BYTES]


class LongColumn:
    """Schema and profile of a column that is never in memory as a whole.

    >>> import polars as pl
    >>> batches = [pl.Series("note", ["a", "b"]), pl.Series("note", ["b", None])]
    >>> column = LongColumn(batches)
    >>> column.fact.distinct, column.profile(batches).top
    (2, (('b', 2), ('a', 1)))

    Args:
        batches: The values in order.
    """

    def __init__(self, batches: "Iterable[pl.Series]") -> None:
        import polars as pl

        self._rows = self._missing = 0
        first, second = [], []
        head: list[pl.Series] = []
        for series in batches:
            known = series.drop_nulls()
            self._rows += len(series)
            self._missing += len(series) - len(known)
            name, dtype = series.name, series.dtype
            if not sum(map(len, head)) or (dtype == pl.String and sum(map(len, head)) < HEAD_ROWS):
                head.append(known.head(HEAD_ROWS))
            if dtype == pl.String:
                lanes = value_hashes(known)
                first.append(lanes[0])
                second.append(lanes[1])
        start = pl.concat(head).head(HEAD_ROWS)
        self._counts: Counts | None = None
        found: tuple[Kind, int | None]
        if dtype == pl.String:
            self._counts, distinct = _count(first, second)
            is_constant = not distinct or (distinct == 1 and not self._missing and self._rows > 1)
            present = self._rows - self._missing
            kind = "constant" if is_constant else kind_of_texts(start, present, distinct)
            found = (kind, distinct)
        else:
            found = kind_of(start)
        self.fact = Column(
            name, found[0], dtype_name(dtype), nullable=self._missing > 0, distinct=found[1]
        )

    def profile(self, batches: "Iterable[pl.Series]") -> ColumnProfile:
        """Compute the profile from a second pass over the same values."""
        if self._counts is None:
            return ColumnProfile(
                self.fact.kind, self._rows, self._missing, unique=self.fact.distinct or 0
            )
        top, stretch = self._second_pass(batches, self._counts)
        pairs = tuple((str(text), int(rows)) for text, rows in top.iter_rows())
        codes = level_places([text for text, _ in pairs], stretch)
        return ColumnProfile(
            self.fact.kind,
            self._rows,
            self._missing,
            unique=self.fact.distinct or 0,
            top=pairs,
            other=len(self._counts) - sum(rows for _, rows in pairs),
            dependence=estimate_dependence(codes) if len(stretch) else None,
        )

    def _second_pass(
        self, batches: "Iterable[pl.Series]", counts: "Counts"
    ) -> "tuple[pl.DataFrame, pl.Series]":
        """Return the most frequent texts with their rows, and the texts in the middle."""
        import polars as pl

        least = _least_of_top(counts)
        middle = max(len(counts) - STRETCH_ROWS, 0) // 2
        top = pl.DataFrame(schema={"value": pl.String, "rows": pl.Int32})
        stretch = [pl.Series("value", [], dtype=pl.String)]
        start = 0
        for series in batches:
            known = series.drop_nulls().alias("value")
            end = start + len(known)
            low, high = max(middle - start, 0), min(middle + STRETCH_ROWS - start, len(known))
            if low < high:
                stretch.append(known[low:high])
            frame = pl.DataFrame([known, pl.Series("rows", counts[start:end])])
            frequent = frame.filter(pl.col("rows") >= least).unique()
            # As few as can be among the first are kept of equally frequent ones.
            top = first_of(pl.concat([top, frequent]).unique())
            start = end
        return top, pl.concat(stretch)


def _least_of_top(counts: "Counts") -> int:
    """Return the number of rows of the text that is last among the most frequent."""
    import numpy as np

    # A text with k rows stands in the array k times.
    sizes, rows = np.unique(counts, return_counts=True)
    texts = np.cumsum((rows // np.maximum(sizes, 1))[::-1])[::-1]
    enough = sizes[texts >= TOP]
    return int(enough[-1]) if len(enough) else 0


def _count(
    first: "list[np.ndarray[Any, Any]]", second: "list[np.ndarray[Any, Any]]"
) -> "tuple[Counts, int]":
    """Return for each value how many are equal to it, and the number of different values."""
    import numpy as np

    one, two = np.concatenate(first), np.concatenate(second)
    if not len(one):
        return np.empty(0, dtype=np.int32), 0
    order = np.argsort(one)
    one, two = one[order], two[order]
    starts = np.flatnonzero(np.append(True, (one[1:] != one[:-1]) | (two[1:] != two[:-1])))
    sizes = np.diff(starts, append=len(one)).astype(np.int32)
    counts = np.empty(len(one), dtype=np.int32)
    counts[order] = np.repeat(sizes, sizes)
    return counts, len(starts)


def _is_variable(dtype: "pl.DataType") -> bool:
    import polars as pl

    return dtype.is_nested() or dtype in (pl.String, pl.Binary)
