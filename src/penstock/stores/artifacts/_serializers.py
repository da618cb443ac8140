"""Values to bytes and back by type; the format of a value is decided here and only here."""

import importlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from penstock.core import ArtifactRecord, SerializationError, digest_bytes
from penstock.stores._json import dump_json, load_json
from penstock.stores.artifacts._arrays import array_kind, read_array, write_array
from penstock.stores.artifacts._pandas import read_pandas, write_pandas
from penstock.stores.artifacts._pickles import read_pickle, write_pickle
from penstock.stores.artifacts._polars import read_polars, write_polars
from penstock.stores.artifacts._positions import FORMAT as POSITIONS
from penstock.stores.artifacts._positions import read_positions
from penstock.stores.artifacts._sparse import read_sparse, write_sparse
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._admission import require_admitted
from penstock.stores.artifacts.models._object_digest import digest_object
from penstock.stores.artifacts.models._protocol import ModelFormat, StoredModel
from penstock.stores.artifacts.models._table import find_format, find_model_format

PACKED_JSON = "json.zlib"
Write = Callable[[Any, str], Serialized]


def serialize(value: Any) -> Serialized:
    """Serialise a value by type; see the table in the documentation of artifacts.

    >>> serialize({"a": 1}).data
    b'{"a":1}'

    Raises:
        SerializationError: If no safe format can hold the value and cloudpickle is not installed.
    """
    write = _special(value)
    try:
        return write_json(value) if write is None else write(value, digest_object(value))
    except (SerializationError, TypeError, ValueError, RecursionError) as error:
        return write_pickle(value, error)


def load_libraries(formats: Iterable[str]) -> None:
    """Import the libraries that read and write these formats, where installed.

    For a process that forks: the children need not repeat imports of the parent.
    """
    for each in sorted(set(formats)):
        library = _LIBRARIES.get(each)
        with suppress(ImportError):
            if library is None and each not in _READERS:
                model_format = find_model_format(each)
                library = model_format.load_library if model_format else None
            if library is not None:
                library()


def deserialize(
    data: bytes, record: ArtifactRecord, source: Mapping[str, bytes] = MappingProxyType({})
) -> Any:
    """Deserialise a value; the record determines the format, never the bytes.

    Args:
        data: The bytes.
        record: The value's record.
        source: Recorded source files of the value's own classes and functions, by path.

    Raises:
        SerializationError: If the format is unknown, or could run code and is not marked as unsafe.
    """
    reader = _READERS.get(record.format) or _reader_of(record, source)
    if reader is None:
        raise SerializationError(
            what=f"Artifact {record.digest} has format {record.format!r}, which is not known here.",
            fix="Use the version of penstock that wrote it.",
            format=record.format,
        )
    if record.format == "cloudpickle" and not record.unsafe:
        raise SerializationError(
            what=f"Artifact {record.digest} is a pickle, but is not marked unsafe.",
            why="Loading a pickle can run any code.",
            fix="Do not use this artifact.",
        )
    try:
        return reader(data, record.metadata)
    except (SerializationError, ImportError):
        raise
    except Exception as error:
        raise SerializationError(
            what=f"Artifact {record.digest} is not the {record.format} that its record says"
            f" ({type(error).__name__}: {error}).",
            fix="Restore it from a backup, or run the step again.",
        ) from error


def _reader_of(
    record: ArtifactRecord, source: Mapping[str, bytes]
) -> Callable[[bytes, Any], Any] | None:
    model_format = find_model_format(record.format)
    if model_format is None:
        return None

    def read(data: bytes, facts: Any) -> Any:
        stored = StoredModel(data, facts, source)
        require_admitted(record.format, record.digest, stored)
        return model_format.read(stored)

    return read


def simple_digest(value: Any) -> str:
    """Compute the digest of a value that is not a bundle, equal to `serialize`'s, without bytes.

    Raises:
        SerializationError: If the value has no digest.
    """
    if _special(value) is None:
        try:
            return json_digest(dump_json(value, exact=True))
        except (TypeError, ValueError, RecursionError):
            pass
    return digest_object(value)


def _special(value: Any) -> Write | None:
    kind = type(value)
    if kind is bytes or kind is bytearray:
        return _write_bytes
    root = kind.__module__.partition(".")[0]
    if root == "builtins":
        return None
    # By the package's name: nothing is imported for values of other packages.
    known = _BY_PACKAGE.get(root)
    write = known(value) if known else None
    if write is not None:
        return write
    model_format = find_format(value)
    return None if model_format is None else partial(_write_model, model_format)


