"""Documents of foreign protocols, with named files."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from penstock.core import ArtifactRecord, DocumentRecord


class DocumentStore(Protocol):
    """Documents of foreign protocols, with named files.

    For facts that no further noun has, such as a run's datasets as an MLflow client describes them:
    kept whole, found by key or owner.
    """

    def add(self, documents: Sequence[DocumentRecord]) -> list[bool]:
        """Insert documents whose keys are free; return which were inserted."""
        ...

    def get(self, kind: str, key: str) -> DocumentRecord:
        """Return a document."""
        ...

    def save(self, document: DocumentRecord, *, expected_revision: int) -> DocumentRecord:
        """Replace a document; ConflictError if the revision moved."""
        ...

    def delete(self, kind: str, keys: Collection[str]) -> None:
        """Delete documents by key with their files; unknown keys are ignored."""
        ...

    def add_files(self, kind: str, key: str, files: Mapping[str, ArtifactRecord]) -> None:
        """Record stored files of a document by path; an existing path is replaced."""
        ...

    def list_files(self, kind: str, key: str, *, under: str = "") -> dict[str, ArtifactRecord]:
        """Return the files of a document whose paths begin so, in order of path."""
        ...

    def drop_files(self, kind: str, key: str, paths: Collection[str]) -> None:
        """Remove files of a document; gc deletes the bytes if nothing else refers to them."""
        ...

    def list(
        self,
        kind: str,
        *,
        owners: Collection[str] | None = None,
        keys: Collection[str] | None = None,
    ) -> list[DocumentRecord]:
        """List documents of a kind by owners or keys, in order of key."""
        ...
