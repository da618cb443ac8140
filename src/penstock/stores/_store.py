"""``Store``: facts and bytes together, and values in and out of them."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from penstock.core import (
    ArtifactRecord,
    SerializationError,
    StoreError,
    digest_bytes,
    digest_json,
    now,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores.artifacts._bundles import (
    FORMAT,
    LazyParts,
    is_own,
    join,
    part_from_json,
    part_to_json,
    parts_of,
)
from penstock.stores.artifacts._protocol import ArtifactStore
from penstock.stores.artifacts._serializers import (
    deserialize,
    json_digest,
    serialize,
    simple_digest,
    write_json,
)
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.journals import Journal
from penstock.stores.metadata._protocol import MetadataStore

# Values of at most this many bytes live in the metadata store: no file for every number.
_INLINE_BYTES = 1024
_SINGLE_USER = "single_user"
_CONTAINERS = frozenset({list, tuple, dict})
# A list of tables is kept table by table; a list of thousands of objects is one value.
_MOST_PARTS = 256


class Store:
    """Where everything is kept: facts in ``metadata``, bytes in ``artifacts``.

    >>> import tempfile
    >>> from penstock.stores import open_store
    >>> with open_store(f"sqlite:///{tempfile.mkdtemp()}/penstock.db") as store:
    ...     store.get(store.put({"rows": 3}).digest)
    {'rows': 3}

    Args:
        url: What it was opened with.
        metadata: The facts.
        artifacts: The bytes.
        journals: Folder on this machine for the metric journals of its processes.
        team: Whether several people use it, so that nobody approves their own model.
    """

    def __init__(
        self,
        url: str,
        metadata: MetadataStore,
        artifacts: ArtifactStore,
        journals: Path,
        *,
        team: bool = False,
    ) -> None:
        self._team = team
        self.url, self.metadata, self.artifacts = url, metadata, artifacts
        self.journal = Journal(journals, metadata)
        self._holders = 1

    def pack(self, value: Any) -> list[ArtifactRecord]:
        """Write a value's bytes and give its records, which are not recorded yet.

        Returns:
            The value's record, then those of its parts.

        Raises:
            SerializationError: If the value cannot be stored.
        """
        found = _take_apart(value)
        if isinstance(found, Serialized):
            return [self._keep(found)]
        bundle_type, named = found
        packed = {name: self.pack(part) for name, part in named.items()}
        first = {name: records[0] for name, records in packed.items()}
        manifest = dump_json(
            {
                "type": bundle_type,
                "parts": [[name, part_to_json(record)] for name, record in first.items()],
            }
        )
        contents = {name: record.content_digest for name, record in first.items()}
        unsafe = any(record.unsafe for record in first.values())
        whole = Serialized(
            manifest.encode(),
            FORMAT,
            _bundle_digest(bundle_type, contents),
            type_name(value),
            _bundle_facts(first),
            unsafe,
        )
        rest = [record for records in packed.values() for record in records]
        return [self._keep(whole), *rest]

    def put(self, value: Any) -> ArtifactRecord:
        """Store a value and record it.

        Raises:
            SerializationError: If the value cannot be stored.
        """
        records = self.pack(value)
        self.metadata.add_artifacts(records)
        return records[0]

    def get(self, digest: str, *, check: bool = False) -> Any:
        """Load a value by its stored or its content digest.

        Args:
            digest: ``sha256:…``.
            check: Digest the bytes and compare.

        Raises:
            NotFoundError: If nothing with this digest is recorded.
            StoreError: If the bytes are gone, or damaged and ``check`` is set.
        """
        return self.load(self.metadata.get_artifact(digest), check=check)

    def load(self, record: ArtifactRecord, *, check: bool = False) -> Any:
        """Load a value by its record; see `get`."""
        data = self.read_bytes(record, check=check)
        if record.format != FORMAT:
            return deserialize(data, record)
        manifest = load_json(data)
        records = {name: part_from_json(part) for name, part in manifest["parts"]}
        _check_marks(record, records)
        parts = LazyParts(records, lambda part: self.load(part, check=check))
        return join(manifest["type"], parts)

    def read_bytes(self, record: ArtifactRecord, *, check: bool = False) -> bytes:
        """Give a stored value's bytes, wherever they live; see `get`."""
        if record.inline is None:
            return self.artifacts.read(record.digest, check=check)
        if check and digest_bytes(record.inline) != record.digest:
            raise StoreError(
                what=f"The bytes of {record.digest} in the metadata store are damaged.",
                why="Their digest is another one now.",
                fix="Restore the store from a backup, or run the step again.",
                digest=record.digest,
            )
        return record.inline

    def flush(self) -> None:
        """Bring the metrics that were logged before this call into the store.

        A process does this by itself twice a second, and when it ends. What processes of this
        machine had logged that are gone now is brought in, too.

        Raises:
            StoreError: If the store cannot be written; nothing is lost then.
        """
        self.journal.flush()

    def digest(self, value: Any) -> str:
        """Give a value's content digest without storing it; see `content_digest`."""
        return content_digest(value)

    @property
    def single_user(self) -> bool:
        """Whether the trainer of a model may approve it.

        The setting of this name says so; without it an embedded store has one user, and a store on
        a server several.
        """
        setting = self.metadata.get_setting(_SINGLE_USER)
        return setting == "true" if self._team else setting != "false"

    def close(self) -> None:
        """Close the store, once everyone who opened it has; loaded values stay usable."""
        self._holders -= 1
        if self.closed:
            self.journal.close()
            self.metadata.close()

    @property
    def closed(self) -> bool:
        """Whether everyone who opened it has closed it."""
        return self._holders <= 0

    def hold(self) -> Self:
        """Count one more holder: `open_store` gives one object to all who ask in a process."""
        self._holders += 1
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def keep_file(self, path: Path) -> tuple[str, bytes | None, int]:
        """Store a file; gives its digest, the bytes if they are few enough for a record, its size.

        Raises:
            StoreError: If it cannot be read or stored.
        """
        try:
            size = path.stat().st_size
            data = path.read_bytes() if size <= _INLINE_BYTES else None
        except OSError as error:
            raise StoreError(
                what=f"The file {path} cannot be read ({error.strerror or error}).",
                fix="Check that it is there and that you may read it.",
                path=path,
            ) from error
        if data is not None and len(data) <= _INLINE_BYTES:
            return self.keep_bytes(data)
        return self.artifacts.write_file(path), None, size

    def keep_bytes(self, data: bytes) -> tuple[str, bytes | None, int]:
        """Store bytes; see `keep_file`."""
        if len(data) <= _INLINE_BYTES:
            return digest_bytes(data), data, len(data)
        return self.artifacts.write(data), None, len(data)

    def _keep(self, value: Serialized) -> ArtifactRecord:
        digest, inline, size = self.keep_bytes(value.data)
        return ArtifactRecord(
            digest=digest,
            content_digest=value.content_digest,
            format=value.format,
            type_name=value.type_name,
            size_bytes=size,
            created_at=now(),
            unsafe=value.unsafe,
            inline=inline,
            metadata=value.metadata,
        )


