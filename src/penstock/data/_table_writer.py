"""TableWriter: batches of rows into chunks, which an earlier version of the table may have already.

The chunks of the earlier version are looked for in the rows: where a row has the hash of a chunk's
first row, the rows from there on are compared by SHA-256 (see decision 0044).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.data._row_hashes import hash_rows
from penstock.data._table_digest import RowsDigest
from penstock.stores import (
    ChunkedTable,
    Store,
    TableChunk,
    TableDigest,
    content_digest,
    frame_digest,
)
from penstock.tables import dtype_name

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from penstock.data._row_hashes import Words

CHUNK_BYTES = 1 << 26
_CHUNK_ROWS = 1 << 20
_LEAST_ROWS = 1 << 10
_HELD_BYTES = 1 << 28  # rows in memory until they are stored
# So many chunks of an earlier version, small on average: those are merged into larger ones.
_MANY = 512
_SMALL = 4
_TRIES = 64  # rows that look like the start of a chunk and are none


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """The rows that were written.

    Args:
        table: The rows in chunks.
        ordered_digest: Digest of the rows in order.
        order_free_digest: Digest of the rows as a multiset.
    """

    table: ChunkedTable
    ordered_digest: str
    order_free_digest: str


class TableWriter:
    """Cuts batches of rows into chunks, and digests them.

    >>> import polars as pl
    >>> writer = TableWriter()
    >>> writer.add(pl.DataFrame({"a": [1, 2]}))
    >>> writer.add(pl.DataFrame({"a": [3]}))
    >>> writer.finish().table.read()["a"].to_list()
    [1, 2, 3]

    Args:
        store: If passed, rows beyond 256 MiB are stored at once and leave the memory.
        known: Stored chunks of an earlier version of the table, in order.
    """

    def __init__(self, store: Store | None = None, known: Iterable[TableChunk] = ()) -> None:
        self._store = store
        self._known = _Known(known)
        self._waiting: list[pl.DataFrame] = []
        self._hashes: list[tuple[Words, Words]] = []
        self._rows = 0  # that wait
        self._chunks: list[TableChunk] = []
        self._held = 0
        self._digest = TableDigest()
        self._order_free: RowsDigest | None = None

    def add(self, batch: "pl.DataFrame") -> None:
        """Add the next rows.

        Raises:
            StoreError: If rows cannot be stored.
        """
        if not batch.height:
            return
        if self._order_free is None:
            self._order_free = RowsDigest(batch.schema)
        hashes = hash_rows(batch)
        self._order_free.update(hashes)
        self._waiting.append(batch)
        self._hashes.append(hashes)
        self._rows += batch.height
        if self._rows >= _rows_at_once(batch) + self._known.longest:
            self._cut(is_last=False)

    def finish(self) -> WrittenTable:
        """Return the table; a row must have been added.

        Raises:
            StoreError: If rows cannot be stored.
        """
        self._cut(is_last=True)
        assert self._order_free is not None
        return WrittenTable(
            ChunkedTable(self._chunks, frame_digest(self._digest)),
            self._digest.digest(dtype_name),
            self._order_free.digest(),
        )

    def _cut(self, *, is_last: bool) -> None:
        """Turn waiting rows into chunks: all, or as many as later rows cannot change."""
        import numpy as np
        import polars as pl

        if not self._rows:
            return
        rows = pl.concat(self._waiting)
        first, second = (np.concatenate(lane) for lane in zip(*self._hashes, strict=True))
        at_once = _rows_at_once(rows)
        start, is_first = 0, not self._chunks
        for place, chunk in self._known.find(rows, first, is_first=is_first):
            self._write(rows, first, start, place, at_once)
            start = place + chunk.rows
            # The rows stay with the stored chunk, so that they need not be loaded.
            known = rows[place:start]
            self._digest.update(known)
            self._keep(replace(chunk, frame=known))
        # A known chunk may begin in the last rows and end in later ones.
        end = rows.height if is_last else max(start, rows.height - self._known.longest)
        if not is_last:
            end = start + (end - start) // at_once * at_once
        self._write(rows, first, start, end, at_once)
        self._waiting = [rows[end:]] if end < rows.height else []
        self._hashes = [(first[end:], second[end:])] if self._waiting else []
        self._rows = rows.height - end

    def _write(
        self, rows: "pl.DataFrame", hashes: "Words", start: int, end: int, at_once: int
    ) -> None:
        """Make new chunks of rows."""
        for place in range(start, end, at_once):
            frame = rows[place : min(place + at_once, end)]
            # The chunk's own digest and that of the table, from the same preparation of the values;
            # at the beginning they are one.
            own = TableDigest() if self._chunks else None
            self._digest.update(frame, own)
            digest = frame_digest(own or self._digest)
            self._keep(TableChunk(frame.height, digest, _as_json(hashes[place]), frame))

    def _keep(self, chunk: TableChunk) -> None:
        self._chunks.append(chunk)
        if chunk.frame is None or self._store is None:
            return
        self._held += int(chunk.frame.estimated_size())
        if self._held > _HELD_BYTES:
            self._chunks = [_stored(each, self._store) for each in self._chunks]
            self._held = 0


class _Known:
    """The chunks of an earlier version, by the hash of the first row."""

    def __init__(self, chunks: Iterable[TableChunk]) -> None:
        known = [chunk for chunk in chunks if chunk.stored is not None]
        if len(known) > _MANY:
            usual = max(chunk.rows for chunk in known) // _SMALL
            known = [chunk for chunk in known if chunk.rows >= usual]
        self._start = known[0] if known and known[0].first is None else None
        self._by_first: dict[str, list[TableChunk]] = defaultdict(list)
        for chunk in known:
            if chunk.first is not None:
                self._by_first[chunk.first].append(chunk)
        self._tries: dict[str, int] = defaultdict(int)
        self.longest = max((chunk.rows for chunk in known), default=0)

    def find(
        self, rows: "pl.DataFrame", hashes: "Words", *, is_first: bool
    ) -> list[tuple[int, TableChunk]]:
        """Return where known chunks lie in the rows, in order and without overlap."""
        import numpy as np

        matching: list[tuple[int, TableChunk]] = []
        end = 0
        if is_first and self._start is not None and _matches(rows, 0, self._start):
            matching, end = [(0, self._start)], self._start.rows
        if not self._by_first:
            return matching
        firsts = np.array([int(first, 16) for first in self._by_first], dtype=np.uint64)
        for place in np.flatnonzero(np.isin(hashes, firsts)).tolist():
            if place < end:
                continue
            chunk = self._match(rows, place, _as_json(hashes[place]))
            if chunk is not None:
                matching.append((place, chunk))
                end = place + chunk.rows
        return matching

    def _match(self, rows: "pl.DataFrame", place: int, first: str) -> TableChunk | None:
        for chunk in self._by_first.get(first, ()):
            if place + chunk.rows > rows.height:
                continue
            if _matches(rows, place, chunk):
                return chunk
            # A row that comes often, and begins no known chunk here.
            self._tries[first] += 1
        if self._tries[first] > _TRIES:
            self._by_first.pop(first, None)
        return None


def _matches(rows: "pl.DataFrame", place: int, chunk: TableChunk) -> bool:
    part = rows[place : place + chunk.rows]
    return part.height == chunk.rows and content_digest(part) == chunk.digest


def _as_json(word: "np.uint64") -> str:
    """Write a hash as text: JSON readers disagree on integers of 64 bits."""
    return f"{int(word):016x}"


def _rows_at_once(frame: "pl.DataFrame") -> int:
    size = max(1.0, float(frame.estimated_size()) / max(1, frame.height))
    return min(_CHUNK_ROWS, max(_LEAST_ROWS, int(CHUNK_BYTES / size)))


def _stored(chunk: TableChunk, store: Store) -> TableChunk:
    """Store a chunk's rows and release their memory."""
    if chunk.frame is None or chunk.stored is not None:
        return TableChunk(chunk.rows, chunk.digest, chunk.first, stored=chunk.stored)
    record = store.pack(chunk.to_part())[0]
    # Bytes without a record are swept only after an hour; the check of bytes that were just
    # written is not needed.
    part = store.stored_part(record, is_recorded=False, check=False)
    return TableChunk(chunk.rows, chunk.digest, chunk.first, stored=part)
