"""``collect_garbage``: removing for good what is deleted and what nothing names any more."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, ParameterError, StoreError, now
from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._garbage import Garbage, OldRun

if TYPE_CHECKING:
    from penstock.stores._store import Store

# What was written so lately may be a running process's, which has not recorded it yet.
_GRACE = timedelta(hours=1)
_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """What goes, or would go.

    Args:
        deleted: Whether it is gone; False for a dry run.
        runs: The runs, each with the reason.
        artifacts: How many recorded artifacts nothing names.
        bytes: Bytes freed in the artifact store.
        by_format: Bytes by format of the artifacts.
        kept_bytes: Bytes that stay.
    """

    deleted: bool
    runs: tuple[OldRun, ...]
    artifacts: int
    bytes: int
    by_format: Mapping[str, int]
    kept_bytes: int


def collect_garbage(
    store: "Store",
    *,
    older_than: timedelta = _MONTH,
    keep_last: int | None = None,
    delete: bool = False,
    grace: timedelta = _GRACE,
) -> GarbageReport:
    """Remove deleted runs for good, and the artifacts that nothing names; a dry run by default.

    What a registered version needs always stays: its run, the rows that trained it, its report,
    profile, card and sources, so that lineage, rollback and `verify` go on to work. So does what
    was written within the last hour, since its writer may not have recorded it yet.

    >>> import tempfile
    >>> from penstock.stores import open_store
    >>> with open_store(f"sqlite:///{tempfile.mkdtemp()}/penstock.db") as store:
    ...     report = collect_garbage(store)
    >>> report.deleted, report.artifacts
    (False, 0)

    Args:
        store: The store.
        older_than: How long a run must have been deleted.
        keep_last: Treat as deleted what is beyond the newest so many runs of each experiment.
        delete: Do it.
        grace: How long ago bytes must have been written.

    Raises:
        ParameterError: If ``keep_last`` is below 1.
        StoreError: If something cannot be read or removed; what is gone by then was not needed.
    """
    if keep_last is not None and keep_last < 1:
        raise ParameterError(
            what=f"keep_last is {keep_last}.", fix="Give 1 or more, or leave it out."
        )
    store.flush()
    garbage = Garbage(store.metadata.database)  # type: ignore[attr-defined] # every store is SQL so far
    runs = garbage.old_runs(to_micros(now() - older_than), keep_last=keep_last)
    if delete:
        # Facts first: if this is interrupted, bytes without a record are found by the next one.
        garbage.remove_runs([run.run_id for run in runs])
    needed, unneeded = _sort_out(store, garbage, {run.run_id for run in runs}, grace)
    by_format: dict[str, int] = defaultdict(int)
    kept = {record.digest for record in needed}
    freed = [record for record in unneeded if record.inline is None and record.digest not in kept]
    for record in freed:
        by_format[record.format] += record.size_bytes
    if delete:
        garbage.remove_artifacts([(record.digest, record.content_digest) for record in unneeded])
        _sweep(store, garbage, sorted({record.digest for record in freed}), grace)
    return GarbageReport(
        delete,
        tuple(runs),
        len(unneeded),
        sum(by_format.values()),
        dict(sorted(by_format.items())),
        sum(record.size_bytes for record in needed if record.inline is None),
    )


def _sort_out(
    store: "Store", garbage: Garbage, gone: set[str], grace: timedelta
) -> tuple[list[ArtifactRecord], list[ArtifactRecord]]:
    """Part the recorded artifacts into those that are needed and those that are not."""
    roots, manifests = garbage.needed(gone)
    records = list(garbage.artifacts())
    young = now() - grace
    by_digest: dict[str, list[ArtifactRecord]] = defaultdict(list)
    for record in records:
        by_digest[record.digest].append(record)
        if record.content_digest != record.digest:
            by_digest[record.content_digest].append(record)
    reached: set[tuple[str, str]] = set()
    ahead = [*roots, *(record.digest for record in records if record.created_at > young)]
    seen = set(ahead)
    while ahead:
        digest = ahead.pop()
        for record in by_digest.get(digest, ()):
            key = record.digest, record.content_digest
            if key in reached:
                continue
            reached.add(key)
            more = [record.digest, record.content_digest, *_names(store, record, manifests)]
            ahead += [name for name in more if name not in seen]
            seen.update(more)
    needed = [r for r in records if (r.digest, r.content_digest) in reached]
    return needed, [r for r in records if (r.digest, r.content_digest) not in reached]


def _names(store: "Store", record: ArtifactRecord, manifests: set[str]) -> list[str]:
    """Name what an artifact is of no use without: its parts, a manifest's source files."""
    parts = record.metadata.get("parts")
    named = list(parts.values()) if isinstance(parts, Mapping) else []
    if record.digest in manifests or record.content_digest in manifests:
        manifest: Any = store.load(record)
        named += manifest["code"]["files"].values()
        named += [value for value in manifest["code"].values() if _is_digest(value)]
    return [name for name in named if _is_digest(name)]


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("sha256:")


def _sweep(store: "Store", garbage: Garbage, digests: list[str], grace: timedelta) -> None:
    """Remove bytes, but for those that someone has written or recorded again meanwhile."""
    again = garbage.recorded(digests)
    for digest in digests:
        if digest not in again:
            store.artifacts.delete(digest, unless_written_since=now() - grace)


def orphans(store: "Store", *, grace: timedelta = _GRACE) -> list[str]:
    """Find bytes that no record names and that no running process has just written."""
    garbage = Garbage(store.metadata.database)  # type: ignore[attr-defined] # every store is SQL so far
    stored = store.artifacts.list()
    known = garbage.recorded(stored)
    young = now() - grace
    found = []
    for digest in stored:
        if digest in known:
            continue
        try:
            if store.artifacts.written_at(digest) < young:
                found.append(digest)
        except StoreError:
            continue  # gone meanwhile
    return found
