"""Records of stored files: logged files, a run's source, the source of a model's own code."""

from pathlib import Path

from penstock.core import ArtifactRecord, digest_json, now
from penstock.stores.artifacts._digests import readable
from penstock.stores.artifacts._media_type import media_type

INLINE_BYTES = 1024
"""Values of at most this many bytes live in the metadata store: no file for every number."""

_FILE = "file"


def read_start(path: Path) -> bytes:
    """Read a file's first bytes: all if few enough for a record, else a byte too many."""
    with readable(path) as file:
        return file.read(INLINE_BYTES + 1)


def file_record(
    path: Path, start: bytes, digest: str, size: int, inline: bytes | None = None
) -> ArtifactRecord:
    """Return the unrecorded record of a file whose bytes are stored."""
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


def source_record(path: str, text: bytes, digest: str) -> ArtifactRecord:
    """Return the record of a source file, equal to that of the run's recorded source."""
    inline = text if len(text) <= INLINE_BYTES else None
    return file_record(Path(path), text[:INLINE_BYTES], digest, len(text), inline)
