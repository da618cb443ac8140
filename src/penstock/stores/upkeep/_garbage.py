"""``collect_garbage``: permanent removal of deleted objects and of unreferenced artifacts."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from penstock.core import (
    ArtifactRecord,
    StoreError,
    now,
    require_number,
)
from penstock.stores._open import open_store
from penstock.stores._store import DATABASE, IDENTITY
from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._garbage import Garbage, OldRun
from penstock.stores.metadata._old_predictions import old_predictions
from penstock.stores.upkeep._reach import reached

if TYPE_CHECKING:
    from penstock.stores._store import Store

# Bytes written so lately may belong to a running process that has not recorded them yet.
_GRACE = timedelta(hours=1)
_MONTH = timedelta(days=30)
_QUARTER = timedelta(days=90)
_AT_ONCE = 100
# The store of one `verify`, which earlier versions let claim the location of the bytes.
_SCRATCH = re.compile(r"/penstock-verify-[^/]+/scratch\.db$")


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """Objects that are removed, or would be.

    Args:
        deleted: Whether they were removed; False for a dry run.
        runs: The runs, each with a reason.
        artifacts: Number of recorded artifacts without a reference.
        bytes: Bytes freed in the artifact store.
        by_format: Bytes by format of the artifacts.
        unrecorded: Number of bytes without a record: leftovers of killed processes.
        kept_bytes: Bytes that stay.
        shared_with: Further stores with bytes in the same place: none are removed there, since only
            those stores know their needs.
        without_outputs: Runs that stay, without the large outputs of their steps.
        ticks: Number of ticks of schedules that are more than 90 days old.
        predictions: Number of logged predictions, by deployment.
    """

    deleted: bool
    runs: tuple[OldRun, ...]
    artifacts: int
    bytes: int
    by_format: Mapping[str, int]
    unrecorded: int
    kept_bytes: int
    shared_with: tuple[str, ...] = ()
    without_outputs: tuple[str, ...] = ()
    ticks: int = 0
    predictions: Mapping[str, int] = field(default_factory=dict)


def collect_garbage(
    *,
    older_than: timedelta = _MONTH,
    keep_last: int | None = None,
    outputs_older_than: timedelta | None = None,
    predictions_older_than: timedelta | None = None,
    keep_predictions: int | None = None,
    delete: bool = False,
    grace: timedelta = _GRACE,
    store: "Store | str | None" = None,
) -> GarbageReport:
    """Remove deleted runs permanently, and unreferenced artifacts; a dry run by default.

    Everything that a registered version needs always stays: the run, the training rows, the report,
    profile, card and sources, so that lineage, rollback and `verify` still work. Bytes written
    within the last hour stay as well, since their writer may not have recorded them yet.

    >>> import tempfile
    >>> from penstock.stores import open_store
    >>> with open_store(f"sqlite:///{tempfile.mkdtemp()}/penstock.db") as store:
    ...     report = collect_garbage(store=store)
    >>> report.deleted, report.artifacts
    (False, 0)

    Args:
        older_than: Minimum time since a run's deletion.
        keep_last: Treat runs beyond this number of newest runs of each experiment as deleted.
        outputs_older_than: Remove the outputs of steps of runs that ended before: rows, models,
            snapshots. Small values, reports, metrics and logged data stay; such a run can no longer
            be verified, and the steps are executed again where they would be reused.
        predictions_older_than: Remove older logged predictions, with their ground truth.
        keep_predictions: Remove predictions beyond this number of newest predictions of each
            deployment. Predictions that a running rollout is judged by stay in both cases.
        delete: Remove instead of a dry run.
        grace: Minimum age of bytes to remove.
        store: The store; by default the project's.

    Raises:
        ParameterError: If ``keep_last`` or ``keep_predictions`` is below 1.
        StoreError: If something cannot be read or removed; objects removed by then were not needed.
    """
    store = open_store(store)
    for name, number in (("keep_last", keep_last), ("keep_predictions", keep_predictions)):
        if number is not None:
            require_number(name, number, low=1, whole=True)
    store.flush()
    garbage = Garbage(store.metadata.database)
    moment = now()
    before, since = to_micros(moment - older_than), moment - grace
    runs = garbage.old_runs(before, keep_last=keep_last)
    if delete:
        # Facts first: after an interruption, bytes without a record are found by the next call.
        runs = garbage.remove_runs(runs, before)
    going = {run.run_id for run in runs}
    old = _old_outputs(garbage, moment, outputs_older_than, going, delete=delete)
    records = list(garbage.artifacts())
    roots, manifests = garbage.needed(going, old)
    reach = partial(reached, store, records, manifests=manifests)
    young = {record.digest for record in records if record.created_at > since}
    keys = reach(roots | young)
    gone = [key for record in records if (key := _key(record)) not in keys]
    others = shared_with(store)
    left = [] if others else orphans(store, since=since)
    if delete:
        gone = garbage.remove_artifacts(gone, to_micros(since), reach)
    removed = set(gone)
    kept = {record.digest: record for record in records if _key(record) not in removed}
    freed = {record.digest: record for record in records if record.digest not in kept}
    stored = [record for record in freed.values() if record.inline is None and not others]
    by_format: dict[str, int] = defaultdict(int)
    for record in stored:
        by_format[record.format] += record.size_bytes
    if delete:
        _sweep(store, garbage, sorted({*left, *(record.digest for record in stored)}), since)
    return GarbageReport(
        delete,
        tuple(runs),
        len(gone),
        sum(by_format.values()),
        dict(sorted(by_format.items())),
        len(left),
        sum(record.size_bytes for record in kept.values() if record.inline is None),
        others,
        tuple(old),
        garbage.old_ticks(to_micros(moment - _QUARTER), delete=delete),
        old_predictions(
            store.metadata.database,
            None if predictions_older_than is None else to_micros(moment - predictions_older_than),
            keep_predictions,
            delete=delete,
        ),
    )


def _old_outputs(
    garbage: Garbage,
    moment: datetime,
    older_than: timedelta | None,
    going: set[str],
    *,
    delete: bool,
) -> list[str]:
    """Return the runs whose step outputs are released, and record that with them."""
    if older_than is None:
        return []
    old = [
        run_id
        for run_id in garbage.old_outputs(to_micros(moment - older_than))
        if run_id not in going
    ]
    return garbage.let_go(old) if delete else old


def _key(record: ArtifactRecord) -> tuple[str, str]:
    return record.digest, record.content_digest


def shared_with(store: "Store") -> tuple[str, ...]:
    """Return the further stores whose bytes are in the same place."""
    own = store.metadata.settings.get(IDENTITY)
    known = store.metadata.settings.get(DATABASE)
    if known is not None and not store.metadata.database.is_same(known):
        return (f"the store that {store.url} is a copy of",)
    claims = {url for owner, url in store.artifacts.claims().items() if owner != own}
    return tuple(sorted(url for url in claims if not _SCRATCH.search(url)))


def _sweep(store: "Store", garbage: Garbage, digests: list[str], since: datetime) -> None:
    """Delete bytes, except those that were written or recorded again meanwhile."""
    for part in (digests[i : i + _AT_ONCE] for i in range(0, len(digests), _AT_ONCE)):
        again = garbage.recorded(part)
        for digest in part:
            if digest not in again:
                store.artifacts.delete(digest, unless_written_since=since)


def orphans(store: "Store", *, since: datetime | None = None) -> list[str]:
    """List bytes without a record that no running process has just written."""
    garbage = Garbage(store.metadata.database)
    stored = store.artifacts.list()
    known = garbage.recorded(stored)
    young = now() - _GRACE if since is None else since
    digests = []
    for digest in stored:
        if digest in known:
            continue
        try:
            if store.artifacts.written_at(digest) < young:
                digests.append(digest)
        except StoreError:
            continue  # deleted meanwhile
    return digests
