"""Large inputs that several processes read: mapped from one file instead of copied into each.

An array's file is mapped as it lies in the store. A table's is compressed, so the first worker
that needs it unpacks it into the run's scratch folder as an Arrow file, which the others map.
Pages are private when they are written to: a step that changes its input changes its own copy.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, new_id

if TYPE_CHECKING:
    from penstock.stores import Store

_LEAST_BYTES = 1 << 20  # below, a copy is cheaper than a file
_VALUE_BYTES = 8


class SharedInputs:
    """Loads what is worth sharing.

    Args:
        scratch: The run's folder for it, on this machine.
        store: Where values are.
    """

    def __init__(self, scratch: str, store: "Store") -> None:
        self._scratch, self._store = Path(scratch), store

    def load(self, record: ArtifactRecord) -> Any:
        """Give the value of a record, its memory shared; None if it is to be loaded as usual."""
        if record.format == "npy":
            if "class" in record.metadata:  # a matrix is no plain array
                return None
            return self._array(record) if record.size_bytes >= _LEAST_BYTES else None
        facts = record.metadata
        if record.format != "parquet" or facts.get("frame") != "polars frame":
            return None
        values = facts.get("rows", 0) * len(facts.get("columns", ()))
        # What is compressed may be many times as large in memory.
        large = max(record.size_bytes, values * _VALUE_BYTES) >= _LEAST_BYTES
        return self._table(record) if large else None

    def _array(self, record: ArtifactRecord) -> Any:
        import numpy as np

        path = self._store.artifacts.path(record.digest)
        if path is None:  # it is in a bucket
            path = self._place(record, "npy")
            if not path.exists():
                self._store.fetch(record, path)
        return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))

    def _table(self, record: ArtifactRecord) -> Any:
        try:
            import pyarrow as pa
            import pyarrow.ipc
        except ImportError:
            return None  # polars alone reads a copy
        import polars as pl

        path = self._place(record, "arrow")
        if not path.exists():
            frame = self._unpacked(record)
            if not self._keep(frame, path):
                return frame
        with pa.memory_map(str(path)) as file:
            return pl.from_arrow(pa.ipc.open_file(file).read_all())

    def _unpacked(self, record: ArtifactRecord) -> Any:
        kept, self._store.unpacked = self._store.unpacked, None
        try:
            return self._store.load(record)
        finally:
            self._store.unpacked = kept

    @staticmethod
    def _keep(frame: Any, path: Path) -> bool:
        """Write a table for all; False if it would come back as another one, or has no room."""
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
    """Say whether Arrow gives a column back as it was; categories it does not."""
    if dtype is None:
        return False
    plain = dtype.is_numeric() or dtype.is_temporal()
    return bool(plain or str(dtype) in {"String", "Boolean", "Binary"})