def content_digest(value: Any) -> str:
    """Digest a value by its type, so that equal values have equal digests.

    A table counts by schema and values, an array by type, shape and values, an estimator by
    parameters and fitted attributes, JSON-like values without the order of keys.

    >>> content_digest({"a": 1, "b": 2}) == content_digest({"b": 2, "a": 1})
    True

    Raises:
        SerializationError: If the value does not tell its state.
    """
    found = None
    if is_own(value):
        found = parts_of(value)
    elif type(value) in _CONTAINERS:
        try:
            return json_digest(value)
        except (TypeError, ValueError, RecursionError):
            found = parts_of(value) if len(value) <= _MOST_PARTS else None
    if found is None:
        return simple_digest(value)
    bundle_type, named = found
    return _bundle_digest(bundle_type, {name: content_digest(part) for name, part in named.items()})


def _take_apart(value: Any) -> Serialized | tuple[str, dict[str, Any]]:
    """Serialise a value, or give its type and parts if it is kept in parts."""
    if is_own(value):
        return parts_of(value) or serialize(value)
    if type(value) not in _CONTAINERS:
        return serialize(value)
    try:
        return write_json(value)
    except (TypeError, ValueError, RecursionError):
        found = parts_of(value) if len(value) <= _MOST_PARTS else None
        return found or serialize(value)


def _bundle_digest(bundle_type: str, contents: Mapping[str, str]) -> str:
    return digest_json(["bundle", bundle_type, dict(contents)])


def _bundle_facts(parts: Mapping[str, ArtifactRecord]) -> dict[str, Any]:
    facts: dict[str, Any] = {"parts": {name: part.content_digest for name, part in parts.items()}}
    reasons = [
        part.metadata["why_unsafe"] for part in parts.values() if "why_unsafe" in part.metadata
    ]
    return facts | ({"why_unsafe": reasons[0]} if reasons else {})


def _check_marks(record: ArtifactRecord, parts: Mapping[str, ArtifactRecord]) -> None:
    if not record.unsafe and any(part.unsafe for part in parts.values()):
        raise SerializationError(
            what=f"Artifact {record.digest} holds a pickle, but is not marked unsafe.",
            why="Loading a pickle runs what it says.",
            fix="Do not use this artifact.",
        )
