"""RunImporter: a run of a store of MLflow's, whole; and files, which logged models and versions have too."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from penstock.core import (
    ArtifactRecord,
    ConflictError,
    DocumentRecord,
    NotFoundError,
    PenstockError,
    RunRecord,
    RunState,
    StoreError,
    current_actor,
    now,
)
from penstock.server.mlflow._desk import Desk, from_ms
from penstock.server.mlflow._errors import MlflowError
from penstock.server.mlflow._inputs import add_inputs
from penstock.server.mlflow._kinds import MODEL_INPUT, MODEL_OUTPUT
from penstock.server.mlflow._metrics import SentMetric, log_points
from penstock.server.mlflow._paths import safe_path
from penstock.server.mlflow._runs import NAME_TAG, STATUS, log_params, move_run
from penstock.server.mlflow.moving._marks import ImportMarks, fingerprint_of
from penstock.server.mlflow.moving._running import read_pairs
from penstock.server.mlflow.moving._source import Entry, ListedFile, MlflowSource

_EXACT = 2**53
_STATES = {status: state for state, status in STATUS.items()}
_OPEN = (RunState.RUNNING, RunState.QUEUED)
_EDITED = ("name", "note", "parent_run_id")  # what people may change in both places


@dataclass(slots=True)
class ImportSummary:
    """What an import did.

    Args:
        source: The place that was read.
        experiments: Number of experiments seen.
        runs: Number of runs read now.
        unchanged: Number of runs that were read before and have not changed.
        points: Number of metric points of the runs read now.
        files: Number of files stored now.
        logged_models: Number of logged models read now.
        models: Number of registered models.
        versions: Number of versions registered now.
        lost: What could not come along, as sentences.
    """

    source: str
    experiments: int = 0
    runs: int = 0
    unchanged: int = 0
    points: int = 0
    files: int = 0
    logged_models: int = 0
    models: int = 0
    versions: int = 0
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files that a source has of a run, a logged model or a version.

    Args:
        whose: Its name, for people.
        files: The files.
        lost: Why they cannot be listed; empty if they can.
    """

    whose: str
    files: Sequence[ListedFile] = ()
    lost: str = ""

    @property
    def stamps(self) -> list[list[str]]:
        """What changes when a file does, or when it can be read at last."""
        return [[each.name, each.stamp, each.lost] for each in self.files] or [[self.lost]]


class FileImporter:
    """Stores the files of a source.

    Args:
        desk: The desk.
        source: The source.
        summary: Counts the files.
    """

    def __init__(self, desk: Desk, source: MlflowSource, summary: ImportSummary) -> None:
        self._desk, self._source, self._summary = desk, source, summary

    def list_files(self, uri: str, whose: str) -> Listing:
        """List the files under an artifact URI."""
        if not uri:
            return Listing(whose)
        try:
            return Listing(whose, tuple(self._source.files(uri)))
        except (LookupError, OSError, httpx.HTTPError) as error:
            return Listing(whose, lost=_told(error))

    def store(self, listing: Listing, lost: list[str]) -> tuple[dict[str, ArtifactRecord], bool]:
        """Store the files; return their records by name, and whether each that is there was read.

        Args:
            listing: The files.
            lost: Is told of files that cannot come along.
        """
        found: dict[str, ArtifactRecord] = {}
        whole = True
        if listing.lost:
            lost.append(f"Artifacts of {listing.whose}: {listing.lost}")
        with tempfile.TemporaryDirectory(prefix="penstock-import-") as folder:
            target = Path(folder) / "file"
            for file in listing.files:
                try:
                    name, record = self._fetch(file, target)
                except (LookupError, MlflowError) as error:
                    lost.append(f"Artifact {file.name!r} of {listing.whose}: {_told(error)}")
                except (OSError, httpx.HTTPError) as error:  # another try may do better
                    whole = False
                    lost.append(f"Artifact {file.name!r} of {listing.whose}: {_told(error)}")
                else:
                    found[name] = record
        self._summary.files += len(found)
        return found, whole

    def _fetch(self, file: ListedFile, target: Path) -> tuple[str, ArtifactRecord]:
        if file.lost:
            raise LookupError(file.lost)
        name = safe_path(file.name)
        file.fetch(target)
        return name, self._desk.store.pack_file(target)


