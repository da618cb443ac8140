"""Provenance of a run in the store: the source files and the manifest that names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.core import Edge, NotFoundError, RunRecord, digest_json
from penstock.provenance import (
    SourceTree,
    build_manifest,
    capture_source,
    import_folders,
    list_outside,
    unrecorded,
)
from penstock.stores import Store
from penstock.tracking import write_source_files

_last: dict[tuple[str, Path], "tuple[SourceTree, Mapping[str, Any], Provenance]"] = {}


@dataclass(frozen=True, slots=True)
class Provenance:
    """The recorded provenance of a run.

    Args:
        digest: Stored digest of the manifest.
        code: Digest of the source files: the ``code:`` node of the lineage graph.
        environment: Digest of the environment: the ``environment:`` node.
        unrecorded: Sentences about sources that are not recorded.
    """

    digest: str
    code: str
    environment: str
    unrecorded: tuple[str, ...] = ()

    def edges(self, run_id: str) -> list[Edge]:
        """Return the edges from code and environment to a run."""
        run = f"run:{run_id}"
        return [
            Edge(f"code:{self.code}", run, "code"),
            Edge(f"environment:{self.environment}", run, "environment"),
        ]


def record_provenance(project: Path, *, store: Store) -> Provenance:
    """Store a project's source and the manifest of code, environment and hardware.

    A second run in the same process with the same files and environment stores nothing.

    Args:
        project: Folder of the project.
        store: Store to write to.
    """
    tree = capture_source(project)
    known = _last.get((store.url, project))
    files = known[1]["code"]["files"] if known and known[0] is tree else None
    records = [] if files is not None else write_source_files(tree.files, store=store)
    outside = list_outside(project)
    manifest = build_manifest(
        tree,
        files or dict(zip(tree.files, (r.digest for r in records), strict=True)),
        outside,
        import_folders(project),
    )
    if known and known[1] == manifest and store.metadata.artifacts.renew([known[2].digest]):
        _last[store.url, project] = (tree, *known[1:])  # the same files, read anew
        return known[2]
    if files is not None:  # recorded through a different store object, or the store was made anew
        records = write_source_files(tree.files, store=store)
    packed = store.pack(manifest)
    store.metadata.artifacts.add([*records, *packed])
    provenance = Provenance(
        packed[0].digest,
        digest_json(manifest["code"]["files"]),
        digest_json(manifest["environment"]),
        tuple(unrecorded(tree, outside)),
    )
    _last[store.url, project] = (tree, manifest, provenance)
    return provenance


def read_manifest(run: RunRecord, *, store: Store) -> dict[str, Any]:
    """Load the manifest of a run.

    Raises:
        NotFoundError: If the run has no manifest.
    """
    if run.provenance is None:
        raise NotFoundError(
            what=f"Run {run.run_id} has no recorded sources.",
            fix="Only runs of pipelines record them.",
            run_id=run.run_id,
        )
    manifest: dict[str, Any] = store.get(run.provenance, check=True)
    return manifest


def read_source(manifest: Mapping[str, Any], *, store: Store) -> dict[str, bytes]:
    """Read the source files that a manifest names.

    Raises:
        StoreError: If a file's bytes are gone or damaged.
    """
    return {
        path: store.artifacts.read(digest, check=True)
        for path, digest in manifest["code"]["files"].items()
    }
