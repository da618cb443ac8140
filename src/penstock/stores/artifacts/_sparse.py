"""Sparse matrices of SciPy as NPZ: the matrix's own arrays, entry for entry."""

import io
import zipfile
from typing import Any

from penstock.core import SerializationError
from penstock.stores.artifacts._value import Serialized, type_name

_FIRST_MOMENT = (1980, 1, 1, 0, 0, 0)
_ARRAYS = {
    "csr": ("indptr", "indices", "data"),
    "csc": ("indptr", "indices", "data"),
    "bsr": ("indptr", "indices", "data"),
    "dia": ("offsets", "data"),
}


def sparse_parts(value: Any) -> list[Any]:
    """Return the components of a sparse matrix: shape and arrays, explicit zeros included."""
    if value.format in _ARRAYS:
        return [value.shape, *(getattr(value, name) for name in _ARRAYS[value.format])]
    entries = value if value.format == "coo" else value.tocoo()
    return [value.shape, *entries.coords, entries.data]


def write_sparse(value: Any, content_digest: str) -> Serialized:
    """Serialise a sparse matrix.

    Raises:
        SerializationError: If SciPy does not save the matrix's format.
    """
    import scipy.sparse as sp

    if value.format not in {*_ARRAYS, "coo"}:
        raise SerializationError(
            what=f"A sparse matrix in format {value.format!r} has no file format.",
            why="SciPy saves csr, csc, bsr, coo and dia.",
            fix="Return value.tocsr().",
        )
    buffer = io.BytesIO()
    sp.save_npz(buffer, value, compressed=False)
    facts = {"shape": list(value.shape), "dtype": str(value.dtype), "entries": int(value.nnz)}
    data = stable_npz(buffer.getvalue())
    return Serialized(data, "npz", content_digest, type_name(value), facts)


def read_sparse(data: bytes, facts: Any) -> Any:
    """Read a matrix that `write_sparse` wrote."""
    import scipy.sparse as sp

    del facts
    return sp.load_npz(io.BytesIO(data))


def stable_npz(content: bytes) -> bytes:
    """Rewrite an NPZ archive without times and with the parts in order of name."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target,
    ):
        for name in sorted(source.namelist()):
            target.writestr(zipfile.ZipInfo(name, _FIRST_MOMENT), source.read(name))
    return buffer.getvalue()
