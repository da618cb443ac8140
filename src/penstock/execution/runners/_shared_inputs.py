"""Large inputs that several processes read: memory-mapped from a file instead of copied.

An array's file is mapped as stored. A table's file is compressed, so the first worker that needs
the table unpacks it into the run's scratch folder as an Arrow file, which the remaining workers
map. Pages are private when written to: a step that changes an input changes only its own copy.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, new_id

if TYPE_CHECKING:
    from penstock.stores import Store

_LEAST_BYTES = 1 << 20  # below this size, a copy is cheaper than a file
_VALUE_BYTES = 8


class SharedInputs:
    """Loader of the values that are worth sharing.

    Args:
        scratch: Folder of the run for shared files, on this machine.
        store: Store of the values.
    """

    def __init__(self, scratch: str, store: "Store") -> None:
        self._scratch, self._store = Path(scratch), store

    def load(self, record: ArtifactRecord) -> Any:
        """Return the value of a record, in shared memory; None for values to load as usual."""
        if record.format == "npy":
            if "class" in record.metadata:  # a matrix is no plain array
                return None
            return self._array(record) if record.size_bytes >= _LEAST_BYTES else None
        facts = record.metadata
        if record.format != "parquet" or facts.get("frame") != "polars frame":
            return None
        values = facts.get("rows", 0) * len(facts.get("columns", ()))
        # Compressed data may be many times as large in memory.
        large = max(record.size_bytes, values * _VALUE_BYTES) >= _LEAST_BYTES
        return self._table(record) if large else None

    def _array(self, record: ArtifactRecord) -> Any:
        import numpy as np

        path = self._store.artifacts.path(record.digest)
        if path is None:  # the bytes are in a bucket
            path = self._place(record, "npy")
            if not path.exists():
                self._store.fetch(record, path)
        return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))

    def _table(self, record: ArtifactRecord) -> Any:
        try:
            import pyarrow as pa
            import pyarrow.ipc
        except ImportError:
            return None  # without pyarrow, polars reads a copy
        import polars as pl

        path = self._place(record, "arrow")
        if not path.exists():
            frame = self._unpacked(record)
            if not self._keep(frame, path):
                return frame
        with pa.memory_map(str(path)) as file:
            return pl.from_arrow(pa.ipc.open_file(file).read_all())

    def _unpacked(self, record: ArtifactRecord) -> Any:
        hook, self._store.unpacked = self._store.unpacked, None
        try:
            return self._store.load(record)
        finally:
            self._store.unpacked = hook

    @staticmethod
    def _keep(frame: Any, path: Path) -> bool:
        """Write a table for all workers; False if Arrow would change the table, or the disk is full."""
        if not all(_comes_back(dtype) for dtype in getattr(frame, "dtypes", [None])):
            return False
        beside = path.with_name(f".{path.name}-{new_id()}")
        try:
            frame.rechunk().write_ipc(beside, compression="uncompressed")
            beside.replace(path)
        except OSError:
            with suppress(OSError):
                beside.unlink()
            return False
        return True

    def _place(self, record: ArtifactRecord, kind: str) -> Path:
        return self._scratch / f"{record.digest.removeprefix('sha256:')}.{kind}"


def _comes_back(dtype: Any) -> bool:
    """Return whether Arrow returns a column unchanged, which is not so for categories."""
    if dtype is None:
        return False
    plain = dtype.is_numeric() or dtype.is_temporal()
    return bool(plain or str(dtype) in {"String", "Boolean", "Binary"})
