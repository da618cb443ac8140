"""require_memory: refuse work before it starts that the memory cannot hold."""

from collections.abc import Sequence

from penstock.core import DataError, available_memory
from penstock.stores import ChunkedTable


def require_memory(needed: float, work: str, fix: str) -> None:
    """Check that there is memory for a piece of work, where that is known.

    Args:
        needed: Bytes, estimated from below.
        work: The work, as the beginning of a sentence.
        fix: How to need less.

    Raises:
        DataError: If there is less.
    """
    available = available_memory()
    if available is not None and needed > available:
        raise DataError(
            what=f"{work} takes {needed / 2**20:,.0f} MiB of memory or more; "
            f"{available / 2**20:,.0f} MiB are available.",
            why="A process without memory is killed by the machine, without a word.",
            fix=fix,
        )


def estimate_bytes(rows: ChunkedTable, columns: Sequence[str] | None = None) -> float:
    """Estimate the bytes of columns in memory from the first chunk."""
    first = rows.chunks[0].read(columns)
    return float(first.estimated_size()) / max(first.height, 1) * rows.rows
