"""ChunkedTable: a table in chunks that are stored separately and shared between tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from penstock.stores.artifacts._bundles import DigestedFrame, LazyParts, StoredPart
from penstock.stores.artifacts._polars import read_polars

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

COUNTS_AS_FRAME = "counts_as_frame"
"""Fact of a stored table whose content digest is that of all rows as a single frame."""
# Chunks are listed in groups, stored once for all tables that share them.
_GROUP = 32


@dataclass(frozen=True, slots=True)
class TableChunk:
    """Consecutive rows of a table.

    Args:
        rows: Number of rows, 1 or more.
        digest: Content digest of the rows as a frame; None if not needed.
        first: Hash of the first row as text, to find the rows in a second table; None if not known.
        frame: The rows, if they are in memory.
        stored: The rows in a store, if they are there.
    """

    rows: int
    digest: str | None
    first: str | None = None
    frame: "pl.DataFrame | None" = None
    stored: StoredPart | None = None

    @classmethod
    def of(cls, frame: "pl.DataFrame") -> Self:
        """Return a frame as a chunk in memory."""
        return cls(frame.height, None, frame=frame)

    def to_part(self) -> "StoredPart | DigestedFrame | pl.DataFrame":
        """Return the rows as a part of a composite value."""
        if self.stored is not None:
            return self.stored
        if self.frame is None or self.digest is None:
            return self.read()
        return DigestedFrame(self.frame, self.digest)

    def read(self, columns: Sequence[str] | None = None) -> "pl.DataFrame":
        """Return the rows.

        Args:
            columns: Columns to return; by default all.

        Raises:
            StoreError: If the stored bytes are gone or damaged.
        """
        if self.frame is not None:
            return self.frame if columns is None else self.frame.select(columns)
        import polars as pl

        assert self.stored is not None
        if columns is None:
            whole: pl.DataFrame = self.stored.load()
            return whole
        stored = self.stored
        facts = stored.record.metadata
        try:
            frame = read_polars(stored.path() or stored.read_bytes(), facts, columns)
        except FileNotFoundError:  # garbage was collected: the store says which bytes are gone
            frame = read_polars(stored.read_bytes(), facts, columns)
        return frame.to_frame() if isinstance(frame, pl.Series) else frame


class ChunkedTable:
    """A table in chunks, which need not be in memory; a part of a value that digests its rows.

    >>> import polars as pl
    >>> table = ChunkedTable.of(pl.DataFrame({"a": [1, 2, 3]}))
    >>> table.rows, table.columns, table.column("a").sum()
    (3, ['a'], 6)

    Args:
        chunks: The chunks in order, with equal columns; never empty.
        digest: Content digest of all rows as a single frame, if known. A table that has it counts
            as that frame, in however many chunks.
    """

    bundle_type: ClassVar[str] = "penstock.stores:ChunkedTable"

    def __init__(self, chunks: Sequence[TableChunk], digest: str | None = None) -> None:
        self.chunks, self.digest = tuple(chunks), digest

    @classmethod
    def of(cls, frame: "pl.DataFrame") -> Self:
        """Return a frame as a table of a single chunk."""
        return cls([TableChunk.of(frame)])

    @classmethod
    def of_part(cls, parts: Mapping[str, Any], name: str) -> Self:
        """Return the table that `to_part` returned for a bundle's part."""
        stored = parts.stored(name) if isinstance(parts, LazyParts) else None
        if stored is not None and stored.record.format == "parquet":
            record = stored.record
            return cls([TableChunk(record.metadata["rows"], record.content_digest, stored=stored)])
        value = parts[name]
        if not isinstance(value, cls):
            return cls.of(value)
        if stored is not None and stored.record.metadata.get(COUNTS_AS_FRAME):
            return cls(value.chunks, stored.record.content_digest)
        return value

    def to_part(self) -> "pl.DataFrame | StoredPart | DigestedFrame | Self":
        """Return the value to store: a table of a single chunk is stored as a plain frame."""
        return self if len(self.chunks) > 1 else self.chunks[0].to_part()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(chunk.rows for chunk in self.chunks)

    @property
    def columns(self) -> list[str]:
        """Column names in order."""
        stored = self.chunks[0].stored
        if stored is not None:
            return list(stored.record.metadata["columns"])
        return self.chunks[0].read().columns

    @property
    def is_in_memory(self) -> bool:
        """Whether all rows are in memory."""
        return all(chunk.frame is not None for chunk in self.chunks)

    def empty(self) -> "pl.DataFrame":
        """Return a frame with the columns and no row."""
        return self.chunks[0].read().clear()

    def batches(self, columns: Sequence[str] | None = None) -> "Iterator[pl.DataFrame]":
        """Yield the rows chunk by chunk; each is released afterwards."""
        return (chunk.read(columns) for chunk in self.chunks)

    def column(self, name: str) -> "pl.Series":
        """Return a column; no further columns are loaded."""
        return self.read([name]).to_series()

    def take(
        self, rows: "np.ndarray[Any, np.dtype[np.int64]]", columns: Sequence[str] | None = None
    ) -> "pl.DataFrame":
        """Return some rows as a frame.

        Args:
            rows: Their positions, rising.
            columns: Columns to load; by default all.
        """
        import numpy as np
        import polars as pl

        start, taken = 0, []
        for chunk in self.chunks:
            first, last = np.searchsorted(rows, [start, start + chunk.rows])
            if first < last:
                taken.append(chunk.read(columns)[rows[first:last] - start])
            start += chunk.rows
        if len(taken) == 1:
            return taken[0]
        return pl.concat(taken) if taken else self.chunks[0].read(columns).clear()

    def read(self, columns: Sequence[str] | None = None) -> "pl.DataFrame":
        """Return all rows as a frame."""
        import polars as pl

        return pl.concat(self.batches(columns))

    def to_bundle(self) -> dict[str, Any]:
        """See Bundle."""
        starts = range(0, len(self.chunks), _GROUP)
        return {str(start): ChunkGroup(self.chunks[start : start + _GROUP]) for start in starts}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """See Bundle."""
        return cls([chunk for group in parts.values() for chunk in group.chunks])


class ChunkGroup:
    """Consecutive chunks of a table."""

    bundle_type: ClassVar[str] = "penstock.stores:ChunkGroup"

    def __init__(self, chunks: Sequence[TableChunk]) -> None:
        self.chunks = tuple(chunks)

    def to_bundle(self) -> dict[str, Any]:
        """See Bundle."""
        layout = [[chunk.rows, chunk.first] for chunk in self.chunks]
        frames = {str(i): chunk.to_part() for i, chunk in enumerate(self.chunks)}
        return {"layout": layout, **frames}

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """See Bundle."""
        chunks = []
        for place, (rows, first) in enumerate(parts["layout"]):
            name = str(place)
            stored = parts.stored(name) if isinstance(parts, LazyParts) else None
            if stored is None:
                chunks.append(TableChunk(rows, None, first, parts[name]))
            else:
                chunks.append(TableChunk(rows, stored.record.content_digest, first, stored=stored))
        return cls(chunks)
