"""Texts: a column in blocks, of which one at a time is in memory.

All questions are sums, "any", "all" or "the first few", so that no answer depends on where one
block ends and the next begins.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, SupportsInt, TypeVar

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")


class Texts:
    """A column of texts in blocks.

    >>> import polars as pl
    >>> texts = Texts("a", lambda: iter([pl.Series("a", ["1", None]), pl.Series("a", ["x"])]))
    >>> len(texts), texts.where(lambda block: block.is_not_null()).head(1).to_list()
    (3, ['1'])

    Args:
        name: Name of the column.
        read: Returns the blocks, from the first on, whenever it is called.
    """

    def __init__(self, name: str, read: "Callable[[], Iterator[pl.Series]]") -> None:
        self.name = name
        self._read = read

    @staticmethod
    def of(column: "pl.Series | Texts") -> "Texts":
        """Return a column in memory as a single block; Texts unchanged."""
        return column if isinstance(column, Texts) else HeldTexts(column)

    @property
    def held(self) -> "pl.Series | None":
        """The whole column where it is in memory."""
        return None

    def blocks(self) -> "Iterator[pl.Series]":
        """Read the blocks."""
        return self._read()

    def pieces(self, make: "Callable[[pl.Series], T]") -> Callable[[], Iterator[T]]:
        """Return a function that yields what ``make`` returns for each block."""
        return lambda: map(make, self.blocks())

    def map(self, change: "Callable[[pl.Series], pl.Series]") -> "Texts":
        """Return the column with other values, block by block."""
        return Texts(self.name, self.pieces(change))

    def where(self, mask: "Callable[[pl.Series], pl.Series]") -> "Texts":
        """Return the rows for which a mask is true."""
        return self.map(lambda block: block.filter(mask(block)))

    @cached_property
    def _rows(self) -> int:
        return sum(map(len, self.blocks()))

    def __len__(self) -> int:
        return self._rows

    def total(self, count: "Callable[[pl.Series], SupportsInt]") -> int:
        """Return the sum of a number of each block."""
        return sum(int(count(block)) for block in self.blocks())

    def any(self, mask: "Callable[[pl.Series], pl.Series]") -> bool:
        """Return whether a mask is true for any row."""
        return any(bool(mask(block).any()) for block in self.blocks())

    def all(self, mask: "Callable[[pl.Series], pl.Series]") -> bool:
        """Return whether a mask is true for all rows; nulls of the mask do not count."""
        return all(bool(mask(block).all()) for block in self.blocks())

    def every(self, check: "Callable[[pl.Series], bool]") -> bool:
        """Return whether a check holds for all blocks."""
        return all(map(check, self.blocks()))

    def head(self, rows: int) -> "pl.Series":
        """Return the first rows."""
        import polars as pl

        parts: list[pl.Series] = []
        for block in self.blocks():
            parts.append(block.head(rows))
            rows -= len(parts[-1])
            if rows <= 0:
                break
        return pl.concat(parts) if parts else pl.Series(self.name, [], pl.String)

    def sample(self, most: int) -> "pl.Series":
        """Return evenly spaced rows of the whole column, fewer than twice as many as asked."""
        import polars as pl

        step, start, parts = max(1, len(self) // most), 0, []
        for block in self.blocks():
            parts.append(block.gather_every(step, offset=-start % step))
            start += len(block)
        return pl.concat(parts) if parts else pl.Series(self.name, [], pl.String)

    def distinct(self, most: int) -> "pl.Series":
        """Return the first different values, in order."""
        import polars as pl

        found = pl.Series(self.name, [], pl.String)
        for block in self.blocks():
            found = found.append(block.unique(maintain_order=True)).unique(maintain_order=True)
            if len(found) >= most:
                break
        return found.head(most)


class HeldTexts(Texts):
    """A column that is in memory: each question is answered once."""

    def __init__(self, column: "pl.Series") -> None:
        super().__init__(column.name, lambda: iter([column]))
        self._column = column

    @property
    def held(self) -> "pl.Series | None":
        """The column."""
        return self._column

    def pieces(self, make: "Callable[[pl.Series], T]") -> Callable[[], Iterator[T]]:
        """Return a function that yields what ``make`` returns for the column."""
        made = make(self._column)
        return lambda: iter([made])

    def map(self, change: "Callable[[pl.Series], pl.Series]") -> Texts:
        """Return the column with other values."""
        return HeldTexts(change(self._column))
