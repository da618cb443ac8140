"""Artifacts, the edges of the lineage, snapshots of sources and proofs."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from penstock.core import (
    ArtifactRecord,
    Edge,
    NotFoundError,
    ProofRecord,
    SnapshotRecord,
    Verdict,
    now,
    require_choice,
)
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable, to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._runs import SQLRunStore

ARTIFACTS = RecordTable(
    "artifacts",
    ArtifactRecord,
    times=("created_at",),
    structures=("metadata",),
    flags=("unsafe",),
)
SNAPSHOTS = RecordTable("snapshots", SnapshotRecord, times=("at",), long=("schema", "read"))
PROOFS = RecordTable(
    "proofs", ProofRecord, times=("at",), structures=("details",), kinds={"verdict": Verdict}
)
# Storing a value again shows gc, which spares young artifacts, that the value is needed again.
_YOUNG_MICROS = 30 * 60 * 1_000_000
ARTIFACTS_GO = "gc"  # renewing and removing wait for each other
ADD_ARTIFACT = (
    f"{ARTIFACTS.insert} ON CONFLICT (digest, content_digest)"
    " DO UPDATE SET created_at = excluded.created_at"
    f" WHERE artifacts.created_at < excluded.created_at - {_YOUNG_MICROS}"
)
ADD_EDGE = "INSERT INTO edges (source, target, role) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_LOG_ARTIFACT = (
    "INSERT INTO run_artifacts (run_id, name, digest, content_digest, at) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (run_id, name) DO UPDATE SET digest = excluded.digest,"
    " content_digest = excluded.content_digest, at = excluded.at"
)
# A node can be reached at several depths; without a depth limit, each is expanded once.
_WALK_ALL = """
WITH RECURSIVE reached(node) AS (
    SELECT node FROM (SELECT {near} AS node FROM edges WHERE {near} = ? LIMIT 1) AS first
    UNION
    SELECT edges.{far} FROM reached JOIN edges ON edges.{near} = reached.node
)
SELECT source, target, role FROM edges WHERE {near} IN (SELECT node FROM reached)
ORDER BY source, target, role
"""
_WALK_TO_DEPTH = """
WITH RECURSIVE reached(node, depth) AS (
    SELECT node, 1 FROM (SELECT {near} AS node FROM edges WHERE {near} = ? LIMIT 1) AS first
    UNION
    SELECT edges.{far}, reached.depth + 1
    FROM reached JOIN edges ON edges.{near} = reached.node
    WHERE reached.depth < ?
)
SELECT source, target, role FROM edges WHERE {near} IN (SELECT node FROM reached)
ORDER BY source, target, role
"""
_DEEP = 100
_DIRECTIONS = {
    "up": {"near": "target", "far": "source"},
    "down": {"near": "source", "far": "target"},
}

# The rows of a snapshot in chunks count as a frame: who names that digest wants the frame.
_CHUNKS = "penstock.ChunkedTable"


class SQLArtifactIndex:
    """ArtifactIndex on SQL: artifacts, lineage, snapshots and proofs."""

    def __init__(self, database: Database, runs: SQLRunStore) -> None:
        self._database = database
        self._runs = runs

    def add(self, artifacts: Sequence[ArtifactRecord]) -> None:
        """See ArtifactIndex."""
        # Sorted, so that two writers of the same rows never wait for each other.
        rows = sorted(map(ARTIFACTS.row, artifacts), key=lambda row: row[:2])
        with self._database.write() as transaction:
            transaction.executemany(ADD_ARTIFACT, rows)

    def renew(self, digests: Collection[str]) -> bool:
        """See ArtifactIndex."""
        if not digests:
            return True
        with self._database.read() as transaction:
            known = self.are_young(transaction, digests)
        if known is not None:
            return known
        moment = to_micros(now())
        named = _named(digests)
        with self._database.write() as transaction:
            self._database.alone(transaction, ARTIFACTS_GO)
            transaction.execute(
                f"UPDATE artifacts SET created_at = ? WHERE created_at < ? AND ({named})",
                (moment, moment, *digests, *digests),
            )
            return _are_among(digests, _times(transaction, digests))

    @staticmethod
    def are_young(transaction: Transaction, digests: Collection[str]) -> bool | None:
        """Return whether all artifacts are recorded; None if any must be renewed for that."""
        if not digests:
            return True
        rows = _times(transaction, digests)
        oldest = to_micros(now()) - _YOUNG_MICROS
        return _are_among(digests, rows) if all(at > oldest for *_, at in rows) else None

    def get(self, digest: str, content_digest: str | None = None) -> ArtifactRecord:
        """See ArtifactIndex."""
        content = digest if content_digest is None else content_digest
        with self._database.read() as transaction:
            row = transaction.execute(
                f"{ARTIFACTS.select} WHERE digest = ?"
                " ORDER BY content_digest <> ?, created_at LIMIT 1",
                (digest, content),
            ).fetchone()
            row = (
                row
                or transaction.execute(
                    f"{ARTIFACTS.select} WHERE content_digest = ?"
                    " ORDER BY type_name = ?, created_at DESC LIMIT 1",
                    (digest, _CHUNKS),
                ).fetchone()
            )
        if row is None:
            raise NotFoundError(
                what=f"The store has no artifact {digest}.",
                why="It was never recorded here, or has been collected.",
                fix="Name it by its whole digest, sha256:…, or run the step again.",
                digest=digest,
            )
        return ARTIFACTS.read(row)

    def log(self, run_id: str, name: str, artifact: ArtifactRecord) -> None:
        """See ArtifactIndex."""
        self.log_many(run_id, {name: artifact})

    def log_many(
        self,
        run_id: str,
        artifacts: Mapping[str, ArtifactRecord],
        *,
        parts: Sequence[ArtifactRecord] = (),
        edges: Iterable[Edge] = (),
    ) -> None:
        """See ArtifactIndex."""
        # Sorted, so that two writers of the same rows never wait for each other.
        records = sorted(map(ARTIFACTS.row, [*artifacts.values(), *parts]), key=lambda row: row[:2])
        arrows = sorted((edge.source, edge.target, edge.role) for edge in edges)
        moment = to_micros(now())
        with self._database.write() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
            transaction.executemany(ADD_ARTIFACT, records)
            transaction.executemany(
                _LOG_ARTIFACT,
                [
                    (run_id, name, artifact.digest, artifact.content_digest, moment)
                    for name, artifact in artifacts.items()
                ],
            )
            transaction.executemany(ADD_EDGE, arrows)

    def drop(self, run_id: str, names: Collection[str]) -> None:
        """See ArtifactIndex."""
        with self._database.write() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
            transaction.executemany(
                "DELETE FROM run_artifacts WHERE run_id = ? AND name = ?",
                [(run_id, name) for name in names],
            )

    def add_edges(self, edges: Iterable[Edge]) -> None:
        """See ArtifactIndex."""
        rows = sorted((edge.source, edge.target, edge.role) for edge in edges)
        with self._database.write() as transaction:
            transaction.executemany(ADD_EDGE, rows)

    def list_edges(
        self, node: str, *, direction: Literal["up", "down"], depth: int = 100
    ) -> list[Edge]:
        """See ArtifactIndex."""
        require_choice("direction", direction, _DIRECTIONS)
        with self._database.read() as transaction:
            return _walk(transaction, node, direction, depth)

    def add_snapshot(self, snapshot: SnapshotRecord) -> None:
        """See ArtifactIndex."""
        with self._database.write() as transaction:
            transaction.execute(SNAPSHOTS.insert, SNAPSHOTS.row(snapshot))

    def last_snapshot(self, source: str) -> SnapshotRecord | None:
        """See ArtifactIndex."""
        with self._database.read() as transaction:
            row = transaction.execute(
                f"{SNAPSHOTS.select} WHERE source = ? ORDER BY id DESC LIMIT 1", (source,)
            ).fetchone()
        return None if row is None else SNAPSHOTS.read(row)

    def list_snapshots(self, source: str) -> list[SnapshotRecord]:
        """See ArtifactIndex."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{SNAPSHOTS.select} WHERE source = ? ORDER BY id", (source,)
            ).fetchall()
        return [SNAPSHOTS.read(row) for row in rows]

    def list_sources(self) -> dict[str, int]:
        """See ArtifactIndex."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                "SELECT source, COUNT(*) FROM snapshots GROUP BY source ORDER BY source", ()
            ).fetchall()
        return {str(source): int(count) for source, count in rows}

    def add_proof(self, proof: ProofRecord) -> None:
        """See ArtifactIndex."""
        row = PROOFS.row(proof)
        with self._database.write(durable=True) as transaction:
            row[0] = self._runs.full_id(transaction, proof.run_id)
            transaction.execute(PROOFS.insert, row)
            facts = {"kind": proof.kind, "verdict": str(proof.verdict)}
            note_change(transaction, self._database, "proof.add", str(row[0]), facts)

    def list_proofs(self, run_id: str) -> list[ProofRecord]:
        """See ArtifactIndex."""
        with self._database.read() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
            rows = transaction.execute(
                f"{PROOFS.select} WHERE run_id = ? ORDER BY id", (run_id,)
            ).fetchall()
        return [PROOFS.read(row) for row in rows]

    def list(self, run_id: str) -> dict[str, ArtifactRecord]:
        """See ArtifactIndex."""
        columns = ", ".join(f'a."{name}"' for name in ARTIFACTS.fields)
        with self._database.read() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
            rows = transaction.execute(
                f"SELECT r.name, {columns} FROM run_artifacts r JOIN artifacts a"
                " ON a.digest = r.digest AND a.content_digest = r.content_digest"
                " WHERE r.run_id = ? ORDER BY r.at, r.name",
                (run_id,),
            ).fetchall()
        return {name: ARTIFACTS.read(row) for name, *row in rows}


def _named(digests: Collection[str]) -> str:
    marks = ", ".join("?" * len(digests))
    return f"digest IN ({marks}) OR content_digest IN ({marks})"


def _times(transaction: Transaction, digests: Collection[str]) -> Sequence[Any]:
    sql = f"SELECT digest, content_digest, created_at FROM artifacts WHERE {_named(digests)}"
    return transaction.execute(sql, (*digests, *digests)).fetchall()


def _are_among(digests: Collection[str], rows: Sequence[Any]) -> bool:
    return set(digests) <= {name for row in rows for name in row[:2]}


def _walk(transaction: Transaction, node: str, direction: str, depth: int) -> list[Edge]:
    if depth >= _DEEP:
        rows = transaction.execute(_WALK_ALL.format(**_DIRECTIONS[direction]), (node,))
    else:
        rows = transaction.execute(_WALK_TO_DEPTH.format(**_DIRECTIONS[direction]), (node, depth))
    return [Edge(*row) for row in rows.fetchall()]
