"""Runs in the form of SageMaker Experiments: a trial with a trial component per run."""

import json
import math
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import RunRecord, RunState, digest_bytes
from penstock.exporters._aws import AwsTarget, all_parts, aws_name, write_parts
from penstock.exporters._exported import RunsExport
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

_MARK = "penstock.exported"  # the parameter that is written last
_NAME = 120
_BATCH = 10  # of points: SageMaker's limit
_PARAMS, _KEY, _TEXT = 299, 320, 2500  # one of 300 is the mark
_FILES, _FILE_KEY, _URI = 59, 128, 2048
_TAGS, _TAG_KEY, _TAG_VALUE = 50, 128, 256
_METRIC, _ERROR = 255, 1024
_EXACT = 2**53
_STEP = 2**31
_PLAIN = re.compile(r"[\w .:/=+\-@]*")
_STATES = {
    RunState.FINISHED: "Completed",
    RunState.FAILED: "Failed",
    RunState.KILLED: "Stopped",
}


def export_sagemaker_runs(
    runs: Sequence[str],
    *,
    to: str,
    region: str | None = None,
    store: "Store | str | None" = None,
) -> RunsExport:
    """Write runs to SageMaker Experiments; a run that is there already is not written again.

    An experiment becomes an experiment; a run becomes a trial with one trial component, which has
    the parameters, the metrics, the tags, the times and the state; artifacts are files in S3. A run
    that has changed since, or whose export was killed, is written anew, whole.

    Args:
        runs: Ids, unique beginnings of ids, or ``last``.
        to: ``s3://bucket/prefix``, where artifacts are written.
        region: Region of AWS; by default boto3's.
        store: The store of the runs; by default the project's.

    Raises:
        NotFoundError: If there is no such run.
        ParameterError: If ``to`` is no place in S3.
        StoreError: If AWS refuses a call.
        MissingPackageError: If boto3 is not installed.
    """
    opened, done = open_store(store), RunsExport(to)
    records = [opened.metadata.runs.get(run) for run in runs]
    aws = AwsTarget(to, region)
    for record in records:
        _RunWriter(opened, aws, record, done).write()
    return done


