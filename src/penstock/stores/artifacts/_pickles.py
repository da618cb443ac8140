"""Values that no open format preserves, as pickles; classes are those of the running program.

A class of the file that is run is ``__main__.C`` in a process and ``pipe.C`` elsewhere. Pickled by
value the class would be restored as a second class, by module the file would be imported once more;
here the loaded class of that name is used, and only without such a class the pickled class.
"""

import io
import pickle
import sys
from types import FunctionType, ModuleType
from typing import Any

from penstock.core import SerializationError, digest_bytes, digest_json, with_article
from penstock.stores._classes import class_name, find_loaded, is_findable
from penstock.stores.artifacts._code import is_installed
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._object_digest import digest_object

# Reading back to check readability costs memory, too.
_MOST_READ_BACK = 1 << 26
_MOST_TEXT = 500


def write_pickle(value: Any, reason: BaseException) -> Serialized:
    """Serialise a value with cloudpickle, marked unsafe.

    Args:
        value: The value.
        reason: Error of the open formats.

    Raises:
        SerializationError: If cloudpickle is not installed, or the value cannot be read back.
        RecursionError: If the value is nested too deeply.
    """
    try:
        import cloudpickle
    except ImportError:
        cloudpickle = None
    if cloudpickle is None:
        raise SerializationError(
            what=f"{with_article(type_name(value), begins=True)} cannot be stored: {reason}",
            why="Only cloudpickle can store it, and it is not installed.",
            fix="Return a table, an array, a scikit-learn model or JSON-like values;"
            " or run: pip install cloudpickle",
        ) from reason
    try:
        data = _dumps(value, cloudpickle)
        back = pickle.loads(data) if len(data) <= _MOST_READ_BACK else value  # noqa: S301 - our own
    except RecursionError:  # reported for the whole value, of which this may be the innermost part
        raise
    except Exception as error:
        raise SerializationError(
            what=f"{with_article(type_name(value), begins=True)} cannot be stored: {error}",
            why="Step outputs are stored, so that runs can be resumed and proved.",
            fix=(isinstance(reason, SerializationError) and reason.fix)
            or "Return a table, an array, a scikit-learn model or JSON-like values.",
        ) from error
    if class_name(type(back)) != class_name(type(value)):
        raise SerializationError(
            what=f"{with_article(type_name(value), begins=True)} cannot be stored: it is read back as {with_article(type_name(back))}.",
            why="A stored value must be read back as it was.",
            fix="Return a table, an array, a scikit-learn model or JSON-like values.",
        )
    facts: dict[str, Any] = {"why_unsafe": str(reason)[:_MOST_TEXT]}
    digest = _comparable_digest(value, back)
    if digest is None:
        # Equal bytes are equal values; for other bytes equality is unknown.
        digest = digest_json(["cloudpickle", digest_bytes(data)])
        facts["not_comparable"] = (
            f"{with_article(type_name(value), begins=True)} does not tell its state."
        )
    return Serialized(data, "cloudpickle", digest, type_name(value), facts, unsafe=True)


def read_pickle(data: bytes, facts: Any) -> Any:
    """Read a value that `write_pickle` wrote; the record says that this may run code."""
    del facts
    # The registry and the model server refuse such records.
    return pickle.loads(data)  # noqa: S301 - marked unsafe


def loaded_or(name: str, pickled: bytes) -> Any:
    """Return the loaded class or function of a name, else the pickled object; called by pickles."""
    loaded = find_loaded(name)
    return pickle.loads(pickled) if loaded is None else loaded  # noqa: S301 - a part of such a pickle


def _comparable_digest(value: Any, back: Any) -> str | None:
    """Return a value's content digest; None if the digest does not survive a round trip."""
    try:
        digest = digest_object(value)
        return digest if back is value or digest_object(back) == digest else None
    except SerializationError:
        return None


def _dumps(value: Any, cloudpickle: ModuleType) -> bytes:
    class Pickler(cloudpickle.Pickler):  # type: ignore[name-defined,misc] # found at run time
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, type | FunctionType) and _is_of_a_file(obj):
                # Not this pickler again: a class is named by the class's own methods.
                return loaded_or, (class_name(obj), cloudpickle.dumps(obj, protocol=5))
            return super().reducer_override(obj)

    buffer = io.BytesIO()
    Pickler(buffer, protocol=5).dump(value)
    return buffer.getvalue()


def _is_of_a_file(value: Any) -> bool:
    """Return whether a class or function comes from a file that processes may run directly."""
    module = str(value.__module__)
    if "." in module or is_installed(module) or "<" in value.__qualname__:
        return False
    return module in sys.modules and is_findable(value)
