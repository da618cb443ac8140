"""``import_mlflow``: experiments, runs, models and files of a store of MLflow's, as penstock's own.

Ids, names, numbers and times stay. What was read whole is marked, so that a repeated import reads
only what is new or has changed; a killed one goes on where it was. What cannot come along is listed,
by a repeated import as well.
"""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.core import (
    DocumentRecord,
    ExperimentRecord,
    PenstockError,
    StoreError,
    digest_bytes,
    now,
)
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._fields import compact, encode
from penstock.server.mlflow._kinds import EXPERIMENT, LOGGED, MODEL_METRIC
from penstock.server.mlflow.moving._database import DatabaseSource
from penstock.server.mlflow.moving._folder import FolderSource
from penstock.server.mlflow.moving._importing_runs import FileImporter, ImportSummary, RunImporter
from penstock.server.mlflow.moving._marks import ImportMarks, fingerprint_of
from penstock.server.mlflow.moving._registered import import_registered
from penstock.server.mlflow.moving._running import ServerSource, read_pairs
from penstock.server.mlflow.moving._source import Entry, MlflowSource, no_source
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

Progress = Callable[[ImportSummary], None]


def import_mlflow(
    source: str,
    *,
    artifacts: str | Path | None = None,
    store: "Store | str | None" = None,
    progress: Progress | None = None,
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
    def __init__(self, desk: Desk, source: MlflowSource, progress: Progress | None) -> None:
        self._desk, self._source, self._progress = desk, source, progress
        self._metadata = desk.metadata
        self.summary = ImportSummary(source.name)
        self._marks = ImportMarks(desk, source.name)
        self._files = FileImporter(desk, source, self.summary)
        self._runs = RunImporter(desk, source, self._files, self._marks, self.summary)

    def run(self) -> ImportSummary:
        self._desk.begin()
        for experiment in self._source.experiments():
            try:
                self._experiment(experiment)
            except StoreError:
                raise
            except PenstockError as error:
                self.summary.lost.append(f"Experiment {experiment['name']!r}: {error.what}")
            self.summary.experiments += 1
        import_registered(self._desk, self._source, self.summary, self._files, self._marks)
        self.summary.lost += self._source.lost()
        return self.summary

    def _experiment(self, entry: Entry) -> None:
        number, is_gone = entry["experiment_id"], entry.get("lifecycle_stage") == "deleted"
        runs = iter(self._source.runs(number))
        first = next(runs, None)
        document = self._begin_experiment(entry, is_empty=first is None)
        name, is_own = document.owner, document.body.get("imported") == self._origin(entry)
        # An experiment that is deleted there and somebody's here loses no run of theirs.
        hides_runs = is_gone and not is_own
        for run in () if first is None else itertools.chain([first], runs):
            is_deleted = run["info"].get("lifecycle_stage") == "deleted"
            self._runs.import_run(name, run, deleted=is_deleted or hides_runs)
            if self._progress is not None:
                self._progress(self.summary)
        for model in self._source.logged_models(number):
            self._logged_model(document.key, model)
        if is_own:
            self._end_experiment(entry, document, is_gone=is_gone)
        elif hides_runs and first is not None:
            self.summary.lost.append(
                f"Experiment {name!r} (number {number}) is deleted there, and there is another of"
                " that name here: its runs are deleted here, the experiment is not"
            )

    def _origin(self, entry: Entry) -> list[str]:
        return [self._source.name, entry["experiment_id"]]

    def _begin_experiment(self, entry: Entry, *, is_empty: bool) -> DocumentRecord:
        """Make an experiment with its number, if that is free; return the document of its number.

        One with runs is made by the first of them, so that it begins with it.
        """
        name, number, origin = entry["name"], entry["experiment_id"], self._origin(entry)
        known = self._desk.find(EXPERIMENT, number)
        if known is not None and known.body.get("imported") == origin:
            return known  # by whatever name it goes here now
        is_new = self._desk.find_experiment(name) is None
        if is_new:
            facts = compact(imported=origin, created_ms=entry.get("creation_time"))
            document = DocumentRecord(EXPERIMENT, number, name, now(), facts)
            self._metadata.documents.add([document])
        here = self._desk.number(name)
        if is_new and here != number:
            self._desk.change(EXPERIMENT, here, lambda body: {**body, **facts})
        if is_new and is_empty:
            self._metadata.runs.create_experiment(name)
        if here != number:
            self.summary.lost.append(f"Experiment {name!r} has number {number} there, {here} here")
        return self._metadata.documents.get(EXPERIMENT, here)

    def _end_experiment(self, entry: Entry, document: DocumentRecord, *, is_gone: bool) -> None:
        name, was_gone = document.owner, document.body.get("deleted_there", False)
        if self._desk.find_experiment(name) is None:  # killed before it was made
            self._metadata.runs.create_experiment(name)
        record = self._desk.find_experiment(name)
        assert record is not None
        self._set_tags(record, entry)
        if is_gone == was_gone:
            return
        if (record.deleted_at is None) == is_gone:
            self._metadata.runs.update_experiment(name, deleted_at=now() if is_gone else None)
        self._desk.change(EXPERIMENT, document.key, lambda body: {**body, "deleted_there": is_gone})

    def _set_tags(self, record: ExperimentRecord, entry: Entry) -> None:
        for key, value in read_pairs(entry.get("tags", [])).items():
            if record.tags.get(key) == value:
                continue
            try:
                self._metadata.runs.set_experiment_tags(record.name, {key: value})
            except StoreError:
                raise
            except PenstockError as error:
                self.summary.lost.append(f"Tag {key!r} of experiment {record.name!r}: {error.what}")

    def _logged_model(self, experiment_id: str, entry: Entry) -> None:
        info, data = entry["info"], entry.get("data", {})
        model_id = info["model_id"]
        listing = self._files.list_files(info.get("artifact_uri", ""), f"logged model {model_id}")
        fingerprint, mark = fingerprint_of(entry, listing.stamps), self._marks.find(model_id)
        if mark.get("fingerprint") == fingerprint:
            self.summary.lost += mark["lost"]
            return
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
            self._desk.change(LOGGED, model_id, lambda old: {**old, **body})
        lost: list[str] = []
        files, whole = self._files.store(listing, lost)
        if files:
            self._metadata.documents.add_files(LOGGED, model_id, files)
        self._metadata.documents.add(
            [
                DocumentRecord(MODEL_METRIC, _metric_key(model_id, metric), model_id, now(), metric)
                for metric in data.get("metrics", [])
            ]
        )
        if whole:
            self._marks.save(model_id, fingerprint, lost)
        self.summary.lost += lost
        self.summary.logged_models += 1


def _metric_key(model_id: str, metric: Entry) -> str:
    body = compact(**metric)
    return f"{model_id}/{digest_bytes(encode(body)).removeprefix('sha256:')}"
