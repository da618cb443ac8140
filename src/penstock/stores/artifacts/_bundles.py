"""Composite values: our own classes with parts, and lists, tuples and dicts of any values."""

import base64
import importlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

from penstock.core import ArtifactRecord, SerializationError, with_article
from penstock.stores.artifacts._arrays import MASKED, join_masked, masked_parts

if TYPE_CHECKING:
    import polars as pl

_CONTAINERS: dict[str, type] = {"list": list, "tuple": tuple, "dict": dict}
_ROOT = "penstock"
# Bundles that are parts of others only: no part of theirs is ever recorded from a manifest.
_INNER = frozenset({"penstock.ChunkGroup"})
_LONG = 4096  # bytes of a manifest
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
FORMAT = "bundle"


@runtime_checkable
class Bundle(Protocol):
    """A value of ours that is stored as named parts.

    A class may declare ``digested_parts``, names of parts: the content digest is made of those, and
    the rest follows from them.

    Args:
        bundle_type: ``package:Class``, for example ``penstock.data:Split``; the package is ours.
    """

    bundle_type: ClassVar[str]

    def to_bundle(self) -> dict[str, Any]:
        """Return the parts by name: tables, arrays, JSON-like values, estimators, bundles."""
        ...

    @classmethod
    def from_bundle(cls, parts: Mapping[str, Any]) -> Self:
        """Create the value from the parts; a part is loaded on first access."""
        ...


def parts_of(value: Any) -> tuple[str, dict[str, Any]] | None:
    """Return type and parts of a composite value; None for the rest."""
    kind = type(value)
    if isinstance(getattr(kind, "bundle_type", None), str):
        return kind.bundle_type, value.to_bundle()
    if kind is list or kind is tuple:
        return kind.__name__, {str(index): item for index, item in enumerate(value)}
    if kind is dict and all(type(key) is str for key in value):
        return "dict", dict(value)
    return (MASKED, masked_parts(value)) if is_masked(value) else None


def is_masked(value: Any) -> bool:
    """Return whether a value is a masked array of NumPy."""
    kind = type(value)
    return kind.__name__ == "MaskedArray" and kind.__module__.startswith("numpy.")


def is_own(value: Any) -> bool:
    """Return whether a value belongs to our own composite classes."""
    return isinstance(getattr(type(value), "bundle_type", None), str)


def digested_parts(value: Any) -> tuple[str, ...] | None:
    """Return the names of the parts that the content digest is made of; None for all."""
    names: tuple[str, ...] | None = getattr(type(value), "digested_parts", None)
    return names if is_own(value) else None


def join(bundle_type: str, parts: Mapping[str, Any]) -> Any:
    """Create a composite value from the parts.

    Raises:
        SerializationError: If the type is not ours.
    """
    if bundle_type == "dict":
        return dict(parts)
    if bundle_type == MASKED:
        return join_masked(parts)
    if bundle_type in _CONTAINERS:
        return _CONTAINERS[bundle_type](parts.values())
    return _class_of(bundle_type).from_bundle(parts)


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part of a composite value that is in a store already: not written again.

    Args:
        record: The part's record.
        store_url: URL of the store.
        is_recorded: Whether the store's metadata has the record.
        load: Returns the value.
        read_bytes: Returns the stored bytes.
        path: Returns a local file with the bytes, checked once; None if there is none.
    """

    record: ArtifactRecord
    store_url: str
    is_recorded: bool
    load: Callable[[], Any]
    read_bytes: Callable[[], bytes]
    path: Callable[[], Path | None] = lambda: None


@dataclass(frozen=True, slots=True)
class DigestedFrame:
    """A polars frame as a part of a composite value, with its content digest: not digested again.

    Args:
        frame: The frame.
        content_digest: Its content digest, computed from these rows.
    """

    frame: "pl.DataFrame"
    content_digest: str

    def load(self) -> "pl.DataFrame":
        """Return the frame."""
        return self.frame


@dataclass(frozen=True, slots=True)
class PackedJson:
    """A JSON-like value as a part of a composite value that is compressed when it is stored.

    The content digest is that of the value; a value that is read back is the value itself.
    """

    value: object

    def load(self) -> object:
        """Return the value."""
        return self.value


class LazyParts(Mapping[str, Any]):
    """Parts by name, each loaded on first access.

    >>> LazyParts({"a": 1}, lambda record: record + 1)["a"]
    2
    """

    def __init__(
        self,
        records: Mapping[str, Any],
        load: Callable[[Any], Any],
        stored: Callable[[Any], StoredPart] | None = None,
    ) -> None:
        self._records, self._load, self._stored = records, load, stored
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._load(self._records[name])
        return self._loaded[name]

    def fresh(self, name: str) -> Any:  # Any: a stored value
        """Load a part without caching the result."""
        return self._load(self._records[name])

    def stored(self, name: str) -> StoredPart | None:
        """Return a part without loading the value; None if the parts are in no store."""
        return self._stored(self._records[name]) if self._stored else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


def write_manifest(text: str) -> bytes:
    """Write a bundle's manifest; a long list of parts is compressed, as a version may list many."""
    data = text.encode()
    return zlib.compress(data) if len(data) > _LONG else data


def read_manifest(data: bytes) -> bytes:
    """Read a manifest that `write_manifest` wrote, as JSON.

    Raises:
        SerializationError: If the value is none.
    """
    if data[:1] == b"{":
        return data
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise SerializationError(
            what=f"A list of parts cannot be read: {error}.",
            fix="Restore the store from a backup, or run the step again.",
        ) from error


def part_to_json(record: ArtifactRecord) -> dict[str, Any]:
    """Write the facts needed to load a part; no times, so that equal bundles have equal bytes."""
    facts = dict(record.metadata)
    if record.type_name in _INNER:
        facts.pop("parts", None)  # its own manifest lists them
    return {
        "digest": record.digest,
        "content_digest": record.content_digest,
        "format": record.format,
        "type": record.type_name,
        "size": record.size_bytes,
        "unsafe": record.unsafe,
        "inline": None if record.inline is None else base64.b64encode(record.inline).decode(),
        "metadata": facts,
    }


def part_from_json(part: Mapping[str, Any]) -> ArtifactRecord:
    """Read a record that `part_to_json` wrote."""
    return ArtifactRecord(
        digest=part["digest"],
        content_digest=part["content_digest"],
        format=part["format"],
        type_name=part["type"],
        size_bytes=part["size"],
        created_at=_NO_TIME,
        unsafe=part["unsafe"],
        inline=None if part["inline"] is None else base64.b64decode(part["inline"]),
        metadata=part["metadata"],
    )


def _class_of(bundle_type: str) -> Any:
    module, _, name = bundle_type.partition(":")
    # Only our own packages: a stored name must not decide what is imported.
    if module.partition(".")[0] == _ROOT:
        try:
            loaded = getattr(importlib.import_module(module), name, None)
        except ImportError:
            loaded = None
        if getattr(loaded, "bundle_type", None) == bundle_type:
            return loaded
    raise SerializationError(
        what=f"The value is {with_article(repr(bundle_type))}, which this penstock does not have.",
        fix="Use the version of penstock that wrote it.",
        bundle_type=bundle_type,
    )
