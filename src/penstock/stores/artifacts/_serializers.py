"""Values to bytes and back by their type; which format a value has is decided here and only here."""

import json
import sys
from collections.abc import Callable
from typing import Any

from penstock.core import (
    ArtifactRecord,
    SerializationError,
    digest_bytes,
    digest_json,
    require,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores.artifacts._arrays import digest_array, read_array, write_array
from penstock.stores.artifacts._estimators import read_estimator, write_estimator
from penstock.stores.artifacts._object_digest import digest_object
from penstock.stores.artifacts._tables import (
    digest_pandas,
    digest_polars,
    read_pandas,
    read_polars,
    write_pandas,
    write_polars,
)
from penstock.stores.artifacts._value import Serialized, type_name

Write = Callable[[Any], Serialized]
Digest = Callable[[Any], str]


def serialize(value: Any) -> Serialized:
    """Turn a value into bytes by its type; see the table in the documentation of artifacts.

    >>> serialize({"a": 1}).data
    b'{"a":1}'

    Raises:
        SerializationError: If no safe format can hold it and cloudpickle is not installed.
    """
    found = _special(value)
    if found is not None:
        try:
            return found[0](value)
        except (SerializationError, TypeError) as error:
            return _pickle(value, error)
    try:
        return write_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        return _pickle(value, error)


def deserialize(data: bytes, record: ArtifactRecord) -> Any:
    """Turn bytes back into the value; the record says the format, never the bytes.

    Raises:
        SerializationError: If the format is unknown, or could run code and is not marked so.
    """
    reader = _READERS.get(record.format)
    if reader is None:
        raise SerializationError(
            what=f"Artifact {record.digest} has format {record.format!r}, which is not known here.",
            fix="Use the version of penstock that wrote it.",
            format=record.format,
        )
    if record.format == "cloudpickle" and not record.unsafe:
        raise SerializationError(
            what=f"Artifact {record.digest} is a pickle, but is not marked unsafe.",
            why="Loading a pickle runs what it says.",
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


def simple_digest(value: Any) -> str:
    """Digest a value that is not a bundle, without serialising it.

    Raises:
        SerializationError: If it has no digest.
    """
    found = _special(value)
    if found is not None:
        return found[1](value)
    try:
        return json_digest(value)
    except (TypeError, ValueError, RecursionError):
        return digest_object(value)


def _special(value: Any) -> tuple[Write, Digest] | None:
    kind = type(value)
    if kind is bytes or kind is bytearray:
        return _write_bytes, digest_json
    root = kind.__module__.partition(".")[0]
    if root == "builtins":
        return None
    known = _BY_PACKAGE.get(root)
    found = known(value) if known else None
    if found is None and _is_estimator(value):
        return write_estimator, digest_object
    return found


def _of_polars(value: Any) -> tuple[Write, Digest] | None:
    import polars as pl

    if isinstance(value, pl.DataFrame | pl.LazyFrame | pl.Series):
        return write_polars, digest_polars
    return None


def _of_pandas(value: Any) -> tuple[Write, Digest] | None:
    import pandas as pd

    if isinstance(value, pd.DataFrame | pd.Series):
        return write_pandas, digest_pandas
    return None


def _of_numpy(value: Any) -> tuple[Write, Digest] | None:
    import numpy as np

    return (write_array, digest_array) if isinstance(value, np.ndarray) else None


def _of_plotly(value: Any) -> tuple[Write, Digest] | None:
    from plotly.basedatatypes import BaseFigure

    return (_write_figure, _digest_figure) if isinstance(value, BaseFigure) else None


def _of_scipy(value: Any) -> tuple[Write, Digest] | None:
    import scipy.sparse as sp

    return (write_estimator, digest_object) if sp.issparse(value) else None


def _of_xgboost(value: Any) -> tuple[Write, Digest] | None:
    return (_write_xgboost, digest_object) if type(value).__name__ == "Booster" else None


def _of_lightgbm(value: Any) -> tuple[Write, Digest] | None:
    return (_write_lightgbm, digest_object) if type(value).__name__ == "Booster" else None


_BY_PACKAGE: dict[str, Callable[[Any], tuple[Write, Digest] | None]] = {
    "polars": _of_polars,
    "pandas": _of_pandas,
    "numpy": _of_numpy,
    "plotly": _of_plotly,
    "scipy": _of_scipy,
    "xgboost": _of_xgboost,
    "lightgbm": _of_lightgbm,
}


def _is_estimator(value: Any) -> bool:
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(value, base.BaseEstimator)


def json_digest(value: Any) -> str:
    """Digest a JSON-like value; NumPy's numbers count as Python's.

    Raises:
        TypeError: If it is not JSON-like.
    """
    try:
        return digest_json(value)
    except TypeError:
        text = dump_json(value)
    try:
        return digest_json(load_json(text))
    except TypeError:  # decimals and the like
        return digest_json(["json", text])


def write_json(value: Any) -> Serialized:
    """Serialise a JSON-like value.

    Raises:
        TypeError: If it is not JSON-like.
    """
    digest = json_digest(value)
    facts = {"items": len(value)} if isinstance(value, list | dict | tuple | set) else {}
    return Serialized(dump_json(value).encode(), "json", digest, type_name(value), facts)


def _read_json(data: bytes, facts: Any) -> Any:
    return read_array(data, facts) if facts.get("array") else load_json(data, strict=True)


def _write_bytes(value: bytes | bytearray) -> Serialized:
    return Serialized(bytes(value), "bytes", digest_json(bytes(value)), type_name(value))


def _read_bytes(data: bytes, facts: Any) -> bytes:
    del facts
    return data


def _write_figure(value: Any) -> Serialized:
    # plotly's order of keys is not always the same.
    text = json.dumps(json.loads(value.to_json()), sort_keys=True, separators=(",", ":"))
    return Serialized(text.encode(), "figure", _digest_figure(value), "plotly.Figure")


def _digest_figure(value: Any) -> str:
    return digest_json(["figure", json.loads(value.to_json())])


def _read_figure(data: bytes, facts: Any) -> Any:
    import plotly.io

    del facts
    return plotly.io.from_json(data.decode(), skip_invalid=False)


def _write_xgboost(value: Any) -> Serialized:
    data = bytes(value.save_raw("json"))
    return Serialized(data, "xgboost", digest_object(value), type_name(value))


def _read_xgboost(data: bytes, facts: Any) -> Any:
    del facts
    xgboost = require("xgboost", extra="boosters", purpose="reading an XGBoost model")
    booster = xgboost.Booster()
    booster.load_model(bytearray(data))
    return booster


def _write_lightgbm(value: Any) -> Serialized:
    data = value.model_to_string(num_iteration=-1).encode()
    return Serialized(data, "lightgbm", digest_object(value), type_name(value))


def _read_lightgbm(data: bytes, facts: Any) -> Any:
    del facts
    lightgbm = require("lightgbm", extra="boosters", purpose="reading a LightGBM model")
    return lightgbm.Booster(model_str=data.decode())


def _read_parquet(data: bytes, facts: Any) -> Any:
    pandas = str(facts.get("frame", "")).startswith("pandas")
    return read_pandas(data, facts) if pandas else read_polars(data, facts)


def _read_skops(data: bytes, facts: Any) -> Any:
    del facts
    return read_estimator(data)


def _pickle(value: Any, reason: BaseException) -> Serialized:
    try:
        import cloudpickle
    except ImportError:
        cloudpickle = None
    if cloudpickle is None:
        raise SerializationError(
            what=f"A {type_name(value)} cannot be stored: {reason}",
            why="Only cloudpickle could hold it, and that is not installed.",
            fix="Return a table, an array, a scikit-learn model or JSON-like values;"
            " or run: pip install cloudpickle",
        ) from reason
    try:
        data = cloudpickle.dumps(value)
    except Exception as error:
        raise SerializationError(
            what=f"A {type_name(value)} cannot be stored: {error}",
            why="Values between steps are kept, so that runs can be resumed and proved.",
            fix="Return a table, an array, a scikit-learn model or JSON-like values.",
        ) from error
    facts = {"why_unsafe": str(reason)[:500]}
    try:
        digest = digest_object(value)
    except Exception:  # noqa: BLE001 - foreign code tells its state here
        digest = digest_json(["cloudpickle", digest_bytes(data)])
    return Serialized(data, "cloudpickle", digest, type_name(value), facts, unsafe=True)


def _read_pickle(data: bytes, facts: Any) -> Any:
    del facts
    import pickle

    # Plain pickle reads what cloudpickle wrote. The record says that this may run code; the
    # registry and the model server refuse such records.
    return pickle.loads(data)  # noqa: S301 - marked unsafe


_READERS: dict[str, Callable[[bytes, Any], Any]] = {
    "json": _read_json,
    "bytes": _read_bytes,
    "parquet": _read_parquet,
    "npy": read_array,
    "figure": _read_figure,
    "skops": _read_skops,
    "xgboost": _read_xgboost,
    "lightgbm": _read_lightgbm,
    "cloudpickle": _read_pickle,
}
