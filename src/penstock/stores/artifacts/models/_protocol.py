"""ModelFormat: how a kind of model becomes bytes and a model again; apart, as each kind implements it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from penstock.stores.artifacts._value import Serialized


def _no_source() -> Mapping[str, bytes]:
    return {}


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A stored model before being read.

    Args:
        data: The bytes, compared with the recorded digest.
        metadata: Facts of the record, as `Serialized.metadata` had them.
        source: The recorded source files of the model's own classes and functions, by path.
    """

    data: bytes
    metadata: Mapping[str, Any]
    source: Mapping[str, bytes] = field(default_factory=_no_source)


@runtime_checkable
class ModelFormat(Protocol):
    """A stored form of a single kind of model.

    The record of a model names the format, and only that format reads the bytes: formats know
    no second format, and none is tried. A package brings a format of its own by an entry point
    in the group ``penstock.model_formats``. The name is the root package of the classes that it
    stores (``fastai``), and is recorded as the format's name; it refers to an object with these
    attributes. An installed package is trusted as far as its formats' ``is_safe``.

    Threads and processes: methods may be called from several threads at once, and keep nothing.
    """

    @property
    def name(self) -> str:
        """Name of the format, as in ``ArtifactRecord.format``."""
        ...

    @property
    def is_safe(self) -> bool:
        """Whether reading runs no code that comes with the bytes, for any bytes."""
        ...

    def can_write(self, value: object) -> bool:
        """Return whether the value is of this kind; called for classes of the kind's package."""
        ...

    def write(self, value: object, content_digest: str) -> Serialized:
        """Write a model as bytes: the same bytes for the same model, in every process.

        Raises:
            SerializationError: If the model holds a value that the format cannot store safely.
        """
        ...

    def read(self, stored: StoredModel) -> object:
        """Read a model that `write` wrote; the result has the same content digest.

        Raises:
            SerializationError: If the bytes are not this format, or need disallowed types.
        """
        ...

    def state(self, value: object) -> object:
        """Return the value that the content digest is made of: bytes, arrays, plain values.

        None if the attributes of the object are the whole state, as for scikit-learn's estimators.
        """
        ...

    def load_library(self) -> None:
        """Import the libraries that read and write the format; for processes that fork.

        Raises:
            ImportError: If they are not installed.
        """
        ...
