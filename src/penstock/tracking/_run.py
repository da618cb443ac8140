"""``Run``: what was logged of one run, and logging to it while it is active."""

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ArtifactRecord,
    Edge,
    NotFoundError,
    ParameterError,
    RunRecord,
    RunState,
    StoreError,
    did_you_mean,
    now,
    require_label,
)
from penstock.stores import Fact, artifacts_fact, open_store
from penstock.tracking._download import download
from penstock.tracking._forgiving import Trouble, forgiving
from penstock.tracking._life import RunLife, children
from penstock.tracking._media import RunMedia
from penstock.tracking._metric_log import MetricLog
from penstock.tracking._series import last_of
from penstock.tracking._step import step_of
from penstock.tracking._values import as_path, file_records, json_like, value_records

if TYPE_CHECKING:
    import polars as pl

    from penstock.stores import Store

_FRESH_S = 1.0
_ENDED = frozenset({RunState.FINISHED, RunState.FAILED, RunState.KILLED})


class Run(RunLife, RunMedia):
    """One run: its record, and logging to it.

    Reading asks the store while the run is not at its end, so that it shows what others logged.

    A store that cannot be written does not stop the work that is tracked: what could not be
    recorded is told once by the logger ``penstock``.

    Args:
        record: The run as read last.
        store: Where it is recorded.
        strict: Raise StoreError where something cannot be recorded.
    """

    def __init__(self, record: RunRecord, store: "Store", *, strict: bool = False) -> None:
        self._record, self.store = record, store
        self._log = MetricLog(record.run_id, store)
        self._stale = False
        self._read_at = time.monotonic()
        self.before: Run | None = None  # the run that was active where this one became it
        self.trouble = Trouble(record.run_id, store, strict=strict)

    @property
    def run_id(self) -> str:
        """Unique id; sorts by time."""
        return self._record.run_id

    @property
    def name(self) -> str:
        """What people call it."""
        return self.record.name

    @property
    def experiment(self) -> str:
        """The group that it belongs to."""
        return self._record.experiment

    @property
    def state(self) -> RunState:
        """Where it is in its life."""
        return self.record.state

    @property
    def params(self) -> dict[str, Any]:
        """Parameters by name."""
        return dict(self.record.params)

    @property
    def metrics(self) -> dict[str, float]:
        """Last value by metric."""
        return {key: summary.last for key, summary in self.record.metrics.items()}

    @property
    def tags(self) -> dict[str, str]:
        """Tags by name."""
        return dict(self.record.tags)

    @property
    def attempt(self) -> int:
        """1, and one more for each resume, as of the last reading."""
        return self._record.attempt

    @property
    def shown_name(self) -> str:
        """Its name as of the last reading; for messages."""
        return self._record.name

    @property
    def record(self) -> RunRecord:
        """The whole record; of a run that has ended as of a second ago at most."""
        old = time.monotonic() - self._read_at > _FRESH_S
        if self._stale or old or self._record.state not in _ENDED:
            self.store.flush()
            self._set(self.store.metadata.runs.get(self.run_id))
        return self._record

    @property
    def note(self) -> str:
        """What people say of it, Markdown; changed by `edit`."""
        return self.record.note

    @property
    def group(self) -> str:
        """The runs that it belongs together with; changed by `edit`."""
        return self.record.group

    @property
    def children(self) -> "list[Run]":
        """The runs that are nested in it, oldest first."""
        return [Run(record, self.store) for record in children(self.store, self.run_id)]

    def log_param(self, name: str, value: Any) -> None:
        """Log one parameter: something the run was made with, which does not change.

        Raises:
            ConflictError: If it has another value already.
        """
        self.log_params({name: value})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; what is not JSON-like is kept as its text. See `log_param`."""
        values = {
            require_label(name, "parameter"): json_like(value) for name, value in params.items()
        }
        self._record_fact("params", values, f"parameters {_few(values)}")

    def log_metric(self, key: str, value: float, step: float | None = None) -> None:
        """Log one value of a metric; it survives the process once this returns.

        A call takes about a microsecond: the point goes to a file of this process, and from there
        into the store twice a second. Another process sees it then; this one at once. May be
        called from any thread, and in a forked or spawned process on a run of its parent.

        Args:
            key: The metric's name.
            value: A number; NaN and infinity are kept.
            step: Where on the x axis, for example the epoch: any finite number, in any order. By
                default one more than the last. A second value at a step is kept as well.

        Raises:
            ParameterError: If the value is no number, or the step no finite one.
            StoreError: If the point cannot be kept, and the run was started with ``strict=True``.
        """
        self._stale = True
        try:
            self._log.log(key, value, step)
        except StoreError as error:
            self.trouble.meet(error)

    @forgiving
    def log_metrics(self, metrics: Mapping[str, float], step: float | None = None) -> None:
        """Log one value each of several metrics, all or none; see `log_metric`."""
        self._stale = True
        self._log.log_several(metrics, step)

    @forgiving
    def log_history(self, key: str, values: Any, *, steps: Any = None, times: Any = None) -> None:
        """Log many values of one metric at once, for example of a training that is over.

        Args:
            key: The metric's name.
            values: Numbers: a list, an array or a column of a table, shape (n,).
            steps: Finite numbers, shape (n,); by default they count on from the last.
            times: When each was measured, shape (n,); by default now. Times without a zone are UTC.

        Raises:
            ParameterError: If a column is not of numbers, or they differ in length.
            StoreError: See `log_metric`.
        """
        self._stale = True
        self._log.log_columns(key, values, steps, times)

    def set_tag(self, name: str, value: Any) -> None:
        """Set one tag."""
        self.set_tags({name: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags; one that exists is replaced."""
        values = {require_label(name, "tag"): str(value) for name, value in tags.items()}
        self._record_fact("tags", values, f"tags {_few(values)}")

    def log_artifact(self, value: Any, name: str | None = None) -> str:
        """Keep a file, a folder or a value with the run.

        Args:
            value: A path to a file or folder, or any value: a table, an array, a figure, a model.
                A text is a path; a text itself is kept by `log_text`.
            name: What it is called; by default the file's name.

        Returns:
            The content digest; of a folder, the digest of its last file; empty if it could not be
            kept.

        Raises:
            NotFoundError: If a path names no file or folder.
            ParameterError: If a value is given without a name, or a folder is empty.
        """
        path = as_path(value)
        if path is None:
            if name is None:
                raise ParameterError(
                    what=f"The {type(value).__name__} to log has no name.",
                    why="Artifacts of a run are found by name.",
                    fix='Write log_artifact(value, name="…").',
                )
            return self._log_value(value, name)
        if name is not None:
            require_label(name, "artifact")
        try:
            return self._log_records(file_records(self.store, path, name))
        except StoreError as error:
            self.trouble.meet(error, f"artifact {name or path.name!r}")
            return ""

    def artifact(self, name: str) -> Any:
        """Load what was kept; a file, a picture and a sound come back as bytes.

        Args:
            name: As it was logged; of a series ``name@step``, or its name for the last step.

        Raises:
            NotFoundError: If the run has no artifact of that name.
            StoreError: If its bytes are gone or damaged.
        """
        return self.store.load(self.artifact_record(name), check=True)

    def artifacts(self) -> dict[str, ArtifactRecord]:
        """Give the records of all that `log_artifact` kept, by name: type, size and digest."""
        return self.store.metadata.artifacts.list(self.run_id)

    def artifact_record(self, name: str) -> ArtifactRecord:
        """Give the record of what was kept under a name; see `artifact`.

        Raises:
            NotFoundError: If the run has no artifact of that name.
        """
        found = self.artifacts()
        if name not in found:
            name = last_of(name, found)
        if name not in found:
            raise NotFoundError(
                what=f"Run {self.run_id} has no artifact {name!r}.",
                fix=did_you_mean(name, found) or "It has none at all.",
                name=name,
            )
        return found[name]

    def download(self, name: str | None = None, *, to: str | Path) -> list[Path]:
        """Write artifacts to files, a part at a time, checked by their digests.

        A value becomes a file of its format: a table Parquet, an array NPY, a figure JSON. A name
        that cannot be a file's on every system has escapes, ``12%3A30.txt``, and is told.

        Args:
            name: An artifact, or a folder of them; by default all.
            to: The folder for them; made if it is not there. Files in it are replaced.

        Returns:
            The files.

        Raises:
            NotFoundError: If the run has no artifact of that name.
            ParameterError: If a link in the folder leads out of it; all others are written.
            StoreError: If bytes are gone or damaged, or a file cannot be written; all others are.
        """
        found = self.artifacts()
        if name is not None:
            below = {label: item for label, item in found.items() if label.startswith(f"{name}/")}
            found = below if below and name not in found else {name: self.artifact_record(name)}
        return download(self.store, found, Path(to))

    def artifact_url(self, name: str, *, expires: timedelta = timedelta(hours=1)) -> str | None:
        """Give an address that anyone may read an artifact's bytes from, for a while.

        Args:
            name: The artifact.
            expires: For how long; S3 allows up to seven days.

        Returns:
            A signed ``https://`` address if the bytes are in a bucket, a ``file://`` address if
            they are in a folder; None if they are so few that they stand in the store's database.

        Raises:
            NotFoundError: If the run has no artifact of that name.
            ParameterError: If it cannot expire then.
        """
        record = self.artifact_record(name)
        if record.inline is not None:
            return None
        return self.store.artifacts.link(record.digest, expires=expires)

    def metric_history(self, key: str, *, most: int | None = None) -> "pl.DataFrame":
        """Give the values of a metric: a table with the columns step, time and value.

        They stand in order of step; values with the same step in order of time. Every logged value
        is there, also several of one step.

        Args:
            key: The metric's name.
            most: For a chart: at most so many points, the lowest and highest of each stretch
                among them; the time of such a point may be 1970.

        Raises:
            NotFoundError: If the run has no such metric.
            ParameterError: If fewer than one point is asked for.
            StoreError: If its points are damaged.
        """
        if most is not None and most < 1:
            raise ParameterError(
                what=f"At most {most} points of metric {key!r} were asked for.",
                fix="Ask for at least 1, or leave it out.",
            )
        import polars as pl

        self.store.flush()
        history = self.store.metadata.metrics.history(self.run_id, key, most=most)
        if not len(history) and key not in self.metrics:
            raise NotFoundError(
                what=f"Run {self.run_id} has no metric {key!r}.",
                fix=did_you_mean(key, self.metrics) or "It has none at all.",
                key=key,
            )
        frame = pl.DataFrame(
            {"step": history.steps, "time": history.times, "value": history.values}
        )
        return frame.with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))

    def finish(
        self, state: RunState | str = RunState.FINISHED, *, error: str | None = None
    ) -> None:
        """End the run.

        Args:
            state: ``finished``, ``failed`` or ``killed``.
            error: One line about what failed.

        Raises:
            ConflictError: If it has ended otherwise already.
        """
        self._end(RunState(state), error)

    def _end(self, state: RunState, error: str | None, *, only_attempt: int | None = None) -> None:
        record = self.record
        if record.state == state and state in _ENDED and record.presumed_at is None:
            return
        self.store.metadata.metrics.merge(self.run_id)
        changes: dict[str, Any] = {"state": state, "ended_at": now()}
        if error is not None:
            changes["error"] = error
        self._set(
            self.store.metadata.runs.update(self.run_id, only_attempt=only_attempt, **changes)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process as the run's id and its store; there it logs by the id."""
        address = self.store.address, self.store.artifacts.url
        return _reopen, (self.run_id, *address, self.trouble.strict)

    def __repr__(self) -> str:
        record = self._record
        return f"Run({record.run_id}, {record.name!r}, {record.state})"

    def _change(self, changes: dict[str, Any]) -> None:
        self._set(self.store.metadata.runs.update(self.run_id, **changes))

    def _set(self, record: RunRecord) -> None:
        self._record, self._stale, self._read_at = record, False, time.monotonic()

    def _record_fact(self, kind: str, value: Any, about: str) -> None:
        self.trouble.record(Fact(self.run_id, kind, value, about))
        self._stale = True

    def _log_value(self, value: Any, name: str) -> str:
        try:
            return self._log_records(value_records(self.store, value, name))
        except StoreError as error:
            self.trouble.meet(error, f"artifact {name!r}")
            return ""

    def _log_record(self, record: ArtifactRecord, name: str) -> str:
        return self._log_records({require_label(name, "artifact"): [record]})

    def _log_records(self, packed: Mapping[str, list[ArtifactRecord]]) -> str:
        first = {label: records[0] for label, records in packed.items()}
        # One transaction: a folder is logged whole or not at all.
        fact = artifacts_fact(
            self.run_id,
            first,
            [part for records in packed.values() for part in records[1:]],
            [edge for record in first.values() for edge in self._edges(record.content_digest)],
        )
        return list(first.values())[-1].content_digest if self.trouble.record(fact) else ""

    def _edges(self, digest: str) -> list[Edge]:
        artifact, step = f"artifact:{digest}", step_of(self.run_id)
        edges = [Edge(f"run:{self.run_id}", artifact, "logged")]
        if step is not None:
            edges.append(Edge(f"step:{step.step_run_id}", artifact, "logged"))
        return edges


def _reopen(run_id: str, url: str, artifacts: str, strict: bool) -> Run:
    """Open a run in another process, to log to it by its id."""
    store = open_store(url, artifacts=artifacts)
    return Run(store.metadata.runs.get(run_id), store, strict=strict)


def _few(names: Mapping[str, Any]) -> str:
    return ", ".join(list(names)[:3]) + (" …" if len(names) > 3 else "")  # noqa: PLR2004 - a few
