"""Hashes of rows: 2 x 64 bits each, the same in every process and version.

h(r) = (a(r), b(r)) are made by chaining the columns' values through the finaliser of SplitMix64
(Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195), with different constants. They detect
accidents, not forgeries.
"""

import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.core import side_by_side

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy as np
    import polars as pl

    Words: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"

# Rows at a time: the temporary arrays stay small for tables of any length.
_BLOCK = 1 << 17
_REPEATED = 2  # with so many rows per distinct text only the distinct ones are hashed
_SLOTS = 1 << 18
_WORD = 8
_MAX_WORDS = 32
# Different constants for the two lanes, or both hashes of a row would be equal.
SEEDS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
_NULL = 0x5851F42D4C957F2D


def hash_rows(table: "pl.DataFrame") -> tuple["Words", "Words"]:
    """Compute a hash of every row in 2 x 64 bits, the same in every process and version.

    Returns:
        Two arrays of shape (rows,).
    """
    import numpy as np

    first, second = (np.full(table.height, seed, dtype=np.uint64) for seed in SEEDS)

    def hash_block(start: int) -> None:
        rows = slice(start, start + _BLOCK)
        for series in table[rows].iter_columns():
            words = _value_hashes(_plain(series))
            _chain(first[rows], words[0], 0)
            _chain(second[rows], words[1], 1)

    starts = range(0, table.height, _BLOCK)
    side_by_side(hash_block, starts, if_worth=len(starts) > 1)
    return first, second


def column_hashes(table: "pl.DataFrame") -> "list[Words]":
    """Compute a hash of every value in 64 bits: an array of shape (rows,) for each column."""
    return [_value_hashes(_plain(series), lanes=1)[0] for series in table.iter_columns()]


def combine_hashes(columns: "Iterable[Words]") -> "Words":
    """Compute hashes of rows from the hashes of their values: equal rows get equal numbers.

    Args:
        columns: An array of shape (rows,) for each column, 1 or more; each is needed once.
    """
    import numpy as np

    rows: Words | None = None
    for column in columns:
        if rows is None:
            rows = np.full(len(column), SEEDS[0], dtype=np.uint64)
        _chain(rows, column, 0)
    assert rows is not None
    return rows