def _write_model(model_format: ModelFormat, value: Any, content_digest: str) -> Serialized:
    """Serialise a model; with code of the user's, only if the model is read back unchanged.

    Raises:
        SerializationError: If the format cannot store the model, or the recorded source makes a
            different model.
    """
    serialized = model_format.write(value, content_digest)
    if not serialized.source:
        return serialized
    back = model_format.read(StoredModel(serialized.data, serialized.metadata, serialized.source))
    if digest_object(back) != content_digest:
        raise SerializationError(
            what=f"{type_name(value)} is not the same when it is read back.",
            why="Its state depends on more than its attributes and its recorded source.",
            fix="Keep arrays, plain values and estimators in its attributes.",
        )
    return serialized


def _of_polars(value: Any) -> Write | None:
    import polars as pl

    return write_polars if type(value) in {pl.DataFrame, pl.LazyFrame, pl.Series} else None


def _of_pandas(value: Any) -> Write | None:
    import pandas as pd

    return write_pandas if type(value) in {pd.DataFrame, pd.Series} else None


def _of_numpy(value: Any) -> Write | None:
    return write_array if array_kind(value) else None


def _of_plotly(value: Any) -> Write | None:
    from plotly.basedatatypes import BaseFigure

    return _write_figure if isinstance(value, BaseFigure) else None


def _of_scipy(value: Any) -> Write | None:
    import scipy.sparse as sp

    return write_sparse if sp.issparse(value) else None


_BY_PACKAGE: dict[str, Callable[[Any], Write | None]] = {
    "polars": _of_polars,
    "pandas": _of_pandas,
    "numpy": _of_numpy,
    "plotly": _of_plotly,
    "scipy": _of_scipy,
}


def json_digest(text: str) -> str:
    """Compute the digest of a JSON-like value by the exact text, which is complete."""
    return digest_bytes(b"json:", text.encode())


def write_json(value: Any) -> Serialized:
    """Serialise a JSON-like value.

    Raises:
        TypeError: If the value is not JSON-like.
    """
    text = dump_json(value, exact=True)
    facts = {"items": len(value)} if isinstance(value, list | dict | tuple | set) else {}
    return Serialized(text.encode(), "json", json_digest(text), type_name(value), facts)


def write_packed_json(value: Any) -> Serialized:
    """Serialise a JSON-like value compressed: its text is what counts and is read.

    >>> len(write_packed_json([1.5] * 1000).data) < 100
    True

    Raises:
        TypeError: If the value is not JSON-like.
    """
    plain = write_json(value)
    return replace(plain, data=zlib.compress(plain.data), format=PACKED_JSON)


def _read_packed_json(data: bytes, facts: Any) -> Any:
    return _read_json(zlib.decompress(data), facts)


def _read_json(data: bytes, facts: Any) -> Any:
    return read_array(data, facts) if facts.get("array") else load_json(data, strict=True)


def _write_bytes(value: bytes | bytearray, content_digest: str) -> Serialized:
    facts = {"mutable": True} if isinstance(value, bytearray) else {}
    return Serialized(bytes(value), "bytes", content_digest, type_name(value), facts)


def _read_bytes(data: bytes, facts: Any) -> bytes | bytearray:
    return bytearray(data) if facts.get("mutable") else data


def _write_figure(value: Any, content_digest: str) -> Serialized:
    # plotly's order of keys is not always the same.
    text = json.dumps(json.loads(value.to_json()), sort_keys=True, separators=(",", ":"))
    return Serialized(text.encode(), "figure", content_digest, "plotly.Figure")


def _read_figure(data: bytes, facts: Any) -> Any:
    import plotly.io

    del facts
    return plotly.io.from_json(data.decode(), skip_invalid=False)


def _read_parquet(data: bytes, facts: Any) -> Any:
    pandas = str(facts.get("frame", "")).startswith("pandas")
    return read_pandas(data, facts) if pandas else read_polars(data, facts)


_READERS: dict[str, Callable[[bytes, Any], Any]] = {
    "json": _read_json,
    PACKED_JSON: _read_packed_json,
    "bytes": _read_bytes,
    "parquet": _read_parquet,
    "npy": read_array,
    POSITIONS: read_positions,
    "figure": _read_figure,
    "npz": read_sparse,
    "cloudpickle": read_pickle,
}
# Imports for reading and writing a format; models' formats have methods for it.
_LIBRARIES: dict[str, Callable[[], Any]] = {
    "parquet": partial(importlib.import_module, "polars"),
    "npy": partial(importlib.import_module, "numpy"),
    POSITIONS: partial(importlib.import_module, "numpy"),
    "npz": partial(importlib.import_module, "scipy.sparse"),
}
