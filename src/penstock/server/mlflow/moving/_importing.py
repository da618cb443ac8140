"""``import_mlflow``: experiments, runs, models and files of a store of MLflow's, as penstock's own.

Ids, names, numbers and times stay. What was read whole is marked, so that a repeated import reads
only what is new or has changed; a killed one goes on where it was.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from penstock.core import (
    ArtifactRecord,
    ConflictError,
    DocumentRecord,
    ExperimentRecord,
    PenstockError,
    RunRecord,
    RunState,
    current_actor,
    digest_bytes,
    now,
)
from penstock.server.mlflow._desk import DEFAULT_NAME, Desk, from_ms
from penstock.server.mlflow._errors import MlflowError
from penstock.server.mlflow._fields import compact, encode
from penstock.server.mlflow._inputs import add_inputs
from penstock.server.mlflow._kinds import (
    EXPERIMENT,
    LOGGED,
    MODEL_INPUT,
    MODEL_METRIC,
    MODEL_OUTPUT,
)
from penstock.server.mlflow._metrics import SentMetric, log_points
from penstock.server.mlflow._paths import safe_path
from penstock.server.mlflow._runs import NAME_TAG, STATUS, log_params
from penstock.server.mlflow.moving._database import DatabaseSource
from penstock.server.mlflow.moving._folder import FolderSource
from penstock.server.mlflow.moving._registered import import_registered
from penstock.server.mlflow.moving._running import ServerSource, read_pairs
from penstock.server.mlflow.moving._source import Entry, MlflowSource, no_source
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

MARK = "mlflow.import"
_EXACT = 2**53
_STATES = {status: state for state, status in STATUS.items()}


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
        logged_models: Number of logged models.
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


def import_mlflow(
    source: str,
    *,
    artifacts: str | Path | None = None,
    store: "Store | str | None" = None,
    progress: Callable[[ImportSummary], None] | None = None,
) -> ImportSummary:
    """Import a store of MLflow's; a repeated import reads only what is new.

    Args:
        source: ``sqlite:///mlflow.db`` or the file's path, an ``mlruns`` folder, or a server's URL.
        artifacts: Folder of the server's artifacts, for those with ``mlflow-artifacts:`` URIs of a
            database.
        store: The store to import into; by default the project's.
        progress: Called after each run.

    Raises:
        ParameterError: If the source is no store of MLflow's.
        StoreError: If a server does not answer; a repeated import goes on.
    """
    opened = open_source(source, None if artifacts is None else Path(artifacts))
    importer = _Importer(Desk(open_store(store)), opened, progress)
    return importer.run()


def open_source(text: str, artifacts: Path | None) -> MlflowSource:
    """Open a store of MLflow's by URL or path.

    Raises:
        ParameterError: If it is none.
    """
    if text.startswith(("http://", "https://")):
        return ServerSource(text, artifacts)
    path = Path(text.removeprefix("sqlite:///").removeprefix("file://"))
    if path.is_dir():
        return FolderSource(path, artifacts)
    if not path.is_file():
        raise no_source(text)
    return DatabaseSource(path, artifacts)


class _Importer:
    def __init__(
        self, desk: Desk, source: MlflowSource, progress: Callable[[ImportSummary], None] | None
    ) -> None:
        self._desk, self._source, self._progress = desk, source, progress
        self._metadata = desk.metadata
        self.summary = ImportSummary(source.name)

    def run(self) -> ImportSummary:
        self._desk.begin()
        for experiment in self._source.experiments():
            self._experiment(experiment)
            self.summary.experiments += 1
        import_registered(self._desk, self._source, self.summary, self._store_files)
        self.summary.lost += self._source.lost()
        return self.summary

    def _experiment(self, entry: Entry) -> None:
        record = self._named(entry)
        for run in self._source.runs(entry["experiment_id"]):
            self._run(record.name, run)
            if self._progress is not None:
                self._progress(self.summary)
        for model in self._source.logged_models(entry["experiment_id"]):
            self._logged_model(self._desk.number(record.name), model)
        if entry.get("lifecycle_stage") == "deleted" and record.deleted_at is None:
            self._metadata.runs.update_experiment(record.name, deleted_at=now())

    def _named(self, entry: Entry) -> ExperimentRecord:
        """Return the experiment of that name; a new one gets the same number if it is free."""
        name = entry["name"]
        if self._desk.find_experiment(name) is None:
            with contextlib.suppress(ConflictError):
                self._metadata.runs.create_experiment(name)
            document = DocumentRecord(EXPERIMENT, entry["experiment_id"], name, now(), {})
            self._metadata.documents.add([document])
        tags = read_pairs(entry.get("tags", []))
        if tags:
            self._metadata.runs.set_experiment_tags(name, tags)
        found = self._desk.find_experiment(name)
        assert found is not None or name == DEFAULT_NAME
        return found or ExperimentRecord(name, now())

    def _run(self, experiment: str, entry: Entry) -> None:
        info, run_id = entry["info"], entry["info"]["run_id"]
        fingerprint = digest_bytes(encode(entry))
        mark = self._desk.find(MARK, run_id)
        if mark is not None and mark.body.get("fingerprint") == fingerprint:
            self.summary.unchanged += 1
            return
        tags = read_pairs(entry.get("data", {}).get("tags", []))
        record = _record(experiment, info, tags)
        with contextlib.suppress(ConflictError):
            self._metadata.runs.create(replace(record, state=RunState.RUNNING))
        self._metadata.runs.set_tags(run_id, tags)
        self._parameters(run_id, read_pairs(entry.get("data", {}).get("params", [])))
        for metric in entry.get("data", {}).get("metrics", []):
            self._points(run_id, metric["key"])
        self._relations(run_id, entry)
        uri = info.get("artifact_uri", "")
        files = self._store_files(uri, f"run {run_id}")
        if files:
            self._metadata.artifacts.log_many(run_id, files)
        self._end(record, deleted=info.get("lifecycle_stage") == "deleted")
        self._mark(run_id, fingerprint)
        self.summary.runs += 1

    def _end(self, record: RunRecord, *, deleted: bool) -> None:
        present = self._metadata.runs.get(record.run_id)
        if present.state is not record.state:
            ended = record.ended_at or record.started_at
            with contextlib.suppress(ConflictError):
                self._metadata.runs.update(record.run_id, state=record.state, ended_at=ended)
        if deleted and present.deleted_at is None:
            self._metadata.runs.update(record.run_id, deleted_at=now())

    def _mark(self, run_id: str, fingerprint: str) -> None:
        body = {"fingerprint": fingerprint, "source": self._source.name}
        if not self._metadata.documents.add([DocumentRecord(MARK, run_id, run_id, now(), body)])[0]:
            self._desk.change(MARK, run_id, lambda _: body)

    def _parameters(self, run_id: str, params: Mapping[str, str]) -> None:
        try:
            log_params(self._desk, run_id, params)
        except MlflowError as error:
            self.summary.lost.append(f"Parameters of run {run_id}: {error.what}")

    def _points(self, run_id: str, key: str) -> None:
        points, strange = [], 0
        for at, step, value in self._source.history(run_id, key):
            if abs(step) > _EXACT or at < 0:
                strange += 1
                continue
            points.append(SentMetric(key, value, at, step, "", "", ""))
        if points:
            log_points(self._desk, run_id, points)
        self.summary.points += len(points)
        if strange:
            self.summary.lost.append(
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

    def _logged_model(self, experiment_id: str, entry: Entry) -> None:
        info, data = entry["info"], entry.get("data", {})
        model_id = info["model_id"]
        body = {
            "name": info["name"],
            "created": int(info["creation_timestamp_ms"]),
            "status": info["status"],
            "status_message": info.get("status_message") or "",
            "model_type": info.get("model_type") or "",
            "source_run_id": info.get("source_run_id") or "",
            "params": read_pairs(data.get("params", [])),
            "tags": read_pairs(info.get("tags", [])),
        }
        document = DocumentRecord(LOGGED, model_id, experiment_id, now(), body)
        if not self._metadata.documents.add([document])[0]:
            if self._metadata.documents.get(LOGGED, model_id).body == body:
                return
            self._desk.change(LOGGED, model_id, lambda _: body)
        files = self._store_files(info.get("artifact_uri", ""), f"logged model {model_id}")
        if files:
            self._metadata.documents.add_files(LOGGED, model_id, files)
        self._metadata.documents.add(
            [
                DocumentRecord(MODEL_METRIC, _metric_key(model_id, metric), model_id, now(), metric)
                for metric in data.get("metrics", [])
            ]
        )
        self.summary.logged_models += 1

    def _store_files(self, uri: str, whose: str) -> dict[str, ArtifactRecord]:
        """Store the files under a URI; return their records by name."""
        found: dict[str, ArtifactRecord] = {}
        try:
            with tempfile.TemporaryDirectory(prefix="penstock-import-") as folder:
                for name, record in self._fetched(uri, whose, Path(folder) / "file"):
                    found[name] = record  # noqa: PERF403 - what came before an error stays
        except (LookupError, OSError, httpx.HTTPError) as error:
            told = error.what if isinstance(error, PenstockError) else error
            self.summary.lost.append(f"Artifacts of {whose}: {told}")
        self.summary.files += len(found)
        return found

    def _fetched(self, uri: str, whose: str, target: Path) -> Iterator[tuple[str, ArtifactRecord]]:
        for name, fetch in self._source.files(uri):
            try:
                safe = safe_path(name)
            except MlflowError:
                self.summary.lost.append(f"Artifact {name!r} of {whose}: no name for a file here")
                continue
            fetch(target)
            yield safe, self._desk.store.pack_file(target)


def _record(experiment: str, info: Entry, tags: Mapping[str, str]) -> RunRecord:
    began = _time(info.get("start_time")) or now()
    state = _STATES.get(info.get("status", ""), RunState.FINISHED)
    return RunRecord(
        run_id=info["run_id"],
        name=info.get("run_name") or tags.get(NAME_TAG, ""),
        experiment=experiment,
        pipeline=None,
        entry=tags.get("mlflow.source.name"),
        state=state,
        seed=0,
        created_at=began,
        started_at=began,
        ended_at=_time(info.get("end_time")),
        parent_run_id=tags.get("mlflow.parentRunId"),
        user=info.get("user_id") or tags.get("mlflow.user") or current_actor(),
        note=tags.get("mlflow.note.content", ""),
        process="unwatched",
    )


def _time(value: Any) -> datetime | None:
    return from_ms(int(value), "time") if value else None


def _metric_key(model_id: str, metric: Entry) -> str:
    body = compact(**metric)
    return f"{model_id}/{digest_bytes(encode(body)).removeprefix('sha256:')}"
