"""``Store``: facts and bytes together, with values in and out."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from penstock.core import (
    ArtifactRecord,
    SerializationError,
    StoreError,
    describe_nesting,
    digest_bytes,
    digest_json,
    find_circle,
    new_id,
    now,
    with_article,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores.artifacts._ahead import ahead
from penstock.stores.artifacts._bundles import (
    FORMAT,
    LazyParts,
    is_masked,
    is_own,
    join,
    part_from_json,
    part_to_json,
    parts_of,
)
from penstock.stores.artifacts._digests import PREFIX, damaged, readable, writable
from penstock.stores.artifacts._media_type import media_type
from penstock.stores.artifacts._polars import is_plain_type
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

if TYPE_CHECKING:
    import polars as pl

# Values of at most this many bytes live in the metadata store: no file for every number.
_INLINE_BYTES = 1024
_PART = 1 << 20  # chunk size of streams
_FILE = "file"
_SINGLE_USER = "single_user"
# Settings: the store's id, the claimed location of the bytes, and the database with that id.
IDENTITY, PLACE, DATABASE = "store_id", "artifacts", "database"
_CONTAINERS = frozenset({list, tuple, dict})
# A list of tables is stored table by table; a list of thousands of objects is a single value.
_MOST_PARTS = 256


class Store:
    """The store: facts in ``metadata``, bytes in ``artifacts``.

    >>> import tempfile
    >>> from penstock.stores import open_store
    >>> with open_store(f"sqlite:///{tempfile.mkdtemp()}/penstock.db") as store:
    ...     store.get(store.put({"rows": 3}).digest)
    {'rows': 3}

    Args:
        url: URL that opened the store.
        metadata: The facts.
        artifacts: The bytes.
        journals: Folder on this machine for the metric journals of the store's processes.
        team: Whether several people use the store, so that nobody approves their own model.
        address: URL for other processes, a password included; not to be shown.
    """

    def __init__(
        self,
        url: str,
        metadata: MetadataStore,
        artifacts: ArtifactStore,
        journals: Path,
        *,
        team: bool = False,
        address: str | None = None,
    ) -> None:
        self._team = team
        self.address = address or url
        # Called before a value is loaded: workers share values that were already unpacked.
        self.unpacked: Callable[[ArtifactRecord], Any] | None = None
        self.url, self.metadata, self.artifacts = url, metadata, artifacts
        self.journal = Journal(journals, metadata)
        self._holders = 1

    def pack(self, value: object) -> list[ArtifactRecord]:
        """Write a value's bytes and return the records, which are not recorded yet.

        Returns:
            The value's record, then the records of the parts.

        Raises:
            SerializationError: If the value cannot be stored, or contains itself.
        """
        try:
            return self._pack(value)
        except (RecursionError, SerializationError) as error:
            raise _endless(value, error) from error.__cause__

    def _pack(self, value: Any) -> list[ArtifactRecord]:
        found = _take_apart(value)
        if isinstance(found, Serialized):
            return [self._keep(found)]
        bundle_type, named = found
        packed = {name: self._pack(part) for name, part in named.items()}
        first = {name: records[0] for name, records in packed.items()}
        rest = [record for records in packed.values() for record in records]
        return [self.pack_parts(bundle_type, type_name(value), first), *rest]

    def pack_parts(
        self, bundle_type: str, kind: str, first: Mapping[str, ArtifactRecord]
    ) -> ArtifactRecord:
        """Return the unrecorded record of a value composed of stored values.

        Args:
            bundle_type: Type of the composite; see `Bundle`.
            kind: Name of the class, for people.
            first: Records of the parts by name, in order.
        """
        manifest = dump_json(
            {
                "type": bundle_type,
                "parts": [[name, part_to_json(record)] for name, record in first.items()],
            }
        )
        # The digest follows from the parts' contents, not from the form of their bytes.
        contents = {name: record.content_digest for name, record in first.items()}
        unsafe = any(record.unsafe for record in first.values())
        whole = Serialized(
            manifest.encode(),
            FORMAT,
            _bundle_digest(bundle_type, contents),
            kind,
            _bundle_facts(first),
            unsafe,
        )
        return self._keep(whole)

    def pack_file(self, path: Path) -> ArtifactRecord:
        """Write a file's bytes and return the record, which is not recorded yet.

        Raises:
            StoreError: If the file cannot be read, or the bytes cannot be written.
        """
        return self.pack_files([path])[0]

    def pack_files(self, paths: Sequence[Path]) -> list[ArtifactRecord]:
        """Write the bytes of many files and return the records; see `pack_file`."""
        starts = [(path, _start(path)) for path in paths]
        large = [path for path, start in starts if len(start) > _INLINE_BYTES]
        written = iter(self.artifacts.write_files(large) if large else ())
        return [
            _file_record(path, start, *next(written))
            if len(start) > _INLINE_BYTES
            else _file_record(path, start, digest_bytes(start), len(start), start)
            for path, start in starts
        ]

    def keep_bytes(self, data: bytes) -> tuple[str, bytes | None, int]:
        """Store bytes; return the digest, the bytes if few enough for a record, and the size."""
        if len(data) <= _INLINE_BYTES:
            return digest_bytes(data), data, len(data)
        return self.artifacts.write(data), None, len(data)

    def put(self, value: object) -> ArtifactRecord:
        """Store a value and record it.

        Raises:
            SerializationError: If the value cannot be stored.
        """
        records = self.pack(value)
        self.metadata.artifacts.add(records)
        return records[0]

    def get(
        self, digest: str, content_digest: str | None = None, *, check: bool = True
    ) -> Any:  # Any: a stored value
        """Load a value by the stored or the content digest.

        Args:
            digest: ``sha256:…``.
            content_digest: Selects among several values with these bytes; by default the first.
            check: Compute the digest of the bytes and compare.

        Raises:
            NotFoundError: If nothing with this digest is recorded.
            StoreError: If the bytes are gone, or damaged and ``check`` is set.
        """
        return self.load(self.metadata.artifacts.get(digest, content_digest), check=check)

    def load(self, record: ArtifactRecord, *, check: bool = True) -> Any:  # Any: a stored value
        """Load a value by record; see `get`."""
        if self.unpacked is not None and record.inline is None:
            found = self.unpacked(record)
            if found is not None:
                return found
        data = self.read_bytes(record, check=check)
        if record.format != FORMAT:
            return deserialize(data, record)
        bundle_type, records = _read_manifest(data)
        _check_marks(record, records)
        # On access, so that reading a small part does not load the large ones.
        parts = LazyParts(records, lambda part: self.load(part, check=check))
        return join(bundle_type, parts)

    def parts(self, record: ArtifactRecord) -> dict[str, ArtifactRecord]:
        """Return the records of a composite value's parts; empty for any other value."""
        return self.bundle(record)[1]

    def bundle(self, record: ArtifactRecord) -> tuple[str, dict[str, ArtifactRecord]]:
        """Return a composite value's type and parts; for any other value an empty type."""
        return _read_manifest(self.read_bytes(record)) if record.format == FORMAT else ("", {})

    def read_bytes(self, record: ArtifactRecord, *, check: bool = True) -> bytes:
        """Return a stored value's bytes, wherever stored; see `get`."""
        if record.inline is None:
            return self.artifacts.read(record.digest, check=check)
        if check and digest_bytes(record.inline) != record.digest:
            raise StoreError(
                what=f"The bytes of {record.digest} in the metadata store are damaged.",
                why="Their digest has changed.",
                fix="Restore the store from a backup, or run the step again.",
                digest=record.digest,
            )
        return record.inline

    def stream(self, record: ArtifactRecord) -> Iterator[bytes]:
        """Yield a stored value's bytes in chunks; the last chunk only if all bytes are right.

        Raises:
            StoreError: If the bytes are gone or damaged.
        """
        if record.inline is not None:
            yield self.read_bytes(record, check=True)
            return
        # A chunk behind: the last is yielded only once the digest is right.
        state, held = hashlib.sha256(), b""
        for part in ahead(self._ranges(record)):
            if held:
                yield held
            state.update(part)
            held = part
        if state.hexdigest() != record.digest.removeprefix(PREFIX):
            raise damaged(record.digest, self.artifacts.url)
        yield held

    def fetch(self, record: ArtifactRecord, path: Path) -> None:
        """Write a stored value's bytes to a new file in chunks, with a digest check.

        The file appears under the final name once complete.

        Raises:
            StoreError: If the bytes are gone or damaged, or the file cannot be written.
        """
        # Under a temporary name: a reader never sees half a file.
        beside = path.with_name(f".{path.name[:16]}-{new_id()}")
        try:
            with writable(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                if record.inline is None:
                    self.artifacts.fetch(record.digest, beside)
                else:
                    beside.write_bytes(self.read_bytes(record, check=True))
                beside.replace(path)
        finally:
            with suppress(OSError):
                beside.unlink()

    def flush(self) -> None:
        """Write the metrics that were logged before this call to the store.

        A process does this automatically twice a second, and at the end. The logs of ended
        processes of this machine are written, too.

        Raises:
            StoreError: If the store cannot be written; nothing is lost then.
        """
        self.journal.flush()

    def digest(self, value: object) -> str:
        """Compute a value's content digest without storing the value; see `content_digest`."""
        return content_digest(value)

    @property
    def single_user(self) -> bool:
        """Whether the trainer of a model may approve it.

        The setting of this name decides; without the setting an embedded store has a single user,
        and a store on a server several.
        """
        setting = self.metadata.settings.get(_SINGLE_USER)
        return setting == "true" if self._team else setting != "false"

    def close(self) -> None:
        """Close the store, once all its openers have; loaded values stay usable."""
        self._holders -= 1
        if self.closed:
            self.journal.close()
            self.metadata.close()

    @property
    def closed(self) -> bool:
        """Whether all openers have closed the store."""
        return self._holders <= 0

    def hold(self) -> Self:
        """Count a further holder: `open_store` returns the same object to all of a process."""
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

    def _ranges(self, record: ArtifactRecord) -> Iterator[bytes]:
        for start in range(0, record.size_bytes, _PART):
            yield self.artifacts.read_range(record.digest, start, _PART)

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


def content_digest(value: object) -> str:
    """Compute the digest of a value by type: values that code can tell apart differ.

    A value read from the store has the same digest as when stored, in any process. A table counts
    by schema, index and values, an array by type, shape, order and values, an estimator by
    parameters and fitted attributes, a function by code and closed-over values.

    >>> content_digest({"a": 1, "b": 2}) == content_digest({"b": 2, "a": 1})
    False
    >>> content_digest(1) == content_digest(1.0)
    False

    Raises:
        SerializationError: If the value does not expose its state, or contains itself.
    """
    try:
        return _content_digest(value)
    except (RecursionError, SerializationError) as error:
        raise _endless(value, error) from error.__cause__


def _content_digest(value: Any) -> str:
    found = None
    if is_own(value) or is_masked(value):
        found = parts_of(value)
    elif type(value) in _CONTAINERS:
        try:
            return json_digest(dump_json(value, exact=True))
        except (TypeError, ValueError, RecursionError):
            found = parts_of(value) if len(value) <= _MOST_PARTS else None
    if found is None:
        return simple_digest(value)
    bundle_type, named = found
    contents = {name: _content_digest(part) for name, part in named.items()}
    return _bundle_digest(bundle_type, contents)


def _endless(value: Any, error: Exception) -> Exception:
    """Return the error for an endless value whose recursion limit was met inside of a part."""
    if isinstance(error, SerializationError) and find_circle(value) is None:
        return error
    return SerializationError(
        what=f"{with_article(type_name(value), begins=True)} cannot be stored: it {describe_nesting(value)}.",
        why="A stored value is written from its beginning to its end.",
        fix="Keep the name or place of what it refers to inside it, not the value itself.",
    )


def is_plain_frame(value: "pl.DataFrame") -> bool:
    """Return whether a polars frame survives a round trip unchanged, so that no check is needed."""
    return all(map(is_plain_type, value.dtypes))


def _take_apart(value: Any) -> Serialized | tuple[str, dict[str, Any]]:
    """Serialise a value, or return type and parts if the value is stored in parts."""
    if is_own(value) or is_masked(value):
        return parts_of(value) or serialize(value)
    if type(value) not in _CONTAINERS:
        return serialize(value)
    try:
        return write_json(value)
    except (TypeError, ValueError, RecursionError):
        found = parts_of(value) if len(value) <= _MOST_PARTS else None
        return found or serialize(value)


def _bundle_digest(bundle_type: str, contents: Mapping[str, str]) -> str:
    return digest_json(["bundle", bundle_type, [list(part) for part in contents.items()]])


def _bundle_facts(parts: Mapping[str, ArtifactRecord]) -> dict[str, Any]:
    facts: dict[str, Any] = {"items": len(parts)}
    if len(parts) <= _MOST_PARTS:  # larger bundles list their parts in the manifest only
        facts = {"parts": {name: part.content_digest for name, part in parts.items()}}
    for mark in ("why_unsafe", "not_comparable"):  # a mark of any part is a mark of the whole
        reason = next((p.metadata[mark] for p in parts.values() if mark in p.metadata), None)
        if reason is not None:
            facts[mark] = reason
    return facts


def _start(path: Path) -> bytes:
    """Read a file's first bytes: all if few enough for a record, else one too many."""
    with readable(path) as file:
        return file.read(_INLINE_BYTES + 1)


def _file_record(
    path: Path, start: bytes, digest: str, size: int, inline: bytes | None = None
) -> ArtifactRecord:
    return ArtifactRecord(
        digest=digest,
        # Not the bytes' digest: a bytes value with the same bytes is a different value.
        content_digest=digest_json([_FILE, digest]),
        format="bytes",
        type_name=_FILE,
        size_bytes=size,
        created_at=now(),
        inline=inline,
        metadata={"file": path.name, "media": media_type(start)},
    )


def _read_manifest(data: bytes) -> tuple[str, dict[str, ArtifactRecord]]:
    manifest = load_json(data)
    return manifest["type"], {name: part_from_json(part) for name, part in manifest["parts"]}


def _check_marks(record: ArtifactRecord, parts: Mapping[str, ArtifactRecord]) -> None:
    # The mark decides who may load: a forged manifest must not hide a pickle.
    if not record.unsafe and any(part.unsafe for part in parts.values()):
        raise SerializationError(
            what=f"Artifact {record.digest} holds a pickle, but is not marked unsafe.",
            why="Loading a pickle can run any code.",
            fix="Do not use this artifact.",
        )
