"""``copy_store``: a store, or a part of it, into another of any kind."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import ConflictError, ParameterError, StoreError
from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._transfer import Transfer

if TYPE_CHECKING:
    from penstock.stores._store import Store

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What was copied.

    Args:
        runs: Runs that were looked at.
        changed: Runs that were new, or had gone on.
        artifacts: Artifacts that the target lacked.
        bytes: Their bytes.
        models: Models whose versions were copied.
        skipped: Models that were left out, since their numbers mean other versions there.
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

    Run ids are kept. Bytes come before what names them, each run is one transaction, and what the
    target has already is left as it is: an interrupted copy is finished by calling it again, and
    calling it later brings over what is new. A run that has gone on meanwhile is brought up to
    date, its points neither lost nor doubled.

    Args:
        source: Where from; nothing in it is changed.
        target: Where to.
        experiment: Only runs of this experiment; models are left out then.
        since: Only runs that were made from then on; models are left out then.
        skip_conflicts: Leave out models whose version numbers mean other versions in the target.
        told: Called with what is copied, how many of it are done and how many there are.

    Raises:
        ParameterError: If both are the same store.
        ConflictError: If a model's version number means another version in the target, before
            anything is written.
        StoreError: If bytes are damaged or gone, or a store fails.
    """
    if source.url == target.url:
        raise ParameterError(
            what=f"{source.url} is both the source and the target.", fix="Name two stores."
        )
    source.flush()
    transfer = Transfer(source.metadata.database, target.metadata.database)  # type: ignore[attr-defined] # every store is SQL so far
    partly = experiment is not None or since is not None
    models, skipped = _models(transfer, target, skip_conflicts=skip_conflicts)
    tell = told or _quiet
    artifacts, size = _copy_artifacts(source, target, transfer, tell)
    runs = transfer.run_ids(experiment, None if since is None else to_micros(since))
    changed = 0
    for place, run_id in enumerate(runs, start=1):
        changed += transfer.copy_run(run_id)
        tell("runs", place, len(runs))
    chosen = set() if partly else models
    transfer.copy_models(chosen)
    transfer.copy_rest(without=skipped, partly=partly)
    return CopyReport(
        len(runs), changed, artifacts, size, tuple(sorted(chosen)), tuple(sorted(skipped))
    )


def _models(
    transfer: Transfer, target: "Store", *, skip_conflicts: bool
) -> tuple[set[str], set[str]]:
    conflicts = transfer.version_conflicts()
    if conflicts and not skip_conflicts:
        named = ", ".join(f"{model}@{version}" for model, version in conflicts[:_SHOWN])
        more = f" and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
        raise ConflictError(
            what=f"{named}{more} mean other versions in {target.url}.",
            why="A version's number is never given to another one; nothing was copied.",
            fix="Add --skip-conflicts to copy all but these models, or register them there anew.",
            conflicts=conflicts,
        )
    skipped = {model for model, _ in conflicts}
    return transfer.models() - skipped, skipped


def _copy_artifacts(
    source: "Store", target: "Store", transfer: Transfer, tell: Callable[[str, int, int], None]
) -> tuple[int, int]:
    count = size = 0
    with tempfile.TemporaryDirectory(prefix="penstock-copy-") as folder:
        for rows in transfer.artifact_rows():
            for row in rows:
                digest, inline = transfer.artifact_facts(row)
                if not inline and not target.artifacts.exists(digest):
                    size += _copy_bytes(source, target, digest, Path(folder) / "part")
                count += 1
                tell("artifacts", count, count)
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
