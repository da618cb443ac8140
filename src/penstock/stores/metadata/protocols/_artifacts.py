"""Artifacts of runs, lineage, snapshots of sources, and proofs."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from penstock.core import ArtifactRecord, Edge, ProofRecord, SnapshotRecord


class ArtifactIndex(Protocol):
    """Artifacts of runs, lineage, snapshots of sources, and proofs."""

    def add(self, artifacts: Sequence[ArtifactRecord]) -> None:
        """Record artifacts whose bytes are stored."""
        ...

    def renew(self, digests: Collection[str]) -> bool:
        """Mark artifacts as stored now, so that gc spares them; return whether all are recorded.

        For callers that rely on existing artifacts without storing them again. Stored or content
        digests.
        """
        ...

    def get(self, digest: str, content_digest: str | None = None) -> ArtifactRecord:
        """Return an artifact by stored digest, else by content digest.

        Different values can have equal bytes (b"1" and 1): ``content_digest`` selects among them.
        """
        ...

    def log(self, run_id: str, name: str, artifact: ArtifactRecord) -> None:
        """Record that a run has an artifact under a name."""
        ...

    def log_many(
        self,
        run_id: str,
        artifacts: Mapping[str, ArtifactRecord],
        *,
        parts: Sequence[ArtifactRecord] = (),
        edges: Iterable[Edge] = (),
    ) -> None:
        """Log several artifacts by name, with parts of bundles and lineage, in a transaction."""
        ...

    def drop(self, run_id: str, names: Collection[str]) -> None:
        """Remove a run's artifacts by name; gc deletes the bytes if nothing else refers to them."""
        ...

    def add_edges(self, edges: Iterable[Edge]) -> None:
        """Add edges of the lineage."""
        ...

    def list_edges(
        self, node: str, *, direction: Literal["up", "down"], depth: int = 100
    ) -> list[Edge]:
        """List the edges reachable from a node: ``direction`` is ``up`` (inputs) or ``down``."""
        ...

    def add_snapshot(self, snapshot: SnapshotRecord) -> None:
        """Record a snapshot of a source."""
        ...

    def last_snapshot(self, source: str) -> SnapshotRecord | None:
        """Return the newest snapshot of a source; None if there is none."""
        ...

    def list_snapshots(self, source: str) -> list[SnapshotRecord]:
        """List the snapshots of a source, oldest first."""
        ...

    def list_sources(self) -> dict[str, int]:
        """Return the names of all sources with their number of snapshots, in order of name."""
        ...

    def add_proof(self, proof: ProofRecord) -> None:
        """Record a proof."""
        ...

    def list_proofs(self, run_id: str) -> list[ProofRecord]:
        """List the proofs of a run, oldest first."""
        ...

    def list(self, run_id: str) -> dict[str, ArtifactRecord]:
        """Return the artifacts of a run by name."""
        ...