def are_in(values: "Words", known: "Words") -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Return whether each hash is a known one; `numpy.isin` orders all of them, and slowly."""
    import numpy as np
    import polars as pl

    if not len(known):
        return np.zeros(len(values), dtype=bool)
    ordered = pl.Series(known).sort().to_numpy()
    places = np.searchsorted(ordered, values)
    places[places == len(ordered)] = 0
    found: np.ndarray[Any, np.dtype[np.bool_]] = ordered[places] == values
    return found


def value_hashes(series: "pl.Series") -> "list[Words]":
    """Compute a hash of every value in 2 x 64 bits: two arrays of shape (rows,)."""
    return _value_hashes(_plain(series))


def selected_hashes(
    table: "pl.DataFrame", selections: "Sequence[Collection[str]]"
) -> "list[Words]":
    """Compute hashes of every row from some columns, for several selections in one pass.

    Equal rows get equal numbers, which are those of `combine_hashes` of the columns in the table's
    order.

    Args:
        table: The rows.
        selections: Names of columns, each 1 or more.

    Returns:
        An array of shape (rows,) for each selection.
    """
    import numpy as np

    hashes = [np.full(table.height, SEEDS[0], dtype=np.uint64) for _ in selections]

    def hash_block(start: int) -> None:
        rows = slice(start, start + _BLOCK)
        for series in table[rows].iter_columns():
            (words,) = _value_hashes(_plain(series), lanes=1)
            for own, names in zip(hashes, selections, strict=True):
                if series.name in names:
                    _chain(own[rows], words, 0)

    starts = range(0, table.height, _BLOCK)
    side_by_side(hash_block, starts, if_worth=len(starts) > 1)
    return hashes


def sum_words(words: "Words") -> int:
    """Compute a sum without losing the carry."""
    import numpy as np

    low = int((words & np.uint64(0xFFFFFFFF)).sum(dtype=np.uint64))
    return low + (int((words >> np.uint64(32)).sum(dtype=np.uint64)) << 32)


def _chain(rows: "Words", words: "Words", lane: int) -> None:
    """Add a column to the hashes of rows, in place."""
    import numpy as np

    rows *= np.uint64(SEEDS[1 - lane])
    rows += words
    rows += np.uint64(SEEDS[lane])
    _finish(rows)


def _plain(series: "pl.Series") -> "pl.Series":
    """Convert a column to numbers, booleans, or values that have a text, with nulls."""
    import polars as pl

    dtype = series.dtype
    if dtype in (pl.Date, pl.Datetime, pl.Duration, pl.Time):
        return series.to_physical()
    # As text: the codes of categories depend on the order of the rows.
    if dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    if dtype == pl.Null:
        return series.cast(pl.Int8)
    if dtype.is_nested() or dtype == pl.Object:
        texts = [None if value is None else repr(value).encode() for value in series.to_list()]
        return pl.Series(series.name, texts, dtype=pl.Binary)
    return series


def _to_binary(values: "pl.Series") -> "pl.Series":
    import polars as pl

    return values if values.dtype == pl.Binary else values.cast(pl.String).cast(pl.Binary)


def _has_text(dtype: "pl.DataType") -> bool:
    """Return whether values are hashed by their text: NumPy has no decimals."""
    import polars as pl

    return dtype in (pl.String, pl.Binary, pl.Decimal, pl.Int128)


def _numbers(values: "pl.Series") -> Any:
    """Return values as a little-endian array in which nulls are 0 and NaNs are equal."""
    import numpy as np

    if values.dtype.is_float():
        array = (values.fill_null(0.0) if values.null_count() else values).to_numpy()
        nans = np.isnan(array)
        return np.where(nans, array.dtype.type(np.nan), array) if nans.any() else array
    if not values.dtype.is_integer():
        return values.fill_null(value=False).to_numpy().astype(np.uint8)
    return values.fill_null(0).to_numpy()


def _value_hashes(values: "pl.Series", lanes: int = 2) -> "list[Words]":
    """Return one or both hashes of each value."""
    import numpy as np

    if _has_text(values.dtype):
        hashes = list(_text_hashes(values)[:lanes])
    else:
        words = _words(_numbers(values))
        hashes = [_mix(words, lane) for lane in range(lanes)]
    if not values.null_count():
        return hashes
    nulls = values.is_null().to_numpy()
    return [np.where(nulls, np.uint64(_NULL), lane) for lane in hashes]


def _words(array: Any) -> "Words":
    import numpy as np

    # One width per kind: the values 1 of Int32 and Int64 hash alike, and the schema differs.
    wide = {"f": np.float64, "i": np.int64}.get(array.dtype.kind, np.uint64)
    words: Words = array.astype(wide).view(np.uint64)
    return words


def _text_hashes(values: "pl.Series") -> tuple["Words", "Words"]:
    """Compute hashes of values by their text, where they repeat once for all equal ones."""
    import numpy as np

    if not len(values):
        return _binary_hashes(_to_binary(values))
    # Each value's slot, and a row that stands for the slot; any hash will do, as the values
    # themselves are compared.
    slots = values.hash().to_numpy() & np.uint64(_SLOTS - 1)
    of_slot = np.zeros(_SLOTS, dtype=np.uint32)
    of_slot[slots] = np.arange(len(values), dtype=np.uint32)
    alike = of_slot[slots]
    is_alike = values[alike].eq_missing(values).to_numpy()
    own = np.flatnonzero(~is_alike)
    chosen = np.unique(np.concatenate([np.flatnonzero(alike == np.arange(len(values))), own]))
    if len(chosen) * _REPEATED > len(values):
        return _binary_hashes(_to_binary(values).fill_null(b""))
    hashes = _binary_hashes(_to_binary(values[chosen]).fill_null(b""))
    places = np.zeros(len(values), dtype=np.uint32)
    places[chosen] = np.arange(len(chosen), dtype=np.uint32)
    alike[own] = own
    rows = places[alike]
    return hashes[0][rows], hashes[1][rows]


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
            lanes[lane][todo] = _mix(lanes[lane][todo] * np.uint64(SEEDS[lane]) + words, lane)
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

    mixed: Words = words + np.uint64(SEEDS[lane])
    _finish(mixed)
    return mixed


def _finish(mixed: "Words") -> None:
    """Mix in place, without a new array for every operation."""
    import numpy as np

    shifted = np.right_shift(mixed, np.uint64(30))
    mixed ^= shifted
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(mixed, np.uint64(27), out=shifted)
    mixed ^= shifted
    mixed *= np.uint64(0x94D049BB133111EB)
    np.right_shift(mixed, np.uint64(31), out=shifted)
    mixed ^= shifted
