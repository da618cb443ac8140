"""``export_runs``: runs of penstock's into a running MLflow server; what has no place there is listed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.core import ArtifactRecord, NotFoundError, RunRecord
from penstock.exporters import RunsExport
from penstock.server.mlflow._desk import to_ms
from penstock.server.mlflow._fields import compact, number, pairs
from penstock.server.mlflow._runs import NAME_TAG, STATUS
from penstock.server.mlflow._values import param_text
from penstock.server.mlflow.moving._running import Protocol
from penstock.server.mlflow.moving._source import Entry
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

RUN_TAG, _DONE_TAG = "penstock.run_id", "penstock.exported"
_POINTS, _PARAMS, _TAGS = 1000, 100, 100
_PARAM_LENGTH, _TAG_LENGTH = 6000, 8000
_ARTIFACTS = "mlflow-artifacts:"


def export_runs(runs: Sequence[str], *, to: str, store: "Store | str | None" = None) -> RunsExport:
    """Write runs to a running MLflow server; a run that is there already is not written again.

    Args:
        runs: Ids, unique beginnings of ids, or ``last``.
        to: The server's URL.
        store: The store of the runs; by default the project's.

    Raises:
        NotFoundError: If there is no such run.
        StoreError: If the server does not answer; a repeated export goes on.
    """
    opened, summary = open_store(store), RunsExport(to)
    records = [opened.metadata.runs.get(run) for run in runs]
    writer = _Writer(opened, Protocol(to), summary)
    for record in records:
        writer.write(record)
    return summary


class _Writer:
    def __init__(self, store: "Store", protocol: Protocol, summary: RunsExport) -> None:
        self._store, self._protocol, self._summary = store, protocol, summary

    def write(self, run: RunRecord) -> None:
        experiment_id = self._experiment(run.experiment)
        found = self._find(experiment_id, run.run_id)
        if found is not None and _tag(found, _DONE_TAG) == _state_of(run):
            self._summary.unchanged += 1
            self._summary.runs[run.run_id] = found["info"]["run_id"]
            return
        info = (found or self._create(experiment_id, run))["info"]
        run_id = info["run_id"]
        self._parameters(run_id, run)
        for key in run.metrics:
            self._metric(run_id, run, key)
        self._files(info.get("artifact_uri", ""), run)
        self._tags(run_id, run)
        end = {"end_time": to_ms(run.ended_at)} if run.ended_at else {}
        self._protocol.post("/runs/update", run_id=run_id, status=STATUS[run.state], **end)
        # Last: a run without it was not written to its end.
        self._protocol.post("/runs/set-tag", run_id=run_id, key=_DONE_TAG, value=_state_of(run))
        self._note_lost(run)
        self._summary.runs[run.run_id] = run_id

    def _experiment(self, name: str) -> str:
        try:
            found = self._protocol.get("/experiments/get-by-name", experiment_name=name)
        except NotFoundError:
            return str(self._protocol.post("/experiments/create", name=name)["experiment_id"])
        return str(found["experiment"]["experiment_id"])

    def _find(self, experiment_id: str, run_id: str) -> Entry | None:
        found = self._protocol.post(
            "/runs/search",
            experiment_ids=[experiment_id],
            filter=f"tags.`{RUN_TAG}` = '{run_id}'",
            max_results=1,
        )
        return next(iter(found.get("runs", [])), None)

    def _create(self, experiment_id: str, run: RunRecord) -> Entry:
        made = self._protocol.post(
            "/runs/create",
            experiment_id=experiment_id,
            user_id=run.user,
            run_name=run.name,
            start_time=to_ms(run.started_at or run.created_at),
            tags=pairs({RUN_TAG: run.run_id}),
        )
        return dict(made["run"])

    def _parameters(self, run_id: str, run: RunRecord) -> None:
        params = {key: param_text(value) for key, value in run.params.items()}
        long = [key for key, text in params.items() if len(text) > _PARAM_LENGTH]
        self._lose(run, f"the end of long parameters ({', '.join(long)})" if long else "")
        whole = pairs({key: text[:_PARAM_LENGTH] for key, text in params.items()})
        for start in range(0, len(whole), _PARAMS):
            part = whole[start : start + _PARAMS]
            self._protocol.post("/runs/log-batch", run_id=run_id, params=part)

    def _metric(self, run_id: str, run: RunRecord, key: str) -> None:
        columns = self._store.metadata.metrics.history(run.run_id, key)
        rows = zip(
            columns.steps.tolist(), columns.times.tolist(), columns.values.tolist(), strict=True
        )
        points = [
            {"key": key, "value": number(value), "timestamp": max(0, at // 1000), "step": int(step)}
            for step, at, value in rows
            if step.is_integer()
        ]
        between = len(columns) - len(points)
        self._lose(run, f"{between} points of {key!r} at fractions of steps" if between else "")
        for start in range(0, len(points), _POINTS):
            part = points[start : start + _POINTS]
            self._protocol.post("/runs/log-batch", run_id=run_id, metrics=part)
        self._summary.points += len(points)

    def _files(self, uri: str, run: RunRecord) -> None:
        files = dict(self._all_files(run))
        if not uri.startswith(_ARTIFACTS):
            self._lose(
                run, f"{len(files)} artifacts: {uri} is not behind the server" if files else ""
            )
            return
        root = uri.removeprefix(_ARTIFACTS).lstrip("/")
        for name, record in files.items():
            self._protocol.write(f"{root}/{name}", self._store.stream(record))
            self._summary.files += 1

    def _all_files(self, run: RunRecord) -> Iterator[tuple[str, ArtifactRecord]]:
        for name, record in self._store.metadata.artifacts.list(run.run_id).items():
            yield from self._parts(name, record)

    def _parts(self, name: str, record: ArtifactRecord) -> Iterator[tuple[str, ArtifactRecord]]:
        parts = self._store.parts(record)
        if not parts:
            yield name, record
        for part, inner in parts.items():
            yield from self._parts(f"{name}/{part}", inner)

    def _tags(self, run_id: str, run: RunRecord) -> None:
        tags = {NAME_TAG: run.name, **run.tags, **compact(**{"mlflow.note.content": run.note})}
        whole = pairs({key: text[:_TAG_LENGTH] for key, text in tags.items() if key and text})
        for start in range(0, len(whole), _TAGS):
            part = whole[start : start + _TAGS]
            self._protocol.post("/runs/log-batch", run_id=run_id, tags=part)

    def _note_lost(self, run: RunRecord) -> None:
        steps = self._store.metadata.steps.list(run.run_id)
        self._lose(run, f"{len(steps)} steps with their logs and keys" if steps else "")
        self._lose(run, "code, environment and hardware" if run.provenance else "")

    def _lose(self, run: RunRecord, what: str) -> None:
        if what:
            self._summary.lost.append(f"Run {run.run_id}: {what}")


def _tag(run: Mapping[str, Entry], name: str) -> str:
    tags = run.get("data", {}).get("tags", [])
    return next((str(tag["value"]) for tag in tags if tag["key"] == name), "")


def _state_of(run: RunRecord) -> str:
    points = sum(summary.count for summary in run.metrics.values())
    return f"{run.state.value}, {points} points, {len(run.params)} params, {len(run.tags)} tags"
