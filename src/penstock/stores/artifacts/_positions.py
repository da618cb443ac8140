"""Positions: which rows of a table belong to a subset, a bit per row of a large table.

A table of 300 million rows has 2.4 GB of positions as integers, and 38 MB of bits. The content
digest is that of the integers, so that the form does not count.
"""

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from penstock.stores.artifacts._value import Serialized

if TYPE_CHECKING:
    import numpy as np

    Rows = np.ndarray[Any, np.dtype[np.int64]]
    Bits = np.ndarray[Any, np.dtype[np.uint8]]

FORMAT = "positions"
_FEW = 1 << 24
"""Up to so many rows of a table, positions are stored as an array of integers."""
_BLOCK = 1 << 20  # rows at a time; a multiple of 8


class Positions:
    """Rising positions of rows in a table.

    >>> import numpy as np
    >>> positions = Positions.of(np.array([1, 4]), 6)
    >>> len(positions), positions.between(2, 6).tolist()
    (2, [4])

    Args:
        bits: A bit per row of the table, the first row's bit the highest of the first byte.
        height: Number of rows of the table.
    """

    def __init__(self, bits: "Bits", height: int) -> None:
        import numpy as np

        self._bits, self._height = bits, height
        self._count = int(np.bitwise_count(bits).sum(dtype=np.int64))

    @classmethod
    def of(cls, rows: "Rows", height: int) -> Self:
        """Return positions given as integers."""
        import numpy as np

        mask = np.zeros(height, dtype=bool)
        mask[rows] = True
        return cls(np.packbits(mask), height)

    @classmethod
    def of_codes(cls, codes: "np.ndarray[Any, np.dtype[np.int8]]", code: int) -> Self:
        """Return the positions of a code among the codes of all rows."""
        import numpy as np

        blocks = [
            np.packbits(codes[start : start + _BLOCK] == code)
            for start in range(0, len(codes), _BLOCK)
        ]
        return cls(np.concatenate(blocks), len(codes))

    @classmethod
    def read(cls, data: bytes, facts: Mapping[str, Any]) -> Self:
        """Read positions that `write` wrote."""
        import numpy as np

        return cls(np.frombuffer(zlib.decompress(data), dtype=np.uint8), facts["height"])

    def __len__(self) -> int:
        return self._count

    def between(self, start: int, stop: int) -> "Rows":
        """Return the positions from a row to the row before a second one."""
        import numpy as np

        first = start // 8
        bits = np.unpackbits(self._bits[first : -(-stop // 8)])[
            start - first * 8 : stop - first * 8
        ]
        return np.flatnonzero(bits) + start

    def array(self) -> "Rows":
        """Return the positions as integers."""
        import numpy as np

        rows = np.empty(self._count, dtype=np.int64)
        end = 0
        for block in self.blocks():
            rows[end : end + len(block)] = block
            end += len(block)
        return rows

    def blocks(self) -> "Iterator[Rows]":
        """Yield the positions as integers, block by block."""
        for start in range(0, self._height, _BLOCK):
            yield self.between(start, min(start + _BLOCK, self._height))

    @property
    def bits(self) -> "tuple[Bits, int]":
        """The bits and the number of rows of the table."""
        return self._bits, self._height

    def shared(self, other: "Positions") -> "Positions":
        """Return the positions that a second subset of the table has too."""
        bits, height = other.bits
        size = min(len(bits), len(self._bits))
        return Positions(self._bits[:size] & bits[:size], min(self._height, height))

    def every(self, step: int) -> "Rows":
        """Return every k-th position, the first included."""
        import numpy as np

        taken, before = [np.empty(0, dtype=np.int64)], 0
        for block in self.blocks():
            taken.append(block[-before % step :: step])
            before += len(block)
        return np.concatenate(taken)

    def to_part(self) -> "Self | Rows":
        """Return the part of a composite value: integers, if the table has few rows."""
        return self if self._height > _FEW else self.array()

    def values_digest(self) -> str:
        """Return the digest of the bytes that the integers have as an array."""
        import numpy as np

        state = hashlib.sha256()
        for block in self.blocks():
            state.update(np.ascontiguousarray(block, dtype="<i8").data)
        return f"sha256:{state.hexdigest()}"

    def write(self, content_digest: str) -> Serialized:
        """Serialise the bits, compressed: subsets by time are long runs."""
        facts = {"shape": [self._count], "dtype": "int64", "height": self._height}
        data = zlib.compress(self._bits.tobytes(), 1)
        return Serialized(data, FORMAT, content_digest, "numpy.ndarray", facts)


def read_positions(data: bytes, facts: Mapping[str, Any]) -> "Rows":
    """Read positions as integers: the value that they are stored for."""
    return Positions.read(data, facts).array()
