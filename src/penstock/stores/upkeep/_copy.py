"""``copy_store``: a store, or a part of it, into another of any kind."""

import tempfile
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import ConflictError, ParameterError, StoreError, new_id
from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._garbage import Garbage
from penstock.stores.metadata._transfer import Chosen, Transfer
from penstock.stores.upkeep._reach import reached

if TYPE_CHECKING:
    from penstock.stores._store import Store

_SHOWN = 5
_THREADS = 8  # a bucket answers slowly, but many at once


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What was copied.

    Args:
        runs: Runs that were looked at.
        changed: Runs that were new, or had gone on.
        artifacts: Artifacts that the target lacked.
        bytes: Their bytes.
        models: Models whose versions were copied.
        skipped: Models and deployments that were left out, since they mean others there.
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
    told: Callable[[str, int, int], None] | None = None,
) -> CopyReport:
    """Copy a store into another, or merge it: SQLite, PostgreSQL, folders and buckets in any mix.

    What is copied is the source as it was when the copy began, whoever goes on to write. Run ids
    are kept. Bytes come before what names them, each run is one transaction, and what the target
    has already is left as it is: an interrupted copy is finished by calling it again, and calling
    it later brings over what is new. What has gone on meanwhile is brought up to date: a run, its
    points neither lost nor doubled; a model, its new moves at the end of the old ones; the truth of
    a prediction. A model or deployment that went on differently in both is a conflict.

    Args:
        source: Where from; nothing in it is changed.
        target: Where to.
        experiment: Only runs of this experiment; models are left out then.
        since: Only runs that were made from then on; models are left out then.
        skip_conflicts: Leave out models and deployments that mean others in the target.
        told: Called with what is copied, how many of it are done and how many there are.

    Raises:
        ParameterError: If both are the same store.
        ConflictError: If a version's number or a deployment's name means another one in the target,
            or has another history there; before anything is written.
        StoreError: If bytes are damaged or gone, or a store fails.
    """
    if source.url == target.url:
        raise ParameterError(
            what=f"{source.url} is both the source and the target.", fix="Name two stores."
        )
    source.flush()
    databases = source.metadata.database, target.metadata.database  # type: ignore[attr-defined] # every store is SQL so far
    partly = experiment is not None or since is not None
    tell = told or _quiet
    with Transfer(*databases) as transfer:
        runs = transfer.run_ids(experiment, None if since is None else to_micros(since))
        without = set() if partly else _conflicts(transfer, target, skip=skip_conflicts)
        chosen = Chosen(
            runs,
            partly,
            _named(source, runs) if partly else (),
            set() if partly else transfer.models() - without,
            without,
        )
        wanted = chosen.artifacts if partly else None
        artifacts, size = _copy_artifacts(source, target, transfer, wanted, tell)
        changed = 0
        for place, run_id in enumerate(runs, start=1):
            changed += transfer.copy_run(run_id)
            tell("runs", place, len(runs))
        transfer.copy_models(chosen.models)
        transfer.copy_rest(chosen)
    models, skipped = tuple(sorted(chosen.models)), tuple(sorted(without))
    return CopyReport(len(runs), changed, artifacts, size, models, skipped)


def _conflicts(transfer: Transfer, target: "Store", *, skip: bool) -> set[str]:
    """Name the models and deployments that cannot be copied; refuse unless they may be left out."""
    conflicts = transfer.conflicts()
    if conflicts and not skip:
        named = ", ".join(conflicts[:_SHOWN])
        more = f" and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
        raise ConflictError(
            what=f"{named}{more} mean other versions in {target.url}, or have another history there.",
            why="A version's number is never given to another one, and moves are not rewritten;"
            " nothing was copied.",
            fix="Add --skip-conflicts to copy all but these, or register them there anew.",
            conflicts=conflicts,
        )
    return {name.partition("@")[0] for name in conflicts}


def _named(source: "Store", runs: Collection[str]) -> set[tuple[str, str]]:
    """Give the keys of the artifacts that these runs name."""
    garbage = Garbage(source.metadata.database)  # type: ignore[attr-defined] # every store is SQL so far
    named, manifests = garbage.named_by(runs)
    return reached(source, list(garbage.artifacts()), named, manifests)


def _copy_artifacts(
    source: "Store",
    target: "Store",
    transfer: Transfer,
    wanted: Collection[tuple[str, str]] | None,
    tell: Callable[[str, int, int], None],
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
                tell("artifacts", count, count)
            count += sum(inline for _, inline in facts)
            transfer.add_artifacts(rows)
    return count, size


def _copy_bytes(source: "Store", target: "Store", digest: str, part: Path) -> int:
    source.artifacts.fetch(digest, part)  # checks them
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
    """Tell nobody."""
