"""Runs of W&B from their offline logs: ``wandb/offline-run-…/run-….wandb``."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.core import DataError, RunState
from penstock.importers._foreign_run import ForeignRun
from penstock.importers._imports import Imported, Progress, existing, write_runs
from penstock.importers._wandb_log import read_records
from penstock.stores import Store

_INTERNAL = "_"  # W&B's own keys: _step, _runtime, _timestamp, _wandb
_STAGING = "artifacts/staging"  # below WANDB_DATA_DIR
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def import_wandb(
    paths: Sequence[str | Path],
    *,
    experiment: str | None = None,
    progress: Progress | None = None,
    store: Store | str | None = None,
) -> Imported:
    """Import runs that W&B logged on a disk, offline or online.

    Configuration, metrics with their steps and times, summaries, system metrics, tags, notes, groups,
    logged files and the files of artifacts are taken over. The same run gets the same id at every
    import, and a run that went on is completed. What W&B knows and penstock has no place for is kept
    as files under ``wandb/``, or listed as lost.

    Args:
        paths: Files ``run-….wandb``, or folders, which are searched for such files.
        experiment: Experiment of the runs; by default W&B's project.
        progress: Called with each run that was written.
        store: Target; by default the project's store.

    Raises:
        NotFoundError: If a path does not exist, or contains no run.
        MissingDependencyError: If protobuf is not installed.
    """
    failed: dict[str, str] = {}
    runs = write_runs(_read_all(_logs(paths), experiment, failed), store, progress, failed)
    return Imported(runs, failed)


def _logs(paths: Iterable[str | Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for given in paths:
        path = existing(given)
        inside = [path] if path.is_file() else sorted(path.rglob("*.wandb"))
        found |= dict.fromkeys(each.resolve() for each in inside)
    return list(found)


def _read_all(
    logs: Iterable[Path], experiment: str | None, failed: dict[str, str]
) -> Iterator[ForeignRun]:
    for path in logs:
        try:
            yield read_run(path, experiment)
        except (DataError, OSError, ValueError, OverflowError) as error:
            failed[str(path)] = " ".join(str(error).split())


def read_run(path: Path, experiment: str | None = None) -> ForeignRun:
    """Read a run's log.

    Raises:
        DataError: If the file is no log, or names no run.
    """
    reading = _Reading(path, experiment)
    for record in read_records(path, reading.run.lost):
        reading.take(record)
    return reading.finish()


class _Reading:
    """A run as it comes together from its records."""

    def __init__(self, path: Path, experiment: str | None) -> None:
        self._path, self._experiment = path, experiment
        self.run = ForeignRun("wandb", "", path.stem.removeprefix("run-"), "", _NO_TIME)
        self._summary: dict[str, Any] = {}
        self._rows: list[dict[str, Any]] = []
        self._step = -1
        self._named = False
        self._takes: dict[str, Callable[[Any], None]] = {
            "run": self._take_run,
            "config": lambda changes: _change(self.run.params, changes),
            "history": self._take_history,
            "summary": lambda changes: _change(self._summary, changes),
            "stats": self._take_stats,
            "environment": self._take_environment,
            "metric": self._take_metric,
            "artifact": self._take_artifact,
            "exit": self._take_exit,
            "tbrecord": lambda _: self.run.lost.append("logs of TensorBoard"),
            "use_artifact": lambda _: self.run.lost.append("which artifacts the run used"),
        }

    def take(self, record: Any) -> None:
        """Take a record over."""
        for name, take in self._takes.items():
            if not record.HasField(name):
                continue
            try:
                take(getattr(record, name))
            except (ValueError, OverflowError, TypeError, AttributeError) as error:
                self.run.lost.append(f"a record of the kind {name}, number {record.num}: {error}")

    def finish(self) -> ForeignRun:
        """Return the run."""
        if not self._named:
            raise DataError(
                what=f"{self._path} names no run.", why="The record of the run is missing in it."
            )
        run = self.run
        run.params = {k: v for k, v in run.params.items() if not k.startswith(_INTERNAL)}
        self._finish_summary()
        if self._rows:
            run.values["wandb/history.json"] = self._rows
        folder = self._path.parent / "files"
        for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
            name = file.relative_to(folder).as_posix()
            if file.is_symlink():  # as `wandb.save` makes them; a link could name any file
                run.lost.append(f"file {name}: it is a link to {file.readlink()}")
            elif file.is_file():
                run.files[f"wandb/files/{name}"] = file
        return run

    def _take_run(self, told: Any) -> None:
        run, self._named = self.run, True
        run.key = "/".join(filter(None, (told.entity, told.project, told.run_id)))
        run.name = told.display_name or told.run_id
        run.experiment = self._experiment or told.project or "wandb"
        run.created_at, run.host = _time(told.start_time), told.host or run.host
        run.group, run.note = told.run_group, told.notes
        _change(run.params, told.config)
        _change(self._summary, told.summary)
        run.tags |= dict.fromkeys(told.tags, "true")
        named = {"entity": told.entity, "job_type": told.job_type, "sweep": told.sweep_id}
        run.tags |= {f"wandb.{name}": text for name, text in named.items() if text}
        self._take_git(told.git)
        if told.HasField("branch_point"):
            run.forked_from = "/".join([*run.key.split("/")[:-1], told.branch_point.run])
            run.forked_at = told.branch_point.value

    def _take_git(self, git: Any) -> None:
        if git.commit:
            self.run.tags |= {"wandb.git.commit": git.commit, "wandb.git.remote": git.remote_url}

    def _take_environment(self, told: Any) -> None:
        self.run.host = self.run.host or told.host
        self.run.user = self.run.user or told.username
        if told.program:
            self.run.tags["wandb.program"] = told.program
        self._take_git(told.git)

    def _take_history(self, told: Any) -> None:
        row = _flat({_path(item): _value(item) for item in told.item})
        self._step = int(
            row.get("_step", told.step.num if told.HasField("step") else self._step + 1)
        )
        time = float(row.get("_timestamp") or self.run.created_at.timestamp())
        other = {}
        for key, value in row.items():
            if key.startswith(_INTERNAL):
                continue
            if isinstance(value, bool | int | float):
                self.run.add_point(key, self._step, float(value), round(time * 1e6))
                if isinstance(value, int) and float(value) != value:
                    self.run.lost.append(f"the last digits of {key} at step {self._step}: {value}")
            else:
                other[key] = value
        if other:
            self._rows.append({"_step": self._step, "_timestamp": time, **other})

    def _take_stats(self, told: Any) -> None:
        at = _time(told.timestamp)
        step = round((at - self.run.created_at).total_seconds(), 1)
        for item in told.item:
            value = _value(item)
            if isinstance(value, int | float) and not item.key.startswith(_INTERNAL):
                micros = round(at.timestamp() * 1e6)
                self.run.add_point(f"system/{item.key}", step, float(value), micros)

    def _take_metric(self, told: Any) -> None:
        if told.step_metric and not told.step_metric.startswith(_INTERNAL):
            self.run.tags[f"wandb.step_metric.{told.name or told.glob_name}"] = told.step_metric

    def _take_artifact(self, told: Any) -> None:
        folder = f"artifacts/{told.name}"
        facts = {"type": told.type, "aliases": list(told.aliases), "description": told.description}
        metadata = json.loads(told.metadata) if told.metadata else {}
        self.run.values[f"wandb/artifacts/{told.name}.json"] = {**facts, "metadata": metadata}
        for entry in told.manifest.contents:
            local = _staged(entry.local_path)
            if local is not None:
                self.run.files[f"{folder}/{entry.path}"] = local
            else:
                where = entry.ref or "W&B's own storage"
                self.run.lost.append(
                    f"{folder}/{entry.path} ({entry.digest}): its bytes are in {where}"
                )

    def _take_exit(self, told: Any) -> None:
        failed = told.exit_code != 0
        self.run.state = RunState.FAILED if failed else RunState.FINISHED
        self.run.error = f"It ended with exit code {told.exit_code}." if failed else None

    def _finish_summary(self) -> None:
        """Keep the summary; a number that was never logged as a point becomes one, at the end."""
        summary = {k: v for k, v in self._summary.items() if not k.startswith(_INTERNAL)}
        if not summary:
            return
        self.run.values["wandb/summary.json"] = summary
        last = max((max(s.times) for s in self.run.metrics.values() if s.times), default=0)
        at = last or round(self.run.created_at.timestamp() * 1e6)
        for key, value in _flat(summary).items():
            if isinstance(value, int | float) and key not in self.run.metrics:
                self.run.add_point(key, max(self._step, 0), float(value), at)


def _staged(path: str) -> Path | None:
    """Return a file that W&B staged; a log could name any file of this machine."""
    found = Path(path).resolve()
    inside = f"/{_STAGING}/" in f"{found.parent.as_posix()}/"
    return found if path and inside and found.is_file() else None


def _change(values: dict[str, Any], changes: Any) -> None:
    for item in changes.update:
        *above, last = _path(item).split("\0")
        place = values
        for name in above:
            inner = place.get(name)
            place[name] = place = inner if isinstance(inner, dict) else {}
        place[last] = _value(item)
    for item in changes.remove:
        *above, last = _path(item).split("\0")
        place = values
        for name in above:
            inner = place.get(name)
            place = inner if isinstance(inner, dict) else {}
        place.pop(last, None)


def _path(item: Any) -> str:
    """Return the names of an item, joined by a sign that no name has."""
    return "\0".join(item.nested_key) or item.key


def _value(item: Any) -> Any:
    """Return the value of an item; NaN and infinities are written as words of JavaScript."""
    try:
        return json.loads(item.value_json)
    except ValueError:
        return item.value_json


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Join nested names with a dot; a value with W&B's own form, such as a table, stays whole."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *above, last = path.split("\0")
        place = nested
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return dict(_joined(nested, ()))


def _joined(values: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and "_type" not in value and not name.startswith(_INTERNAL):
            yield from _joined(value, (*above, name))
        else:
            yield ".".join((*above, name)), value


def _time(stamp: Any) -> datetime:
    return datetime.fromtimestamp(stamp.seconds + stamp.nanos / 1e9, UTC)
