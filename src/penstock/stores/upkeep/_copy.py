"""``copy_store``: a store, or selected runs, copied into a store of any kind."""

import tempfile
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import ConflictError, ParameterError, StoreError, new_id
from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._copy_selection import CopySelection
from penstock.stores.metadata._garbage import Garbage
from penstock.stores.metadata._transfer import Transfer
from penstock.stores.upkeep._reach import reached

if TYPE_CHECKING:
    from penstock.stores._store import Store

_SHOWN = 5
_THREADS = 8  # a bucket responds slowly, but to many requests at once


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The result of a copy.

    Args:
        runs: Number of runs examined.
        changed: Number of runs that were new, or had progressed.
        artifacts: Number of artifacts that the target lacked.
        bytes: Size of these artifacts.
        models: Models whose versions were copied.
        skipped: Models and deployments that were left out, since the same names differ there.
    """

    runs: int
    changed: int
    artifacts: int
    bytes: int
    models: tuple[str, ...]
    skipped: tuple[str, ...]


def copy_store(
    source: "Store",
    target: "Store",
    *,
    experiment: str | None = None,
    since: datetime | None = None,
    skip_conflicts: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> CopyReport:
    """Copy or merge a store into a second: SQLite, PostgreSQL, folders and buckets in any mix.

    The source is copied as of the beginning of the copy, whatever is written meanwhile. Run ids
    stay. Bytes come before the facts that name them, each run is a transaction, and data that the
    target already has stays unchanged: an interrupted copy is completed by a second call, and a
    later call copies the new data. Changed records are updated: a run, with points neither lost nor
    doubled; a model, with new moves appended; the ground truth of a prediction. A model or
    deployment that changed differently in both is a conflict.

    Args:
        source: The store to copy from; nothing there is changed.
        target: The store to copy to.
        experiment: Only runs of this experiment; models are left out then.
        since: Only runs that were created from then on; models are left out then.
        skip_conflicts: Leave out models and deployments whose names differ in the target.
        progress: Called with the kind of the copied objects, the number done and the total.

    Raises:
        ParameterError: If both are the same store.
        ConflictError: If a version's number or a deployment's name means something else in the
            target, or has a different history there; raised before anything is written.
        StoreError: If bytes are damaged or gone, or a store fails.
    """
    if source.url == target.url:
        raise ParameterError(
            what=f"{source.url} is both the source and the target.", fix="Name two stores."
        )
    source.flush()
    databases = source.metadata.database, target.metadata.database
    partly = experiment is not None or since is not None
    report = progress or _quiet
    with Transfer(*databases) as transfer:
        runs = transfer.run_ids(experiment, None if since is None else to_micros(since))
        without = set() if partly else _conflicts(transfer, target, skip=skip_conflicts)
        chosen = CopySelection(
            runs,
            partly,
            _named(source, runs) if partly else (),
            set() if partly else transfer.models() - without,
            without,
        )
        wanted = chosen.artifacts if partly else None
        artifacts, size = _copy_artifacts(source, target, transfer, wanted, report)
        changed = 0
        for place, run_id in enumerate(runs, start=1):
            changed += transfer.copy_run(run_id)
            report("runs", place, len(runs))
        transfer.copy_models(chosen.models)
        transfer.copy_rest(chosen)
        if not partly:
            transfer.copy_audit()
    models, skipped = tuple(sorted(chosen.models)), tuple(sorted(without))
    return CopyReport(len(runs), changed, artifacts, size, models, skipped)


def _conflicts(transfer: Transfer, target: "Store", *, skip: bool) -> set[str]:
    """Return the models and deployments in conflict; raise unless they may be left out."""
    conflicts = transfer.conflicts()
    if conflicts and not skip:
        named = ", ".join(conflicts[:_SHOWN])
        more = f" and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
        raise ConflictError(
            what=f"{named}{more} mean other versions in {target.url}, or have a different history there.",
            why="A version's number is never given to another one, and moves are not rewritten;"
            " nothing was copied.",
            fix="Add --skip-conflicts to copy all but these, or register them there anew.",
            conflicts=conflicts,
        )
    return {name.partition("@")[0] for name in conflicts}


def _named(source: "Store", runs: Collection[str]) -> set[tuple[str, str]]:
    """Return the keys of the artifacts that these runs name."""
    garbage = Garbage(source.metadata.database)
    named, manifests = garbage.named_by(runs)
    return reached(source, list(garbage.artifacts()), named, manifests)


def _copy_artifacts(
    source: "Store",
    target: "Store",
    transfer: Transfer,
    wanted: Collection[tuple[str, str]] | None,
    report: Callable[[str, int, int], None],
) -> tuple[int, int]:
    count = size = 0
    with (
        tempfile.TemporaryDirectory(prefix="penstock-copy-") as folder,
        ThreadPoolExecutor(_THREADS) as threads,
    ):

        def bring(digest: str) -> int:
            if target.artifacts.exists(digest):
                return 0
            return _copy_bytes(source, target, digest, Path(folder) / new_id())

        for rows in transfer.artifact_rows(wanted):
            facts = [transfer.artifact_facts(row) for row in rows]
            for brought in threads.map(bring, {digest for digest, inline in facts if not inline}):
                size += brought
                count += 1
                report("artifacts", count, count)
            count += sum(inline for _, inline in facts)
            transfer.add_artifacts(rows)
    return count, size


def _copy_bytes(source: "Store", target: "Store", digest: str, part: Path) -> int:
    source.artifacts.fetch(digest, part)  # with a digest check
    written = target.artifacts.write_file(part)
    size = part.stat().st_size
    part.unlink()
    if written != digest:
        raise StoreError(
            what=f"{digest} arrived in {target.artifacts.url} as {written}.",
            why="The bytes were changed on their way.",
            fix="Try again; if it stays, check disk and memory.",
            digest=digest,
        )
    return size


def _quiet(_what: str, _done: int, _all: int) -> None:
    """Ignore the progress."""