class _RunWriter:
    def __init__(self, store: "Store", aws: AwsTarget, run: RunRecord, done: RunsExport) -> None:
        self._store, self._aws, self._run, self._done = store, aws, run, done
        self._experiment = aws_name(run.experiment, most=_NAME)
        self._name = aws_name(f"penstock-{run.run_id}", most=_NAME)
        self._files = store.metadata.artifacts.list(run.run_id)
        self._lost: list[str] = []

    def write(self) -> None:
        """Write the run, unless it is there as it is here; the mark comes last."""
        named = {"TrialComponentName": self._name}
        self._done.runs[self._run.run_id] = self._name
        state, found = self._state(), self._aws.find("describe_trial_component", **named)
        mark = (found or {}).get("Parameters", {}).get(_MARK, {}).get("StringValue")
        params = self._params()  # also tells what is lost
        tags, files, name = self._tags(), self._artifacts(), self._display_name()
        status = self._status()
        if mark == state:
            self._done.unchanged += 1
            list(self._points())
            self._tell_lost()
            return
        self._ensure()
        if found is not None:
            self._remove(named)
        self._call(
            "create_trial_component",
            **named,
            **({"DisplayName": name} if name else {}),
            StartTime=self._run.started_at or self._run.created_at,
            Status={"PrimaryStatus": "InProgress"},
            Parameters=params,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        self._call("associate_trial_component", **named, TrialName=self._name)
        self._upload()
        self._send_points()
        ended = {"EndTime": self._run.ended_at} if self._run.ended_at else {}
        self._call(
            "update_trial_component",
            **named,
            **ended,
            Status=status,
            Parameters={**params, _MARK: {"StringValue": state}},
            OutputArtifacts=files,
        )
        self._tell_lost()

    def _ensure(self) -> None:
        named = {"ExperimentName": self._experiment}
        known = self._aws.pages("list_experiments", "ExperimentSummaries")
        if all(each["ExperimentName"] != self._experiment for each in known):
            self._call("create_experiment", **named, Description=self._run.experiment)
        known = self._aws.pages("list_trials", "TrialSummaries", **named)
        if all(each["TrialName"] != self._name for each in known):
            self._call("create_trial", TrialName=self._name, **named)

    def _remove(self, named: Mapping[str, str]) -> None:
        """Delete a trial component: its points cannot be taken back one by one."""
        self._call("disassociate_trial_component", **named, TrialName=self._name)
        self._call("delete_trial_component", **named)

    def _call(self, method: str, **values: Any) -> None:
        self._aws.call(self._aws.sagemaker, method, **values)

    def _state(self) -> str:
        run = self._run
        facts = [
            run.state.value,
            sum(summary.count for summary in run.metrics.values()),
            dict(run.params),
            dict(run.tags),
            run.name,
            str(run.ended_at),
            {name: each.digest for name, each in self._files.items()},
            self._done.target,
        ]
        return digest_bytes(json.dumps(facts, default=str, sort_keys=True).encode())

    def _status(self) -> dict[str, str]:
        state = self._run.state
        error = (self._run.error or "").replace("\n", " ")[:_ERROR]
        if state not in _STATES:
            self._lose(f"its state, {state.value}: InProgress there")
        return {
            "PrimaryStatus": _STATES.get(state, "InProgress"),
            **({"Message": error} if error else {}),
        }

    def _display_name(self) -> str:
        name = aws_name(self._run.name, most=_NAME) if self._run.name else ""
        if name != self._run.name:
            self._lose(f"its name {self._run.name!r}, which is {name!r} there")
        return name

    def _params(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for key, value in self._run.params.items():
            if len(key) > _KEY or key == _MARK or len(found) == _PARAMS:
                self._lose(f"parameter {key[:100]!r}: no place for its name")
                continue
            if _is_number(value):
                found[key] = {"NumberValue": float(value)}
                continue
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            if len(text) > _TEXT:
                self._lose(f"the end of parameter {key!r}: {len(text)} characters of {_TEXT}")
            found[key] = {"StringValue": text[:_TEXT]}
        return found

    def _tags(self) -> dict[str, str]:
        found = dict[str, str]()
        for key, value in sorted(self._run.tags.items()):
            is_fine = 0 < len(key) <= _TAG_KEY and len(value) <= _TAG_VALUE
            is_fine = is_fine and not key.lower().startswith("aws:")
            if is_fine and _PLAIN.fullmatch(key) and _PLAIN.fullmatch(value) and len(found) < _TAGS:
                found[key] = value
            else:
                self._lose(f"tag {key[:100]!r}: no tag of AWS")
        return found

    def _artifacts(self) -> dict[str, dict[str, str]]:
        """Return the artifacts by name: where they are in S3."""
        if not self._files:
            return {}
        found = {"artifacts": {"Value": self._aws.uri(self._folder() + "/")}}
        for name, _ in all_parts(self._store, self._files):
            uri = self._aws.uri(f"{self._folder()}/{name}")
            if len(found) <= _FILES and len(name) <= _FILE_KEY and len(uri) <= _URI:
                found.setdefault(name, {"Value": uri})
            else:
                self._lose(f"the entry of artifact {name!r}, which is among the files")
        return found

    def _folder(self) -> str:
        return f"{self._experiment}/{self._run.run_id}"

    def _upload(self) -> None:
        with tempfile.TemporaryDirectory(prefix="penstock-sagemaker-") as folder:
            file = Path(folder) / "file"
            for name, record in all_parts(self._store, self._files):
                write_parts(self._store, record, file)
                self._aws.upload(f"{self._folder()}/{name}", file)
                self._done.files += 1

    def _send_points(self) -> None:
        metrics, batch = self._aws.client("sagemaker-metrics"), list[dict[str, Any]]()
        for point in self._points():
            batch.append(point)
            if len(batch) == _BATCH:
                self._send(metrics, batch)
                batch = []
        if batch:
            self._send(metrics, batch)

    def _send(self, metrics: Any, batch: Sequence[Mapping[str, Any]]) -> None:
        answer = self._aws.call(
            metrics, "batch_put_metrics", TrialComponentName=self._name, MetricData=batch
        )
        refused = answer.get("Errors", [])
        for each in refused:
            point = batch[each.get("MetricIndex", 0)]
            self._lose(
                f"a point of {point['MetricName']!r} at step {point['Step']}: {each.get('Code')}"
            )
        self._done.points += len(batch) - len(refused)

    def _points(self) -> Iterator[dict[str, Any]]:
        for key in self._run.metrics:
            columns = self._store.metadata.metrics.history(self._run.run_id, key)
            if len(key) > _METRIC:
                self._lose(f"{len(columns)} points of {key[:100]!r}: its name is too long")
                continue
            rows = zip(
                columns.steps.tolist(), columns.times.tolist(), columns.values.tolist(), strict=True
            )
            odd_steps = odd_values = rounded = 0
            for step, at, value in rows:
                if not (0 <= step < _STEP and float(step).is_integer()):
                    odd_steps += 1
                elif not math.isfinite(value):
                    odd_values += 1
                else:
                    rounded += bool(at % 1_000_000)
                    yield {
                        "MetricName": key,
                        "Timestamp": at // 1_000_000,
                        "Step": int(step),
                        "Value": value,
                    }
            for number, what in (
                (odd_steps, "points of {!r} at negative steps, fractions or steps beyond 2^31"),
                (odd_values, "points of {!r} that are no finite numbers"),
                (rounded, "times of points of {!r} below the second"),
            ):
                if number:
                    self._lose(f"{number} {what.format(key)}")

    def _tell_lost(self) -> None:
        run, steps = self._run, self._store.metadata.steps.list(self._run.run_id)
        for what in (
            f"{len(steps)} steps with their logs and keys" if steps else "",
            "code, environment and hardware" if run.provenance else "",
            f"its parent, {run.parent_run_id}" if run.parent_run_id else "",
            "its note" if run.note else "",
            f"its group, {run.group}" if run.group else "",
        ):
            if what:
                self._lose(what)
        told = dict.fromkeys(self._lost)
        self._done.lost += [f"Run {run.run_id}: {what}" for what in told]

    def _lose(self, what: str) -> None:
        self._lost.append(what)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and (isinstance(value, float) or abs(value) <= _EXACT)
