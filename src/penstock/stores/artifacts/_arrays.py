"""NumPy arrays as NPY; arrays of Python objects as JSON."""

import io
from typing import TYPE_CHECKING, Any

from penstock.core import digest_bytes, digest_json
from penstock.stores._json import dump_json, load_json
from penstock.stores.artifacts._value import Serialized

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def write_array(value: "NDArray[Any]") -> Serialized:
    """Serialise an array.

    Raises:
        TypeError: If it holds Python objects that are not JSON-like.
    """
    import numpy as np

    facts: dict[str, Any] = {"shape": list(value.shape), "dtype": str(value.dtype)}
    if value.dtype.kind in "OT":
        text = dump_json(value.ravel().tolist())
        data, form = text.encode(), "json"
        facts["array"] = True
    else:
        buffer = io.BytesIO()
        np.save(buffer, without_padding(value), allow_pickle=False)
        data, form = buffer.getvalue(), "npy"
    return Serialized(data, form, digest_array(value), "numpy.ndarray", facts)


def read_array(data: bytes, facts: Any) -> "NDArray[Any]":
    """Give back what `write_array` took."""
    import numpy as np

    if not facts.get("array"):
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    values = np.empty(len(items := load_json(data, strict=True)), dtype=object)
    values[:] = items
    dtype = np.dtypes.StringDType() if facts["dtype"].startswith("StringDType") else object
    return values.reshape(facts["shape"]).astype(dtype)


def digest_array(value: "NDArray[Any]") -> str:
    """Digest an array by its type, shape and values."""
    head = ["array", _dtype_name(value.dtype), list(value.shape)]
    if value.dtype.kind in "OT":
        return digest_json([*head, value.ravel().tolist()])
    return digest_json([*head, digest_numbers(value)])


def digest_numbers(value: "NDArray[Any]") -> str:
    """Digest an array's values; of records, field by field, for the bytes between may be anything."""
    import numpy as np

    if value.dtype.names is not None:
        parts = [[name, digest_numbers(value[name])] for name in value.dtype.names]
        return digest_json(parts)
    if value.dtype.subdtype is not None:  # pragma: no cover - numpy unpacks these itself
        value = value.view(value.dtype.subdtype[0])
    return digest_bytes(np.ascontiguousarray(value).tobytes())


def without_padding(value: "NDArray[Any]") -> "NDArray[Any]":
    """Zero the bytes between the fields of records, so that equal arrays give equal bytes."""
    import numpy as np

    if value.dtype.names is None:
        return value
    clean = np.zeros(value.shape, dtype=value.dtype)
    for name in value.dtype.names:
        clean[name] = value[name]
    return clean


def _dtype_name(dtype: "np.dtype[Any]") -> str:
    return dtype.str if dtype.names is None else str(dtype.descr)
