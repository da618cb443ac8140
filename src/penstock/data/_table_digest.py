"""Digests of tables: of the rows in order, and of the rows as a multiset, in any order.

Both depend on column names, types and values only: not on Parquet bytes, chunks, or polars' own
hash.

ordered     SHA-256 over schema, then each column's values (nulls as a bit mask beside them)
order-free  SHA-256 over schema, the number of rows and S = sum over rows r of h(r) mod 2^128

h(r) = (a(r), b(r)) are two 64-bit hashes of the row, made by chaining the columns' values through
the finaliser of SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195), with different
constants. A sum (not XOR) counts equal rows. The sum detects accidents, not forgeries: forgeries
are the ordered digest's task.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.core import digest_bytes, digest_json
from penstock.tables import dtype_name

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Words: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"

# Rows at a time: the temporary arrays stay small for tables of any length.
_SLICE = 1 << 18
_WORD = 8
_MAX_WORDS = 32
# Different constants for the two lanes, or both hashes of a row would be equal.
_SEEDS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
_NULL = 0x5851F42D4C957F2D


def digest_table(table: "pl.DataFrame") -> str:
    """Compute the digest of a table's rows in order.

    >>> import polars as pl
    >>> table = pl.DataFrame({"a": [1, 2]})
    >>> digest_table(table) == digest_table(table.reverse())
    False
    """
    state = hashlib.sha256(_schema_bytes(table))
    for series in table.iter_columns():
        for start in range(0, table.height, _SLICE):
            for block in _blocks(_plain(series.slice(start, _SLICE))):
                state.update(block)
    return "sha256:" + state.hexdigest()


def digest_rows(table: "pl.DataFrame") -> str:
    """Compute the digest of a table's rows as a multiset: order does not count, multiplicity does.

    >>> import polars as pl
    >>> table = pl.DataFrame({"a": [1, 2]})
    >>> digest_rows(table) == digest_rows(table.reverse())
    True
    >>> digest_rows(table) == digest_rows(pl.concat([table, table]))
    False
    """
    total = 0
    for start in range(0, table.height, _SLICE):
        first, second = hash_rows(table.slice(start, _SLICE))
        total += (_sum(first) << 64) + _sum(second)
    content = (total % (1 << 128)).to_bytes(16, "little")
    return digest_bytes(_schema_bytes(table), b"%d:" % table.height, content)


def hash_rows(table: "pl.DataFrame") -> tuple["Words", "Words"]:
    """Compute a hash of every row in 2 x 64 bits, the same in every process and version.

    Returns:
        Two arrays of shape (rows,).
    """
    import numpy as np

    first = np.full(table.height, _SEEDS[0], dtype=np.uint64)
    second = np.full(table.height, _SEEDS[1], dtype=np.uint64)
    for series in table.iter_columns():
        words = _value_hashes(_plain(series))
        first = _chain(first, words[0], 0)
        second = _chain(second, words[1], 1)
    return first, second


def column_hashes(table: "pl.DataFrame") -> "list[Words]":
    """Compute a hash of every value in 64 bits: an array of shape (rows,) for each column."""
    return [_value_hashes(_plain(series))[0] for series in table.iter_columns()]


def combine_hashes(columns: "Sequence[Words]") -> "Words":
    """Compute hashes of rows from the hashes of their values: equal rows get equal numbers."""
    import numpy as np

    rows = np.full(len(columns[0]), _SEEDS[0], dtype=np.uint64)
    for column in columns:
        rows = _chain(rows, column, 0)
    return rows


def _chain(rows: "Words", words: "Words", lane: int) -> "Words":
    import numpy as np

    with np.errstate(over="ignore"):
        return _mix(rows * np.uint64(_SEEDS[1 - lane]) + words, lane)


def _schema_bytes(table: "pl.DataFrame") -> bytes:
    names = [[name, dtype_name(dtype)] for name, dtype in table.schema.items()]
    return digest_json(names).encode()


def _plain(series: "pl.Series") -> "pl.Series":
    """Convert a column to numbers, booleans or binary, with nulls."""
    import polars as pl

    dtype = series.dtype
    if dtype in (pl.Date, pl.Datetime, pl.Duration, pl.Time):
        return series.to_physical()
    # As text: the codes of categories depend on the order of the rows, and NumPy has no decimals.
    if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Decimal, pl.Int128):
        return series.cast(pl.String).cast(pl.Binary)
    if dtype == pl.Null:
        return series.cast(pl.Int8)
    if dtype.is_nested() or dtype == pl.Object:
        texts = [None if value is None else repr(value).encode() for value in series.to_list()]
        return pl.Series(series.name, texts, dtype=pl.Binary)
    return series


def _blocks(values: "pl.Series") -> Iterator[Any]:
    import numpy as np
    import polars as pl

    # Without the mask a null and the value that fills it would have the same bytes.
    yield np.packbits(values.is_null().to_numpy())
    if values.dtype == pl.Binary:
        filled = values.fill_null(b"")
        # Sizes first: "ab", "c" and "a", "bc" join to the same bytes.
        yield filled.bin.size("b").to_numpy().astype("<u4")
        yield b"".join(filled.to_list())
    else:
        numbers = np.ascontiguousarray(_numbers(values))
        yield numbers.astype(numbers.dtype.newbyteorder("<"), copy=False)


def _numbers(values: "pl.Series") -> Any:
    """Return values as a little-endian array in which nulls are 0 and NaNs are equal."""
    import numpy as np

    if values.dtype.is_float():
        array = values.fill_null(0.0).to_numpy()
        nans = np.isnan(array)
        return np.where(nans, array.dtype.type(np.nan), array) if nans.any() else array
    if not values.dtype.is_integer():
        return values.fill_null(value=False).to_numpy().astype(np.uint8)
    return values.fill_null(0).to_numpy()


def _value_hashes(values: "pl.Series") -> tuple["Words", "Words"]:
    import numpy as np
    import polars as pl

    if values.dtype == pl.Binary:
        hashes = _binary_hashes(values.fill_null(b""))
    else:
        words = _words(_numbers(values))
        hashes = _mix(words, 0), _mix(words, 1)
    if not values.null_count():
        return hashes
    nulls = values.is_null().to_numpy()
    null = np.uint64(_NULL)
    return np.where(nulls, null, hashes[0]), np.where(nulls, null, hashes[1])


def _words(array: Any) -> "Words":
    import numpy as np

    # One width per kind: the values 1 of Int32 and Int64 hash alike, and the schema differs.
    wide = {"f": np.float64, "i": np.int64}.get(array.dtype.kind, np.uint64)
    words: Words = array.astype(wide).view(np.uint64)
    return words


def _binary_hashes(values: "pl.Series") -> tuple["Words", "Words"]:
    """Compute hashes of byte strings by 8 bytes, for all rows at once; very long strings singly."""
    import numpy as np
    import polars as pl

    sizes = values.bin.size("b").to_numpy()
    # The size counts, as zero bytes at the end would otherwise equal the padding.
    lanes = [_mix(sizes.astype(np.uint64), lane) for lane in (0, 1)]
    todo = np.flatnonzero(sizes)
    frame = pl.DataFrame({"value": values})
    for position in range(_MAX_WORDS):
        todo = todo[sizes[todo] > position * _WORD]
        if not len(todo):
            return lanes[0], lanes[1]
        part = frame if len(todo) == len(values) else frame[todo]
        words = _word_at(part, position)
        for lane in (0, 1):
            lanes[lane][todo] = _mix(lanes[lane][todo] * np.uint64(_SEEDS[lane]) + words, lane)
    for row in todo[sizes[todo] > _MAX_WORDS * _WORD]:
        whole = hashlib.blake2b(values[int(row)], digest_size=16).digest()
        lanes[0][row], lanes[1][row] = np.frombuffer(whole, dtype="<u8")
    return lanes[0], lanes[1]


def _word_at(frame: "pl.DataFrame", position: int) -> "Words":
    import polars as pl

    # Padded with zeros, so that the last word is complete.
    piece = pl.col("value").bin.slice(position * _WORD, _WORD) + pl.lit(bytes(_WORD))
    word = piece.bin.slice(0, _WORD).bin.reinterpret(dtype=pl.UInt64, endianness="little")
    words: Words = frame.select(word).to_series().to_numpy()
    return words


def _mix(words: "Words", lane: int) -> "Words":
    import numpy as np

    with np.errstate(over="ignore"):
        mixed = words + np.uint64(_SEEDS[lane])
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _sum(words: "Words") -> int:
    """Compute a sum without losing the carry."""
    import numpy as np

    low = int((words & np.uint64(0xFFFFFFFF)).sum(dtype=np.uint64))
    return low + (int((words >> np.uint64(32)).sum(dtype=np.uint64)) << 32)
