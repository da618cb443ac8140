"""``Store``: facts and bytes together, with values in and out."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from penstock.core import (
    ArtifactRecord,
    ClosedAtExit,
    NotFoundError,
    SerializationError,
    StoreError,
    digest_bytes,
    new_id,
    now,
    require_choice,
)
from penstock.stores._contents import (
    bundle_digest,
    bundle_facts,
    content_digest,
    endless,
    take_apart,
)
from penstock.stores._file_records import INLINE_BYTES, file_record, read_start, source_record
from penstock.stores._json import dump_json, load_json
from penstock.stores._single_user import is_single_user
from penstock.stores.artifacts._ahead import ahead
from penstock.stores.artifacts._bundles import (
    FORMAT,
    LazyParts,
    StoredPart,
    digested_parts,
    join,
    part_from_json,
    part_to_json,
    read_manifest,
    write_manifest,
)
from penstock.stores.artifacts._chunked_table import COUNTS_AS_FRAME, ChunkedTable
from penstock.stores.artifacts._digests import PREFIX, damaged, writable
from penstock.stores.artifacts._protocol import ArtifactStore
from penstock.stores.artifacts._serializers import (
    deserialize,
)
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._admission import note_written
from penstock.stores.journals import Journal
from penstock.stores.metadata._protocol import MetadataStore

_PART = 1 << 20  # chunk size of streams
_UNSAFE = "unsafe_models"
# Settings: the store's id, the claimed location of the bytes, and the database with that id.
UNSAFE_POLICIES = ("refuse", "register", "production")
IDENTITY, PLACE, DATABASE = "store_id", "artifacts", "database"


class Store(ClosedAtExit):
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
        team: Whether several people use the store, so that trainers never approve their own model.
        address: URL for other processes, a password included; not to be shown.
        sender: Function that returns whom the store's server takes this process for, and how it
            knows; None for a store without a server.
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
        sender: Callable[[], tuple[str, str]] | None = None,
    ) -> None:
        self._team, self.sender = team, sender
        self.address = address or url
        # Called before a value is loaded: workers share values that were already unpacked.
        self.unpacked: Callable[[ArtifactRecord], Any] | None = None
        self.url, self.metadata, self.artifacts = url, metadata, artifacts
        self.journal = Journal(journals, metadata)
        self._holders = 1
        self._checked: set[str] = set()

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
            raise endless(value, error) from error.__cause__

    def _pack(self, value: Any) -> list[ArtifactRecord]:
        parts = take_apart(value)
        if isinstance(parts, Serialized):
            return [self._keep(parts)] if not parts.source else self._keep_with_source(parts)
        bundle_type, named = parts
        recorded = self._renew(named.values())
        packed = {
            name: self._pack_part(part, recorded=_digest_of(part) in recorded)
            for name, part in named.items()
        }
        first = {name: records[0] for name, records in packed.items()}
        rest = [
            record
            for name, records in packed.items()
            if _digest_of(named[name]) not in recorded
            for record in records
        ]
        whole = self.pack_parts(bundle_type, type_name(value), first, digested_parts(value))
        if isinstance(value, ChunkedTable) and value.digest is not None:
            facts = {**whole.metadata, COUNTS_AS_FRAME: True}
            whole = replace(whole, content_digest=value.digest, metadata=facts)
        return [whole, *rest]

    def _pack_part(self, part: Any, *, recorded: bool) -> list[ArtifactRecord]:
        if not isinstance(part, StoredPart):
            return self._pack(part)
        if part.store_url != self.url or (part.is_recorded and not recorded):
            return self._pack(part.load())
        if part.record.inline is None and not self.artifacts.exists(part.record.digest):
            raise _collected(part.record)
        return [part.record]

    def _renew(self, parts: Collection[Any]) -> set[str]:
        """Return which stored parts are recorded here still, and will be for the next hour.

        A second process may collect garbage until the new value is recorded.
        """
        digests = {
            part.record.digest
            for part in parts
            if isinstance(part, StoredPart) and part.is_recorded and part.store_url == self.url
        }
        if self.metadata.artifacts.renew(digests):
            return digests
        return {digest for digest in digests if self.metadata.artifacts.renew({digest})}

    def pack_parts(
        self,
        bundle_type: str,
        kind: str,
        first: Mapping[str, ArtifactRecord],
        digested: Collection[str] | None = None,
    ) -> ArtifactRecord:
        """Return the unrecorded record of a value composed of stored values.

        Args:
            bundle_type: Type of the composite; see `Bundle`.
            kind: Name of the class, for people.
            first: Records of the parts by name, in order.
            digested: Parts that the content digest is made of; by default all.
        """
        manifest = dump_json(
            {
                "type": bundle_type,
                "parts": [[name, part_to_json(record)] for name, record in first.items()],
            }
        )
        # The digest follows from the parts' contents, not from the form of their bytes.
        contents = {
            name: record.content_digest
            for name, record in first.items()
            if digested is None or name in digested
        }
        unsafe = any(record.unsafe for record in first.values())
        whole = Serialized(
            write_manifest(manifest),
            FORMAT,
            bundle_digest(bundle_type, contents),
            kind,
            bundle_facts(first),
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
        starts = [(path, read_start(path)) for path in paths]
        large = [path for path, start in starts if len(start) > INLINE_BYTES]
        written = iter(self.artifacts.write_files(large) if large else ())
        return [
            file_record(path, start, *next(written))
            if len(start) > INLINE_BYTES
            else file_record(path, start, digest_bytes(start), len(start), start)
            for path, start in starts
        ]

    def keep_bytes(self, data: bytes) -> tuple[str, bytes | None, int]:
        """Store bytes; return the digest, the bytes if few enough for a record, and the size."""
        if len(data) <= INLINE_BYTES:
            return digest_bytes(data), data, len(data)
        return self.artifacts.write(data), None, len(data)

    def put(self, value: object) -> ArtifactRecord:
        """Store a value and the record.

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
            value = self.unpacked(record)
            if value is not None:
                return value
        data = self.read_bytes(record, check=check)
        if record.format != FORMAT:
            return deserialize(data, record, self._source_of(record))
        bundle_type, records = _read_manifest(data)
        _check_marks(record, records)
        # On access, so that reading a small part does not load the large ones.
        parts = LazyParts(
            records,
            lambda part: self.load(part, check=check),
            lambda part: self.stored_part(part, is_recorded=True, check=check),
        )
        return join(bundle_type, parts)

    def stored_part(
        self, record: ArtifactRecord, *, is_recorded: bool, check: bool = True
    ) -> StoredPart:
        """Return a stored value as a part for further composite values.

        Args:
            record: The value's record.
            is_recorded: Whether the metadata has the record.
            check: Compute the digest of the bytes and compare when they are read.
        """
        return StoredPart(
            record,
            self.url,
            is_recorded,
            lambda: self.load(record, check=check),
            lambda: self.read_bytes(record, check=check),
            lambda: self._checked_path(record, check=check),
        )

    def _checked_path(self, record: ArtifactRecord, *, check: bool) -> Path | None:
        """Return the local file of stored bytes, whose digest was compared once in this process."""
        path = None if record.inline is not None else self.artifacts.path(record.digest)
        if path is not None and check and record.digest not in self._checked:
            self.artifacts.verify(record.digest)
            self._checked.add(record.digest)
        return path

    def parts(self, record: ArtifactRecord) -> dict[str, ArtifactRecord]:
        """Return the records of a composite value's parts; empty for a plain value."""
        return self.bundle(record)[1]

    def bundle(self, record: ArtifactRecord) -> tuple[str, dict[str, ArtifactRecord]]:
        """Return a composite value's type and parts; for a plain value an empty type."""
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

    def check(self, record: ArtifactRecord) -> None:
        """Check the bytes of a value and of all parts against their digests.

        Raises:
            StoreError: If bytes are gone or damaged.
        """
        for part in self.parts(record).values():
            self.check(part)
        if record.inline is None:
            self.artifacts.verify(record.digest)
        else:
            self.read_bytes(record)

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
        """Whether the trainer of a model may approve the model."""
        return is_single_user(self.metadata, on_server=self._team)

    @property
    def unsafe_models(self) -> str:
        """The store's rule for an `UnsafeModel`: ``refuse``, ``register`` or ``production``."""
        return self.metadata.settings.get(_UNSAFE) or UNSAFE_POLICIES[0]

    def allow_unsafe_models(self, policy: str, *, actor: str | None = None) -> None:
        """Set the store's rule for an `UnsafeModel`; the history has actor and time.

        Args:
            policy: ``refuse`` them (the default), let them ``register``, or let them go to staging
                and ``production``, too.
            actor: Actor of the change; by default the user of this process.

        Raises:
            ParameterError: If the policy is none of these.
        """
        require_choice("policy", policy, UNSAFE_POLICIES)
        self.metadata.settings.set(_UNSAFE, policy, actor=actor)

    def close(self) -> None:
        """Close the store, once all openers have; loaded values stay usable."""
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

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def _ranges(self, record: ArtifactRecord) -> Iterator[bytes]:
        for start in range(0, record.size_bytes, _PART):
            yield self.artifacts.read_range(record.digest, start, _PART)

    def _keep_with_source(self, value: Serialized) -> list[ArtifactRecord]:
        """Store a model, and the source files as parts, which stay as long as the model."""
        files = {}
        for path, text in sorted(value.source.items()):
            digest = self.artifacts.write(text)  # also a small file, which a record may hold inline
            files[path] = source_record(path, text, digest)
        parts = {path: record.digest for path, record in files.items()}
        whole = self._keep(replace(value, metadata={**value.metadata, "parts": parts}))
        return [whole, *files.values()]

    def _source_of(self, record: ArtifactRecord) -> dict[str, bytes]:
        """Read the recorded source of a model's own classes and functions."""
        return {
            path: self._source_file(digest)
            for path, digest in record.metadata.get("parts", {}).items()
        }

    def _source_file(self, digest: str) -> bytes:
        try:
            return self.read_bytes(self.metadata.artifacts.get(digest))
        except NotFoundError:  # of a value that is not recorded yet
            return self.artifacts.read(digest)

    def _keep(self, value: Serialized) -> ArtifactRecord:
        digest, inline, size = self.keep_bytes(value.data)
        note_written(value.format, digest)
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


def _digest_of(part: Any) -> str | None:
    return part.record.digest if isinstance(part, StoredPart) else None


def _collected(record: ArtifactRecord) -> StoreError:
    return StoreError(
        what=f"The bytes of {record.digest}, rows of an earlier version, are gone.",
        why="Garbage was collected while these rows were read, or the bytes were deleted.",
        fix="Run it again.",
        digest=record.digest,
    )


def _read_manifest(data: bytes) -> tuple[str, dict[str, ArtifactRecord]]:
    manifest = load_json(read_manifest(data))
    return manifest["type"], {name: part_from_json(part) for name, part in manifest["parts"]}


def _check_marks(record: ArtifactRecord, parts: Mapping[str, ArtifactRecord]) -> None:
    # The mark decides who may load: a forged manifest must not hide a pickle.
    if not record.unsafe and any(part.unsafe for part in parts.values()):
        raise SerializationError(
            what=f"Artifact {record.digest} holds a pickle, but is not marked unsafe.",
            why="Loading a pickle can run any code.",
            fix="Do not use this artifact.",
        )
