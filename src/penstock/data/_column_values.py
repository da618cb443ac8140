"""ColumnValues: the distinct values of a column that is read in batches, and numbers for them."""

from typing import TYPE_CHECKING, Any

from penstock.data._row_hashes import column_hashes

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Codes = np.ndarray[Any, np.dtype[np.int64]]
    Words = np.ndarray[Any, np.dtype[np.uint64]]

_PENDING = 1 << 22  # rows of values and counts that are not merged yet


class ColumnValues:
    """The distinct values of a column with the numbers of their rows.

    >>> import polars as pl
    >>> values = ColumnValues()
    >>> for batch in (["b", None], ["a", "b"]):
    ...     values.add(pl.Series(batch))
    >>> values.codes(pl.Series(["a", "b", None])).tolist(), values.sizes.tolist()
    ([0, 1, 2], [1, 2, 1])

    Args:
        most: If passed, no further values are collected once there are more.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._tables: list[pl.DataFrame] = []
        self._pending = 0
        self._finished: tuple[Words, Codes, Codes] | None = None
        self.missing = 0
        self.is_over = False

    def add(self, series: "pl.Series") -> None:
        """Add the next values."""
        import polars as pl

        self.missing += series.null_count()
        if self.is_over:
            return
        counted = plain_values(series).drop_nulls().value_counts(name="rows")
        counted = counted.with_columns(pl.col("rows").cast(pl.Int64))
        self._tables.append(counted)
        self._pending += counted.height
        if self._pending > _PENDING or (self._most is not None and self._pending > self._most):
            self._pending = 0
            self.is_over = self._most is not None and self.table.height > self._most

    def merge(self, other: "ColumnValues") -> None:
        """Add the values that were added to another column's values."""
        self.missing += other.missing
        self._tables.append(other.table)
        self.is_over = self.is_over or other.is_over
        self.is_over |= self._most is not None and self.table.height > self._most

    @property
    def table(self) -> "pl.DataFrame":
        """Distinct values ``value`` and their ``rows``, without missing values."""
        import polars as pl

        if len(self._tables) != 1:
            every = pl.concat(self._tables)
            self._tables = [every.group_by("value").agg(pl.col("rows").sum())]
        return self._tables[0]

    @property
    def size_bytes(self) -> int:
        """Memory of the values so far; equal ones may still stand there several times."""
        return sum(int(table.estimated_size()) for table in self._tables)

    def __len__(self) -> int:
        return int(self.table.height)

    @property
    def sizes(self) -> "Codes":
        """Rows of each code; those of missing values last, if there are any."""
        return self._finish()[2]

    def codes(self, series: "pl.Series") -> "Codes":
        """Return numbers for values, as `codes_of` numbers those of the whole column.

        Args:
            series: Values that were added.
        """
        import numpy as np

        hashes, codes, sizes = self._finish()
        values = plain_values(series)
        if not len(hashes):
            found = np.zeros(len(values), dtype=np.int64)
        elif len(codes):
            own = column_hashes(values.to_frame())[0]
            found = codes[np.minimum(np.searchsorted(hashes, own), len(hashes) - 1)]
        else:
            found = _joined(values, self.table)
        return np.where(series.is_null().to_numpy(), len(sizes) - 1, found)

    def _finish(self) -> "tuple[Words, Codes, Codes]":
        import numpy as np

        if self._finished is None:
            self._tables = [self.table.sort("value")]
            table = self.table
            hashes = column_hashes(table.select("value"))[0]
            order = np.argsort(hashes, kind="stable")
            hashes = hashes[order]
            # Two values may have one hash: then they are compared themselves.
            is_unique = not bool((hashes[1:] == hashes[:-1]).any())
            sizes = table["rows"].to_numpy().astype(np.int64)
            if self.missing:
                sizes = np.append(sizes, self.missing)
            self._finished = hashes, order if is_unique else order[:0], sizes
        return self._finished


def plain_values(series: "pl.Series") -> "pl.Series":
    """Return values that can be compared between batches, named ``value``."""
    import polars as pl

    values = series.rename("value")
    if values.dtype.is_nested():
        texts = [None if value is None else repr(value) for value in values.to_list()]
        return pl.Series("value", texts, dtype=pl.String)
    if values.dtype in (pl.Categorical, pl.Enum):
        return values.cast(pl.String)
    # -0.0 and 0.0 are one value with two patterns of bits.
    return values + 0.0 if values.dtype.is_float() else values


def _joined(values: "pl.Series", table: "pl.DataFrame") -> "Codes":
    import polars as pl

    known = table.select("value").with_row_index("code")
    joined = values.to_frame().join(known, on="value", how="left", maintain_order="left")
    found: Codes = joined["code"].fill_null(0).cast(pl.Int64).to_numpy()
    return found