class RunImporter:
    """Imports runs, each of them whole before it is marked.

    Args:
        desk: The desk.
        source: The source.
        files: Stores files.
        marks: What was imported before.
        summary: Counts, and is told of what is lost.
    """

    def __init__(
        self,
        desk: Desk,
        source: MlflowSource,
        files: FileImporter,
        marks: ImportMarks,
        summary: ImportSummary,
    ) -> None:
        self._desk, self._source, self._files = desk, source, files
        self._marks, self.summary = marks, summary
        self._metadata = desk.metadata

    def import_run(self, experiment: str, entry: Entry, *, deleted: bool) -> None:
        """Import a run; one that was imported whole and has not changed there is left as it is.

        Args:
            experiment: Name of its experiment here.
            entry: The run.
            deleted: Whether it is deleted there, or counts as deleted.
        """
        info = entry["info"]
        run_id = info["run_id"]
        mark = self._marks.find(run_id)
        listing = self._files.list_files(info.get("artifact_uri", ""), f"run {run_id}")
        fingerprint = fingerprint_of(entry, listing.stamps, deleted)
        if mark.get("fingerprint") == fingerprint:
            self.summary.unchanged += 1
            self.summary.lost += mark.get("lost", [])
            return
        lost: list[str] = []
        tags = read_pairs(entry.get("data", {}).get("tags", []))
        record = _record(experiment, info, tags, lost)
        try:
            whole = self._write(record, entry, listing, mark, lost)
            self._set_deleted(record, mark, deleted=deleted)
        except (NotFoundError, StoreError):
            raise  # the server or the store: nothing that follows would do better
        except PenstockError as error:
            lost.append(f"Run {run_id}: {error.what}")
            whole = False
        if whole:
            facts = {name: getattr(record, name) for name in _EDITED}
            self._marks.save(run_id, fingerprint, lost, deleted=deleted, facts=facts)
        self.summary.lost += lost
        self.summary.runs += 1

    def _write(
        self,
        record: RunRecord,
        entry: Entry,
        listing: Listing,
        mark: Mapping[str, Any],
        lost: list[str],
    ) -> bool:
        run_id, data = record.run_id, entry.get("data", {})
        began = RunState.QUEUED if record.state is RunState.QUEUED else RunState.RUNNING
        with contextlib.suppress(ConflictError):
            self._metadata.runs.create(replace(record, state=began, ended_at=None))
        self._tags(run_id, read_pairs(data.get("tags", [])), lost)
        self._parameters(run_id, read_pairs(data.get("params", [])), lost)
        for metric in data.get("metrics", []):
            self._points(run_id, metric["key"], lost)
        self._relations(run_id, entry)
        files, whole = self._files.store(listing, lost)
        if files:
            self._metadata.artifacts.log_many(run_id, files)
        self._end(record, mark, lost)
        return whole

    def _end(self, record: RunRecord, mark: Mapping[str, Any], lost: list[str]) -> None:
        """Write what may have changed there since the run was imported before."""
        present = self._metadata.runs.get(record.run_id)
        before = mark.get("facts", {})
        changes: dict[str, Any] = {}
        for name in _EDITED:
            there, here = getattr(record, name), getattr(present, name)
            if there == here:
                continue
            if before and here != before.get(name):
                lost.append(
                    f"The {name} of run {record.run_id}, {there!r}: it was changed here, and stays"
                )
            else:
                changes[name] = there
        ended = None if record.state in _OPEN else record.ended_at or record.started_at
        if present.state is not record.state:
            try:
                move_run(self._desk, record.run_id, record.state, {**changes, "ended_at": ended})
            except ConflictError as error:
                lost.append(f"State {record.state.value} of run {record.run_id}: {error.what}")
        elif ended != present.ended_at:
            self._metadata.runs.update(record.run_id, **changes, ended_at=ended)
        elif changes:
            self._metadata.runs.update(record.run_id, **changes)

    def _set_deleted(self, record: RunRecord, mark: Mapping[str, Any], *, deleted: bool) -> None:
        present = self._metadata.runs.get(record.run_id)
        if deleted and present.deleted_at is None:
            self._metadata.runs.update(record.run_id, deleted_at=now())
        elif not deleted and mark.get("deleted") and present.deleted_at is not None:
            self._metadata.runs.update(record.run_id, deleted_at=None)  # it was restored there

    def _tags(self, run_id: str, tags: Mapping[str, str], lost: list[str]) -> None:
        for part in _parts(tags, lambda some: self._metadata.runs.set_tags(run_id, some)):
            lost.append(f"Tag {part[0]!r} of run {run_id}: {part[1]}")  # noqa: PERF401 - read as it is

    def _parameters(self, run_id: str, params: Mapping[str, str], lost: list[str]) -> None:
        for part in _parts(params, lambda some: log_params(self._desk, run_id, some)):
            lost.append(f"Parameter {part[0]!r} of run {run_id}: {part[1]}")  # noqa: PERF401 - the same

    def _points(self, run_id: str, key: str, lost: list[str]) -> None:
        points, strange = [], 0
        for at, step, value in self._source.history(run_id, key):
            if abs(step) > _EXACT or at < 0:
                strange += 1
                continue
            points.append(SentMetric(key, value, at, step, "", "", ""))
        try:
            if points:
                log_points(self._desk, run_id, points)
        except (StoreError, NotFoundError):
            raise
        except PenstockError as error:
            lost.append(f"{len(points)} points of metric {key!r} of run {run_id}: {error.what}")
            return
        self.summary.points += len(points)
        if strange:
            lost.append(
                f"{strange} points of metric {key!r} of run {run_id}: steps beyond 2^53 or times"
                " before 1970"
            )

    def _relations(self, run_id: str, entry: Entry) -> None:
        inputs, outputs = entry.get("inputs", {}), entry.get("outputs", {})
        datasets = [{"tags": [], **each} for each in inputs.get("dataset_inputs", [])]
        add_inputs(self._desk, run_id, datasets)
        documents = [
            DocumentRecord(kind, f"{run_id}/{each['model_id']}", run_id, now(), each)
            for kind, rows in (
                (MODEL_INPUT, inputs.get("model_inputs", [])),
                (MODEL_OUTPUT, outputs.get("model_outputs", [])),
            )
            for each in rows
        ]
        self._metadata.documents.add(documents)


