"""``Run``: a run's logged data, and logging to the run while active."""

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
    with_article,
)
from penstock.stores import Fact, artifacts_fact, open_store
from penstock.tracking._download import download
from penstock.tracking._forgiving import Trouble, forgiving
from penstock.tracking._life import RunLife, children
from penstock.tracking._listening import listener
from penstock.tracking._media import RunMedia, in_order
from penstock.tracking._metric_log import MetricLog
from penstock.tracking._series import last_of
from penstock.tracking._step import step_of
from penstock.tracking._values import as_path, file_records, json_like, value_records

if TYPE_CHECKING:
    import polars as pl

    from penstock.stores import Store

_FRESH_S = 1.0
ENDED = frozenset({RunState.FINISHED, RunState.FAILED, RunState.KILLED})


class Run(RunLife, RunMedia):
    """A run: the record, and the methods that log.

    Reading queries the store while the run has not ended, so that data logged elsewhere is
    included.

    A store that cannot be written does not stop the work that is tracked: facts that could not be
    recorded are logged once as a warning by the logger ``penstock``.

    Args:
        record: The run as read last.
        store: The store in which the run is recorded.
        strict: Raise StoreError where something cannot be recorded.
    """

    follows = False  # True for a worker that is not the first: it writes no checkpoints

    def __init__(self, record: RunRecord, store: "Store", *, strict: bool = False) -> None:
        self._record, self.store = record, store
        self._log = MetricLog(record.run_id, store)
        self._stale = False
        self._read_at = time.monotonic()
        self._on_metric = listener.get()
        self.before: Run | None = None  # the run that was active when this run became active
        self.trouble = Trouble(record.run_id, store, strict=strict)
        self.checkpoints: set[str] = set()  # names that this script has used

    def begin_empty(self) -> None:
        """Note that the run was created just now: nothing is logged yet."""
        self._log.begin_empty()

    @property
    def run_id(self) -> str:
        """Unique id; sorts by time."""
        return self._record.run_id

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.record.name

    @property
    def experiment(self) -> str:
        """Name of the run's experiment."""
        return self._record.experiment

    @property
    def state(self) -> RunState:
        """State of the run."""
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
        """Number of the attempt: 1, plus 1 for each resume, as of the last reading."""
        return self._record.attempt

    @property
    def shown_name(self) -> str:
        """Name of the run as of the last reading; for messages."""
        return self._record.name

    @property
    def record(self) -> RunRecord:
        """The whole record; of a run that has ended at most a second old."""
        old = time.monotonic() - self._read_at > _FRESH_S
        if self._stale or old or self._record.state not in ENDED:
            self.store.flush()
            self._set(self.store.metadata.runs.get(self.run_id))
        return self._record

    @property
    def note(self) -> str:
        """Note of the run in Markdown; changed by `edit`."""
        return self.record.note

    @property
    def group(self) -> str:
        """Group of runs that this run belongs to; changed by `edit`."""
        return self.record.group

    @property
    def children(self) -> "list[Run]":
        """Runs nested in this run, oldest first."""
        return [Run(record, self.store) for record in children(self.store, self.run_id)]

    def log_param(self, name: str, value: object) -> None:
        """Log a parameter: a fixed input of the run, which does not change.

        Raises:
            ConflictError: If the parameter has a different value already.
        """
        self.log_params({name: value})

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters; values that are not JSON-like are stored as text. See `log_param`."""
        values = {
            require_label(name, "parameter"): json_like(value) for name, value in params.items()
        }
        self._record_fact("params", values, f"parameters {_few(values)}")

    def log_metric(self, key: str, value: float, step: float | None = None) -> None:
        """Log a value of a metric; the value survives the process once this returns.

        A call takes about a microsecond: the point goes to a file of this process, and from there
        into the store twice a second. All processes see the point then; this process at once. May
        be called from any thread, and in a forked or spawned process on a run of the parent.

        Args:
            key: The metric's name.
            value: A number; NaN and infinity are stored.
            step: Position on the x axis, for example the epoch: any finite number, in any order. By
                default the last step plus 1. A second value at a step is stored as well.

        Raises:
            ParameterError: If the value is not a number, or the step is not finite.
            StoreError: If the point cannot be stored, and the run was started with ``strict=True``.
        """
        self._stale = True
        try:
            self._log.log(key, value, step)
        except StoreError as error:
            self.trouble.meet(error)
        if self._on_metric is not None:
            self._on_metric(self._record.run_id, key, value, step)

    @forgiving
    def log_metrics(self, metrics: Mapping[str, float], step: float | None = None) -> None:
        """Log a value of each of several metrics, all or none; see `log_metric`."""
        self._stale = True
        self._log.log_several(metrics, step)
        if self._on_metric is not None:
            for key, value in metrics.items():
                self._on_metric(self._record.run_id, key, value, step)

    @forgiving
    def log_history(
        self, key: str, values: object, *, steps: object = None, times: object = None
    ) -> None:
        """Log many values of a metric at once, for example of a training that is over.

        Args:
            key: The metric's name.
            values: Numbers: a list, an array or a column of a table, shape (n,).
            steps: Finite numbers, shape (n,); by default counted on from the last step.
            times: Time of each measurement, shape (n,); by default now. Times without a zone are
                UTC.

        Raises:
            ParameterError: If a column is not of numbers, or they differ in length.
            StoreError: See `log_metric`.
        """
        self._stale = True
        self._log.log_columns(key, values, steps, times)

    def set_tag(self, name: str, value: object) -> None:
        """Set a tag."""
        self.set_tags({name: value})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; a tag that exists is replaced."""
        values = {require_label(name, "tag"): str(value) for name, value in tags.items()}
        self._record_fact("tags", values, f"tags {_few(values)}")

    def log_artifact(self, value: object, name: str | None = None) -> str:
        """Log a file, a folder or a value.

        Args:
            value: A path to a file or folder, or any value: a table, an array, a figure, a model.
                A text is a path; `log_text` logs a text itself.
            name: Name of the artifact; by default the file's name.

        Returns:
            The content digest; of a folder, the digest of the last file; empty if the artifact
            could not be stored.

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

    def log_dict(self, name: str, dictionary: Mapping[str, object]) -> str:
        """Log a dictionary as a JSON artifact, for example a configuration.

        MLflow's order, ``log_dict(dictionary, "config.json")``, is accepted too.

        Args:
            name: Name of the artifact.
            dictionary: Values by name; values that are not JSON-like are stored as text.

        Returns:
            The content digest; empty if the artifact could not be stored.

        Raises:
            ParameterError: If ``dictionary`` is not a mapping.
        """
        name, dictionary = in_order(name, dictionary)
        if not isinstance(dictionary, Mapping):
            raise ParameterError(
                what=f"log_dict got {with_article(type(dictionary).__name__)}, not a dictionary.",
                why="It stores values by name, as JSON.",
                fix='Write log_dict("config", {"lr": 0.1}); log_artifact takes any value.',
            )
        return self._log_value(json_like(dict(dictionary)), name)

    def log_model(self, model: object, name: str = "model") -> str:
        """Log a fitted model as an artifact; loaded again with ``run.artifact(name)``.

        A logged model belongs to the run. For serving, register a version: ``Registry.register`` or
        ``ps.steps.register``.

        Args:
            model: A fitted estimator, or a `penstock.models.Model`.
            name: Name of the artifact.

        Returns:
            The content digest; empty if the artifact could not be stored.

        Raises:
            ParameterError: If ``model`` has no ``predict``, or is a class instead of an instance.
        """
        if isinstance(model, type) or not callable(getattr(model, "predict", None)):
            what = model.__name__ if isinstance(model, type) else type(model).__name__
            kind = "class " if isinstance(model, type) else ""
            raise ParameterError(
                what=f"log_model got the {kind}{what}, which is no fitted model.",
                why="A model is an object with a predict method.",
                fix="Write log_model(estimator, name=…); log_artifact takes any other value.",
            )
        return self._log_value(model, name)

    def artifact(self, name: str) -> Any:  # Any: a logged value
        """Load an artifact; a file, a picture and a sound are returned as bytes.

        Args:
            name: Name as logged; of a series ``name@step``, or the bare name for the last step.

        Raises:
            NotFoundError: If the run has no artifact of that name.
            StoreError: If the bytes are gone or damaged.
        """
        return self.store.load(self.artifact_record(name), check=True)

    def artifacts(self) -> dict[str, ArtifactRecord]:
        """Return the records of all artifacts of the run by name: type, size and digest."""
        return self.store.metadata.artifacts.list(self.run_id)

    def artifact_record(self, name: str) -> ArtifactRecord:
        """Return the record of an artifact by name; see `artifact`.

        Raises:
            NotFoundError: If the run has no artifact of that name.
        """
        artifacts = self.artifacts()
        if name not in artifacts:
            name = last_of(name, artifacts)
        if name not in artifacts:
            raise NotFoundError(
                what=f"Run {self.run_id} has no artifact {name!r}.",
                fix=did_you_mean(name, artifacts) or "It has none at all.",
                name=name,
            )
        return artifacts[name]

    def download(self, name: str | None = None, *, to: str | Path) -> list[Path]:
        """Write artifacts to files, in chunks, with checked digests.

        A value becomes a file in the value's format: a table Parquet, an array NPY, a figure JSON.
        In a name that is not a legal file name on every system, illegal characters become escapes,
        ``12%3A30.txt``, and the logger reports the new name.

        Args:
            name: An artifact, or a folder of artifacts; by default all.
            to: The target folder; created if absent. Files there are replaced.

        Returns:
            The files.

        Raises:
            NotFoundError: If the run has no artifact of that name.
            ParameterError: If a link in the folder leads out of the folder; the rest is written.
            StoreError: If bytes are gone or damaged, or a file cannot be written; the rest is.
        """
        records = self.artifacts()
        if name is not None:
            below = {label: item for label, item in records.items() if label.startswith(f"{name}/")}
            records = below if below and name not in records else {name: self.artifact_record(name)}
        return download(self.store, records, Path(to))

    def artifact_url(self, name: str, *, expires: timedelta = timedelta(hours=1)) -> str | None:
        """Return a URL from which anyone may read an artifact's bytes for a limited time.

        Args:
            name: The artifact.
            expires: Lifetime of the URL; S3 allows up to seven days.

        Returns:
            A signed ``https://`` URL if the bytes are in a bucket, a ``file://`` URL if they are in
            a folder; None if they are so few that they are in the store's database.

        Raises:
            NotFoundError: If the run has no artifact of that name.
            ParameterError: If the lifetime is not allowed.
        """
        record = self.artifact_record(name)
        if record.inline is not None:
            return None
        return self.store.artifacts.link(record.digest, expires=expires)

    def metric_history(self, key: str, *, most: int | None = None) -> "pl.DataFrame":
        """Return the values of a metric: a table with the columns step, time and value.

        Rows are in order of step; values with the same step in order of time. Every logged value is
        included, also several of a step.

        Args:
            key: The metric's name.
            most: For a chart: at most so many points, the lowest and highest of each stretch among
                them; the time of such a point may be 1970.

        Raises:
            NotFoundError: If the run has no such metric.
            ParameterError: If ``most`` is less than 1.
            StoreError: If the points are damaged.
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
            error: A line about the failure.

        ConflictError: If the run has already ended in a different state.
        """
        self._end(RunState(state), error)

    def _end(self, state: RunState, error: str | None, *, only_attempt: int | None = None) -> None:
        record = self.record
        if record.state == state and state in ENDED and record.presumed_at is None:
            return
        self.store.metadata.metrics.merge(self.run_id)
        changes: dict[str, Any] = {"state": state, "ended_at": now()}
        if error is not None:
            changes["error"] = error
        self._set(
            self.store.metadata.runs.update(self.run_id, only_attempt=only_attempt, **changes)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the run as id and store; the receiving process logs by the id."""
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
        # In a single transaction: a folder is logged whole or not at all.
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
    """Open a run in a different process, to log to the run by id."""
    store = open_store(url, artifacts=artifacts)
    return Run(store.metadata.runs.get(run_id), store, strict=strict)


def _few(names: Mapping[str, Any]) -> str:
    return ", ".join(list(names)[:3]) + (" …" if len(names) > 3 else "")  # noqa: PLR2004 - a few
