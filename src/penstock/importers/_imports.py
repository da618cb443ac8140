"""Writing foreign runs into a store: all of a run or nothing of it, and never twice.

The runs are built in a store of their own and copied from there, as `penstock store copy` does: each
run is a transaction, what the target has already stays, points are neither lost nor doubled when the
same run is imported again after it went on, and no notification tells of runs that ended long ago.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from penstock.core import (
    NotFoundError,
    ParameterError,
    PenstockError,
    RunRecord,
    RunState,
    StoreError,
    now,
)
from penstock.importers._foreign_run import ForeignRun, run_id_of
from penstock.stores import Store, copy_store, open_store
from penstock.tracking import Run

SOURCE_TAG = "penstock.imported_from"


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run that was imported.

    Args:
        run_id: Id of the run in the store.
        source: What names it in the other tracker.
        name: Name for people.
        new: Whether the store did not have it before.
        points: Number of metric points.
        artifacts: Number of artifacts.
        lost: Sentences on what was not taken over.
    """

    run_id: str
    source: str
    name: str
    new: bool
    points: int
    artifacts: int
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import.

    Args:
        runs: The runs, in the order in which they were read.
        failed: Sentences on what could not be read at all, by its place.
    """

    runs: tuple[ImportedRun, ...]
    failed: dict[str, str] = field(default_factory=dict)


Progress = Callable[[ImportedRun], None]


def write_runs(
    found: Iterable[ForeignRun],
    target: Store | str | None,
    progress: Progress | None,
    failed: dict[str, str],
) -> tuple[ImportedRun, ...]:
    """Write runs into a store, one after the other.

    Args:
        found: The runs.
        target: The store.
        progress: Called with each run that was written.
        failed: Is told of runs that cannot be written, and why; the others are.

    Raises:
        ParameterError: If the store is reached over HTTP, which cannot be copied into.
    """
    store = open_store(target)
    _require_database(store)
    done = []
    for run in found:
        try:
            done.append(_write(run, store))
        except StoreError:
            raise  # no other run would do better
        except PenstockError as error:
            failed[run.key] = error.what
            continue
        if progress is not None:
            progress(done[-1])
    return tuple(done)


def _require_database(store: Store) -> None:
    if not hasattr(store.metadata, "database"):
        raise ParameterError(
            what=f"{store.url} is reached over HTTP, and runs are imported into a database.",
            fix="Give the store's own URL on the machine of its server: --store postgresql://…",
        )


def _write(run: ForeignRun, store: Store) -> ImportedRun:
    new = not _has(store, run.run_id)
    with (
        tempfile.TemporaryDirectory(prefix="penstock-import-") as folder,
        open_store(f"sqlite:///{folder}/penstock.db") as room,
    ):
        artifacts = _build(run, room)
        copy_store(room, store)
    points = sum(len(series.steps) for series in run.metrics.values())
    return ImportedRun(
        run.run_id, run.key, run.name, new, points, artifacts, tuple(dict.fromkeys(run.lost))
    )


def _has(store: Store, run_id: str) -> bool:
    try:
        store.metadata.runs.get(run_id)
    except NotFoundError:
        return False
    return True


def _build(run: ForeignRun, room: Store) -> int:
    """Write a run into an empty store; return the number of its artifacts."""
    record = _record(run)
    room.metadata.runs.create(record)
    room.metadata.metrics.append(list(run.columns()))
    logged = Run(record, room)
    written = 0
    for name, value in _artifacts(run):
        try:
            logged.log_artifact(value, name)
            written += 1
        except (OSError, NotFoundError, StoreError) as error:
            run.lost.append(f"artifact {name}: {error}")
    if run.lost:
        logged.log_artifact(_listed(run), f"{run.system}/lost.json")
    room.flush()
    room.metadata.runs.update(
        run.run_id, state=run.state, ended_at=run.ended_at or _last_time(run), error=run.error
    )
    return written


def _artifacts(run: ForeignRun) -> Iterator[tuple[str, object]]:
    yield from run.files.items()
    yield from run.values.items()


def _record(run: ForeignRun) -> RunRecord:
    parents = (run.parent, run.forked_from)
    parent, forked = (key and run_id_of(run.system, key) for key in parents)
    return RunRecord(
        run_id=run.run_id,
        name=run.name,
        experiment=run.experiment,
        pipeline=None,
        entry=None,
        state=RunState.RUNNING,
        seed=0,
        created_at=run.created_at,
        started_at=run.created_at,
        heartbeat_at=run.created_at,
        parent_run_id=parent or None,
        forked_from=forked or None,
        forked_at=run.forked_at,
        host=run.host,
        user=run.user,
        note=run.note,
        group=run.group,
        params=run.params,
        tags={**run.tags, SOURCE_TAG: f"{run.system}:{run.key}"},
        process="unwatched",
    )


def _last_time(run: ForeignRun) -> datetime:
    """Return the time of the last point: what is known of the end of a run that was cut off."""
    last = max((max(series.times) for series in run.metrics.values() if series.times), default=0)
    known = datetime.fromtimestamp(last / 1e6, UTC)
    return min(max(known, run.created_at), now())


def _listed(run: ForeignRun) -> list[str]:
    return list(dict.fromkeys(run.lost))


def existing(path: str | Path) -> Path:
    """Return a path that exists.

    Raises:
        NotFoundError: If there is no such file or folder.
    """
    found = Path(path)
    if not found.exists():
        raise NotFoundError(
            what=f"There is no file or folder {str(path)!r}.",
            fix="Give the path of what is to be imported.",
        )
    return found
