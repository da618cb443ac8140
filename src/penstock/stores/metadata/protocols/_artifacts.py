"""Artifacts of runs, lineage, snapshots of sources, and proofs."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from penstock.core import ArtifactRecord, Edge, ProofRecord, SnapshotRecord


class ArtifactIndex(Protocol):
    """Artifacts of runs, lineage, snapshots of sources, and proofs."""

    def add(self, artifacts: Sequence[ArtifactRecord]) -> None:
        """Record artifacts whose bytes are stored."""
        ...

    def renew(self, digests: Collection[str]) -> bool:
        """Count artifacts as stored now, so that gc leaves them; says whether all are recorded.

        For who relies on what is there without storing it again. Stored or content digests.
        """
        ...

    def get(self, digest: str, content_digest: str | None = None) -> ArtifactRecord:
        """By stored digest, else by content digest.

        Other values can have equal bytes (b"1" and 1): with ``content_digest`` it is that one.
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
        """Log several by name, with the parts of bundles and the lineage, in one transaction."""
        ...

    def drop(self, run_id: str, names: Collection[str]) -> None:
        """Forget what a run kept under names; gc removes the bytes if nobody else names them."""
        ...

    def add_edges(self, edges: Iterable[Edge]) -> None:
        """Add edges of the lineage."""
        ...

    def list_edges(self, node: str, *, direction: str, depth: int = 100) -> list[Edge]:
        """Arrows reachable from a node: ``direction`` is ``up`` (what made it) or ``down``."""
        ...

    def add_snapshot(self, snapshot: SnapshotRecord) -> None:
        """Record a snapshot of a source."""
        ...

    def last_snapshot(self, source: str) -> SnapshotRecord | None:
        """Return the newest snapshot of a source; None if there is none."""
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
