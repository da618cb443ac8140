"""Digests of tables: of the rows in order, and of the rows as a multiset, in any order.

Both depend on column names, types and values only: not on Parquet bytes, chunks, or polars' own
hash.

ordered     SHA-256 over each column's type and values, from running states (see TableDigest)
order-free  SHA-256 over schema, the number of rows and S = sum over rows r of h(r) mod 2^128

h(r) are the row's two hashes (see _row_hashes). A sum (not XOR) counts equal rows. The sum detects
accidents, not forgeries: forgeries are the ordered digest's task.
"""

from typing import TYPE_CHECKING

from penstock.core import digest_bytes, digest_json
from penstock.data._row_hashes import hash_rows, sum_words
from penstock.stores import TableDigest
from penstock.tables import dtype_name

if TYPE_CHECKING:
    import polars as pl

    from penstock.data._row_hashes import Words

# Rows at a time: the temporary arrays stay small for tables of any length.
_SLICE = 1 << 18


def digest_table(table: "pl.DataFrame") -> str:
    """Compute the digest of a table's rows in order.

    >>> import polars as pl
    >>> table = pl.DataFrame({"a": [1, 2]})
    >>> digest_table(table) == digest_table(table.reverse())
    False
    """
    state = TableDigest()
    state.update(_without_objects(table))
    return state.digest(dtype_name)


def digest_rows(table: "pl.DataFrame") -> str:
    """Compute the digest of a table's rows as a multiset: order does not count, multiplicity does.

    >>> import polars as pl
    >>> table = pl.DataFrame({"a": [1, 2]})
    >>> digest_rows(table) == digest_rows(table.reverse())
    True
    >>> digest_rows(table) == digest_rows(pl.concat([table, table]))
    False
    """
    state = RowsDigest(table.schema)
    for start in range(0, table.height, _SLICE):
        state.update(hash_rows(table.slice(start, _SLICE)))
    return state.digest()


class RowsDigest:
    """The order-free digest from the hashes of the rows, in slices of any size.

    Args:
        schema: The table's columns.
    """

    def __init__(self, schema: "pl.Schema") -> None:
        self._schema, self._rows, self._total = schema, 0, 0

    def update(self, hashes: "tuple[Words, Words]") -> None:
        """Add the hashes of more rows: two arrays of shape (rows,)."""
        first, second = hashes
        self._rows += len(first)
        self._total += (sum_words(first) << 64) + sum_words(second)

    def digest(self) -> str:
        """Return the digest of the rows so far."""
        content = (self._total % (1 << 128)).to_bytes(16, "little")
        names = [[name, dtype_name(dtype)] for name, dtype in self._schema.items()]
        return digest_bytes(digest_json(names).encode(), b"%d:" % self._rows, content)


def _without_objects(table: "pl.DataFrame") -> "pl.DataFrame":
    """Replace Python objects, which a table that is only split may hold, by their texts."""
    import polars as pl

    texts = [
        pl.Series(series.name, [None if v is None else repr(v).encode() for v in series.to_list()])
        for series in table.iter_columns()
        if series.dtype == pl.Object
    ]
    return table.with_columns(texts) if texts else table