def _parts(values: Mapping[str, str], write: Any) -> Iterator[tuple[str, str]]:
    """Write values together, or else one by one; yield those that are refused, with the reason."""
    if not values:
        return
    try:
        write(values)
    except StoreError:
        raise
    except PenstockError:
        for key, value in values.items():
            try:
                write({key: value})
            except StoreError:
                raise
            except PenstockError as error:
                yield key, error.what


def _record(experiment: str, info: Entry, tags: Mapping[str, str], lost: list[str]) -> RunRecord:
    run_id = info["run_id"]
    began, ended = _time(info.get("start_time")), _time(info.get("end_time"))
    state = _STATES.get(info.get("status", ""), RunState.FINISHED)
    if info.get("status", "") not in _STATES:
        lost.append(f"The status of run {run_id}, {info.get('status')!r}: it is finished here")
    if began is None:
        began = ended or now()
        lost.append(f"Run {run_id} has no time of its start there: {began.isoformat()} here")
    if ended is None and state not in _OPEN:
        lost.append(f"Run {run_id} has no time of its end there: that of its start here")
    if ended is not None and ended < began:
        lost.append(f"Run {run_id} ended before it began, {ended.isoformat()}: as it began here")
        ended = began
    return RunRecord(
        run_id=run_id,
        name=info.get("run_name") or tags.get(NAME_TAG, ""),
        experiment=experiment,
        pipeline=None,
        entry=tags.get("mlflow.source.name"),
        state=state,
        seed=0,
        created_at=began,
        started_at=began,
        ended_at=ended,
        parent_run_id=tags.get("mlflow.parentRunId"),
        user=info.get("user_id") or tags.get("mlflow.user") or current_actor(),
        note=tags.get("mlflow.note.content", ""),
        process="unwatched",
    )


def _time(value: Any) -> datetime | None:
    return None if value is None else from_ms(int(value), "time")


def _told(error: Exception) -> str:
    return error.what if isinstance(error, PenstockError) else str(error)
