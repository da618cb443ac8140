"""NumPy arrays as NPY; arrays of Python objects as JSON; a masked array as parts."""

import io
from typing import TYPE_CHECKING, Any

from penstock.core import SerializationError, digest_bytes, digest_json
from penstock.stores._json import dump_json, load_json
from penstock.stores.artifacts._value import Serialized

if TYPE_CHECKING:
    from numpy.typing import NDArray

MASKED = "masked"


def array_kind(value: Any) -> str:
    """Return the class of an array, ``""`` for a class that is not preserved.

    A memory map is restored as an array: the mapped file is a separate file.
    """
    import numpy as np

    kinds = {np.ndarray: "array", np.memmap: "array", np.matrix: "matrix", np.recarray: "records"}
    return kinds.get(type(value), "")


def write_array(value: "NDArray[Any]", content_digest: str) -> Serialized:
    """Serialise an array.

    Raises:
        TypeError: If the array contains Python objects that are not JSON-like.
        SerializationError: If NPY does not preserve the array's type.
    """
    import numpy as np

    kind = array_kind(value)
    facts: dict[str, Any] = {"shape": list(value.shape), "dtype": str(value.dtype)}
    if kind != "array":
        facts["class"] = kind
    if value.dtype.kind in "OT":
        text = dump_json(value.ravel().tolist(), exact=True)
        data, form = text.encode(), "json"
        facts["array"] = True
        if value.flags.fnc:
            facts["order"] = "F"
    else:
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(without_padding(value)), allow_pickle=False)
        data, form = buffer.getvalue(), "npy"
    if value.dtype.names is not None or value.dtype.kind == "T":
        _require_dtype(read_array(data, facts), value)
    name = "numpy.ndarray" if kind == "array" else f"numpy.{type(value).__name__}"
    return Serialized(data, form, content_digest, name, facts)


def read_array(data: bytes, facts: Any) -> "NDArray[Any]":
    """Read an array that `write_array` wrote."""
    import numpy as np

    if not facts.get("array"):
        return _as_class(np.asarray(np.load(io.BytesIO(data), allow_pickle=False)), facts)
    values = np.empty(len(items := load_json(data, strict=True)), dtype=object)
    for index, item in enumerate(items):  # values[:] = items would unpack lists
        values[index] = item
    dtype = np.dtypes.StringDType() if facts["dtype"].startswith("StringDType") else object
    shaped = values.reshape(facts["shape"]).astype(dtype)
    return _as_class(np.asfortranarray(shaped) if facts.get("order") == "F" else shaped, facts)


def masked_parts(value: Any) -> dict[str, Any]:
    """Return the parts of a masked array: the values under the mask count, too."""
    import numpy as np

    return {
        "data": np.asarray(value.data),
        "mask": None if value.mask is np.ma.nomask else np.asarray(value.mask),
        "fill_value": np.asarray(value.fill_value),  # the default is set on first access
        "hard_mask": bool(value.hardmask),
    }


def join_masked(parts: Any) -> Any:
    """Rebuild a masked array from the parts."""
    import numpy as np

    mask, fill = parts["mask"], parts["fill_value"]
    return np.ma.MaskedArray(
        parts["data"],
        mask=np.ma.nomask if mask is None else mask,
        fill_value=None if fill is None else fill[()],
        hard_mask=parts["hard_mask"],
    )


def digest_numbers(value: "NDArray[Any]") -> str:
    """Compute the digest of an array's values; for records by field, as padding may be anything."""
    import numpy as np

    if value.dtype.names is not None:
        parts = [[name, digest_numbers(value[name])] for name in value.dtype.names]
        return digest_json(parts)
    if value.dtype.kind == "O":  # a field of records
        return digest_json([dump_json(value.ravel().tolist(), exact=True)])
    if value.dtype.subdtype is not None:  # pragma: no cover - numpy unpacks these itself
        value = value.view(value.dtype.subdtype[0])
    flat = np.ascontiguousarray(value)
    return digest_bytes(flat.view(np.uint8).data if flat.size and flat.itemsize else b"")


def without_padding(value: "NDArray[Any]") -> "NDArray[Any]":
    """Zero the bytes between the fields of records, so that equal arrays give equal bytes."""
    import numpy as np

    if value.dtype.names is None:
        return value
    clean = np.zeros(value.shape, dtype=value.dtype)
    for name in value.dtype.names:
        clean[name] = value[name]
    return clean


def _as_class(value: "NDArray[Any]", facts: Any) -> "NDArray[Any]":
    import numpy as np

    match facts.get("class"):
        case "matrix":
            return value.view(np.matrix)
        case "records":
            return value.view(np.recarray)
        case _:
            return value


def _require_dtype(array: "NDArray[Any]", value: "NDArray[Any]") -> None:
    if array.dtype != value.dtype or repr(array.dtype) != repr(value.dtype):
        raise SerializationError(
            what=f"An array of {value.dtype!r} would be read back as one of {array.dtype!r}.",
            why="A stored value must be read back as it was.",
            fix="Return an array of plain fields.",
        )
