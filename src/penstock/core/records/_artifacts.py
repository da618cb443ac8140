"""Artifacts, edges of the lineage, snapshots of sources, proofs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import Verdict
from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """Immutable bytes under a digest.

    Args:
        digest: SHA-256 of the stored bytes: their address.
        content_digest: Digest of the value by type; equal values have equal digests.
        format: Storage format: parquet, npy, json, skops, xgboost, lightgbm, bundle, text, bytes,
            figure, cloudpickle.
        type_name: Python type of the value, for people.
        size_bytes: Length of the stored bytes.
        created_at: Time of the last write, to half an hour: ``penstock gc`` spares young artifacts.
        unsafe: True if loading can run code (cloudpickle).
        inline: The bytes themselves if they are small enough for the metadata store.
        metadata: Facts worth showing without loading: rows, columns, shape.
    """

    digest: str
    content_digest: str
    format: str
    type_name: str
    size_bytes: int
    created_at: datetime
    unsafe: bool = False
    inline: bytes | None = None
    metadata: Mapping[str, Any] = field(default_factory=empty)


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow of the lineage graph, from an input to a result.

    Nodes are written ``kind:id``: ``source:…``, ``artifact:sha256:…`` (content digest), ``step:…``,
    ``run:…``, ``code:…``, ``environment:…``, ``version:model@3``, ``deployment:…``,
    ``prediction:…``.
    """

    source: str
    target: str
    role: str


@dataclass(frozen=True, slots=True)
class ProofRecord:
    """The result of a proof about a run.

    Args:
        run_id: The run.
        kind: ``verified``.
        verdict: See Verdict.
        at: Time of the proof.
        details: The whole report as plain JSON.
    """

    run_id: str
    kind: str
    verdict: Verdict
    at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """A reading of a source, to check the schema of the next reading against.

    Args:
        source: The source's name.
        run_id: The run that read the source; None outside a run.
        at: Time of the reading.
        schema: Schema as plain JSON (see penstock.data.Schema).
        ordered_digest: Digest of the rows in order.
        order_free_digest: Digest of the rows as a multiset.
        rows: Number of rows.
        read: Facts of the reading, as plain JSON: versions, offsets, ranges, statements.
    """

    source: str
    run_id: str | None
    at: datetime
    schema: Mapping[str, Any]
    ordered_digest: str
    order_free_digest: str
    rows: int
    read: Mapping[str, Any] = field(default_factory=empty)
