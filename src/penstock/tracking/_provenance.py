"""Provenance of a tracked script, recorded in the background so that the script does not wait."""

import logging
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from penstock import provenance
from penstock.core import ArtifactRecord, Edge, digest_json, find_project, now

if TYPE_CHECKING:
    from penstock.stores import Store
    from penstock.tracking._run import Run

_log = logging.getLogger("penstock")
_LONGEST_WAIT_S = 30.0
_LET_GO_FIRST_S = 0.2  # so that the caller need not share the interpreter with the thread


class ProvenanceRecorder:
    """Recorder of a run's code, environment and hardware in a thread, from ``start`` to ``stop``.

    In git: the commit, the branch, the uncommitted changes, and the project's files, also untracked
    files. Elsewhere: the script and the modules in the same folder that are imported at that
    moment. Errors are logged and never stop the user's work. A process that is killed before the
    recording ends leaves a run without provenance; a forked child does not wait for the parent's
    thread.

    Args:
        run: The run.
        store: The store in which the run is recorded.
    """

    def __init__(self, run: "Run", store: "Store") -> None:
        self._run_id, self._store, self._pid = run.run_id, store, os.getpid()
        self._ending = threading.Event()
        self._argv = list(sys.argv)
        self._thread = threading.Thread(target=self._work, name="penstock-source", daemon=True)

    def start(self) -> Self:
        """Start recording."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Wait until all is recorded."""
        self._ending.set()
        if os.getpid() == self._pid and self._thread is not threading.current_thread():
            self._thread.join(timeout=_LONGEST_WAIT_S)

    def _work(self) -> None:
        self._ending.wait(_LET_GO_FIRST_S)
        try:
            self._record()
        except Exception as error:  # noqa: BLE001 - no record of the source is worth a training
            _log.warning("What run %s was made from is not recorded: %s", self._run_id, error)

    def _record(self) -> None:
        project = find_project()
        tree = (
            provenance.capture_source(project)
            if _is_in_git(project)
            else provenance.loaded_source(project, _script())
        )
        records = write_source_files(tree.files, store=self._store)
        digests = dict(zip(tree.files, (record.digest for record in records), strict=True))
        manifest = provenance.build_manifest(
            tree, digests, provenance.list_outside(project), provenance.import_folders(project)
        )
        manifest["argv"] = provenance.hide_secrets(self._argv)
        manifest["warnings"] = []  # they are about verifying, which scripts cannot be
        packed = self._store.pack(manifest)
        self._store.metadata.artifacts.add([*records, *packed])
        self._store.metadata.runs.update(self._run_id, provenance=packed[0].digest)
        self._store.metadata.artifacts.add_edges(provenance_edges(self._run_id, manifest))


def write_source_files(files: Mapping[str, bytes], *, store: "Store") -> list[ArtifactRecord]:
    """Store source files; their records are not recorded yet."""
    moment = now()
    digests = store.artifacts.write_many(list(files.values()))
    return [
        ArtifactRecord(
            digest=digest,
            content_digest=store.digest(data),
            format="bytes",
            type_name="source file",
            size_bytes=len(data),
            created_at=moment,
            metadata={"path": path},
        )
        for digest, (path, data) in zip(digests, files.items(), strict=True)
    ]


def provenance_edges(run_id: str, manifest: Mapping[str, Any]) -> list[Edge]:
    """Return the arrows from code and environment to a run."""
    code, environment = digest_json(manifest["code"]["files"]), digest_json(manifest["environment"])
    return [
        Edge(f"code:{code}", f"run:{run_id}", "code"),
        Edge(f"environment:{environment}", f"run:{run_id}", "environment"),
    ]


def _script() -> Path | None:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).resolve() if file and provenance.is_own(Path(file)) else None


def _is_in_git(project: Path) -> bool:
    return any((folder / ".git").exists() for folder in (project, *project.parents))
