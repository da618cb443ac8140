"""One frozen record per stored noun: what the metadata store keeps and gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from penstock.core._states import (
    DeploymentState,
    GateState,
    RunState,
    Stage,
    StepState,
    Verdict,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _empty() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """Immutable bytes under their digest.

    Args:
        digest: SHA-256 of the stored bytes: their address.
        content_digest: Digest of the value by its type; equal values have equal ones.
        format: How it is stored: parquet, npy, json, skops, xgboost, lightgbm, bundle, text, bytes,
            figure, cloudpickle.
        type_name: The Python type it came from, for people.
        size_bytes: Length of the stored bytes.
        created_at: When it was stored last, to half an hour: ``penstock gc`` leaves alone what is
            young.
        unsafe: True if loading it can run code (cloudpickle).
        inline: The bytes themselves if they are small enough to live in the metadata store.
        metadata: Facts worth showing without loading: rows, columns, shape.
    """

    digest: str
    content_digest: str
    format: str
    type_name: str
    size_bytes: int
    created_at: datetime
    unsafe: bool = False
    inline: bytes | None = None
    metadata: Mapping[str, Any] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """What a metric's points come to; ``last`` is what search sorts by."""

    first: float
    last: float
    min: float
    max: float
    count: int
    last_step: float


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One logged value of a metric."""

    key: str
    value: float
    step: float
    time: datetime


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """Points of one metric of one run as columns: cheap for a million of them.

    Args:
        run_id: The run.
        key: The metric.
        steps: Finite numbers, shape (n,).
        values: Any numbers, shape (n,).
        times: Microseconds since 1970 in UTC, shape (n,).
    """

    run_id: str
    key: str
    steps: "NDArray[np.float64]"
    values: "NDArray[np.float64]"
    times: "NDArray[np.int64]"

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a pipeline or of a tracked script.

    Args:
        run_id: Sortable unique id.
        name: What people call it.
        experiment: The group of runs that it belongs to.
        pipeline: Name of the pipeline; None for a tracked script or notebook.
        entry: Where it was started from, ``file.py:function``, relative to the project; or None.
        state: See RunState.
        seed: The run seed that all step seeds derive from.
        attempt: 1, and one more for each resume.
        parent_run_id: The run that this one is nested in.
        created_at: When it was made; UTC as all times.
        started_at: When it began to run.
        ended_at: When it ended.
        heartbeat_at: Last sign of life.
        host: Machine that runs it.
        pid: Process that runs it; with ``pid_started`` unique on the host.
        pid_started: Start time of that process, seconds since 1970.
        user: Who started it.
        error: One line about what failed.
        params: Values as given and as logged, JSON-like.
        tags: Free marks.
        metrics: Summary by key.
        provenance: Digest of the artifact with its Manifest (code, environment, hardware); or None.
        graph: The pipeline's spec as plain JSON; or None.
        note: Markdown by the user.
        group: Runs that belong together, such as the folds of one validation; or empty.
        forked_from: The run whose points up to a step it began with; or None.
        forked_at: That step.
        archived_at: When it was put aside; None while it is among the others.
        deleted_at: When it was deleted; it can be restored until ``penstock gc`` removes it.
        process: Which boot and process namespace of the host the process belongs to, and when in
            that boot it began and beat last; compared on the same machine only.
        presumed_at: When it was presumed killed since no sign of life came; a later one revives it.
        missed: Sentences on what was logged and could not be recorded.
    """

    run_id: str
    name: str
    experiment: str
    pipeline: str | None
    entry: str | None
    state: RunState
    seed: int
    created_at: datetime
    attempt: int = 1
    parent_run_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    heartbeat_at: datetime | None = None
    host: str = ""
    pid: int = 0
    pid_started: float = 0.0
    user: str = ""
    error: str | None = None
    params: Mapping[str, Any] = field(default_factory=_empty)
    tags: Mapping[str, str] = field(default_factory=_empty)
    metrics: Mapping[str, MetricSummary] = field(default_factory=_empty)
    provenance: str | None = None
    graph: Mapping[str, Any] | None = None
    note: str = ""
    group: str = ""
    forked_from: str | None = None
    forked_at: float | None = None
    archived_at: datetime | None = None
    deleted_at: datetime | None = None
    process: str = ""
    presumed_at: datetime | None = None
    missed: tuple[str, ...] = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """What its pipeline was given: its parameters without those that steps have logged.

        One whose plain value says too little (a Timestamp, a dict by numbers) is a StoredArgument.
        """
        graph = self.graph or {}
        own, exact = graph.get("parameters", self.params), graph.get("arguments", {})
        return {
            name: StoredArgument(exact[name]) if name in exact else value
            for name, value in self.params.items()
            if name in own
        }


@dataclass(frozen=True, slots=True)
class StoredArgument:
    """An argument of a pipeline as its exact text; without one it was what has no text.

    Args:
        text: The text; ``""`` if the argument was the parameter's default.
    """

    text: str | None

    @property
    def is_default(self) -> bool:
        """Whether the parameter's default says what it was."""
        return self.text == ""


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """A named group of runs; made with its first run.

    Args:
        name: Its name.
        created_at: When its first run was made.
        note: Markdown by the user.
        tags: Free marks.
        runs: How many runs it has, without deleted ones.
        last_run_at: When the newest of them was made.
        archived_at: When it was put aside.
        deleted_at: When it was deleted.
    """

    name: str
    created_at: datetime
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=_empty)
    runs: int = 0
    last_run_at: datetime | None = None
    archived_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A name under which versions are registered; made with the first.

    Args:
        model: The name.
        created_at: When its first version was registered.
        note: Markdown by the user.
        tags: Free marks.
        versions: How many it has.
        champion: The number of its production version.
    """

    model: str
    created_at: datetime
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=_empty)
    versions: int = 0
    champion: int | None = None


@dataclass(frozen=True, slots=True)
class StepRunRecord:
    """One step of a run.

    Args:
        step_run_id: Unique id.
        run_id: The run.
        step: The step's name, unique in the pipeline.
        position: Place in the order of execution, from 0.
        state: See StepState.
        key: Step key: equal keys give equal results; None if the step is never cached.
        seed: The seed set before it ran.
        attempt: 1, and one more for each retry.
        started_at: When it began.
        ended_at: When it ended.
        inputs: Content digest by argument name, for arguments that come from other steps.
        outputs: Content digest by output name.
        addresses: Stored digest by content digest, for every one named above; by ``input:NAME`` or
            ``output:NAME`` where equal contents are stored as other bytes there. Read it with
            `input_address` and `output_address`.
        error: Exception as one line.
        traceback: The whole traceback, from the user's code on.
        cached_from: The step run whose outputs were reused.
        facts: Threads, hash seed, key parts: what `why` and `verify` need.
    """

    step_run_id: str
    run_id: str
    step: str
    position: int
    state: StepState
    key: str | None = None
    seed: int = 0
    attempt: int = 1
    started_at: datetime | None = None
    ended_at: datetime | None = None
    inputs: Mapping[str, str] = field(default_factory=_empty)
    outputs: Mapping[str, str] = field(default_factory=_empty)
    addresses: Mapping[str, str] = field(default_factory=_empty)
    error: str | None = None
    traceback: str | None = None
    cached_from: str | None = None
    facts: Mapping[str, Any] = field(default_factory=_empty)

    def input_address(self, path: str) -> str:
        """Return the stored digest of an input: where the bytes are that the step was given."""
        return _address(self.addresses, f"input:{path}", self.inputs[path])

    def output_address(self, name: str) -> str:
        """Return the stored digest of an output."""
        return _address(self.addresses, f"output:{name}", self.outputs[name])

    def with_inputs(self, inputs: Mapping[str, tuple[str, str]], **changes: Any) -> "StepRunRecord":
        """Return the record with its inputs: content digest and stored digest by path.

        Args:
            inputs: By path.
            changes: Other fields to replace at once.
        """
        contents = {path: content for path, (content, _) in inputs.items()}
        addresses = _addresses(self.addresses, "input:", inputs)
        return self._with({"inputs": contents, "addresses": addresses, **changes})

    def with_outputs(
        self, outputs: Mapping[str, tuple[str, str]], **changes: Any
    ) -> "StepRunRecord":
        """Return the record with its outputs: content digest and stored digest by name.

        Args:
            outputs: By name.
            changes: Other fields to replace at once.
        """
        contents = {name: content for name, (content, _) in outputs.items()}
        addresses = _addresses(self.addresses, "output:", outputs)
        return self._with({"outputs": contents, "addresses": addresses, **changes})

    def _with(self, changes: Mapping[str, Any]) -> "StepRunRecord":
        """Do as `dataclasses.replace`, in less time: it is done twice for each step."""
        values = dict(zip(_STEP_FIELDS, _step_values(self), strict=True))
        return StepRunRecord(**{**values, **changes})


_STEP_FIELDS = tuple(each.name for each in fields(StepRunRecord))
_step_values = attrgetter(*_STEP_FIELDS)


def _address(addresses: Mapping[str, str], place: str, content: str) -> str:
    return addresses.get(place) or addresses.get(content, content)


def _addresses(
    known: Mapping[str, str], role: str, places: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """Add addresses; equal contents may be stored as other bytes, and each keeps its own."""
    found = dict(known)
    for name, (content, stored) in places.items():
        if found.setdefault(content, stored) != stored:
            found[role + name] = stored
    return found


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a step wrote."""

    time: datetime
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow of the lineage graph, from what was used to what came of it.

    Nodes are written ``kind:id``: ``source:…``, ``artifact:sha256:…`` (content digest), ``step:…``,
    ``run:…``, ``code:…``, ``environment:…``, ``version:model@3``, ``deployment:…``, ``prediction:…``.
    """

    source: str
    target: str
    role: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's answer with its reason."""

    gate: str
    state: GateState
    reason: str


@dataclass(frozen=True, slots=True)
class ModelVersionRecord:
    """A numbered, unchangeable model under a name.

    Args:
        model: The model's name.
        version: Number, from 1, dense and never reused.
        stage: See Stage.
        run_id: The run that made it; None if it was registered by hand.
        trained_by: Who ran that run.
        artifact: Stored digest of the model.
        content_digest: Content digest of the model.
        report: Stored digest of its EvaluationReport; or None.
        profile: Stored digest of its training profile (reference for drift); or None.
        signature: Input and output columns as plain JSON (see penstock.models.Signature).
        metrics: Headline metrics on the test rows.
        gates: Results as judged last.
        card: Stored digest of the model card (Markdown).
        created_at: When it was registered.
        revision: Counts changes; a move names the revision that it saw.
        note: Markdown by the user.
        tags: Free marks.
    """

    model: str
    version: int
    stage: Stage
    run_id: str | None
    trained_by: str
    artifact: str
    content_digest: str
    created_at: datetime
    report: str | None = None
    profile: str | None = None
    signature: Mapping[str, Any] = field(default_factory=_empty)
    metrics: Mapping[str, float] = field(default_factory=_empty)
    gates: tuple[GateResult, ...] = ()
    card: str | None = None
    revision: int = 1
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=_empty)

    @property
    def ref(self) -> str:
        """``model@version``."""
        return f"{self.model}@{self.version}"


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """Who said yes or no to a version, when and why."""

    model: str
    version: int
    approver: str
    approved: bool
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Who let a waiting step of a run go on or not, when and why."""

    run_id: str
    step: str
    approved: bool
    decided_by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StageEvent:
    """One move of a version between stages; hash-chained per store.

    Args:
        model: The model's name.
        version: The version that moved.
        from_stage: Where it was.
        to_stage: Where it went.
        actor: Who did it.
        reason: Why.
        at: When.
        hash: SHA-256 over the previous event's hash and this event.
    """

    model: str
    version: int
    from_stage: Stage
    to_stage: Stage
    actor: str
    reason: str
    at: datetime
    hash: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """A named endpoint that sends requests to model versions.

    Args:
        name: The endpoint's name; by default the model's.
        model: The model whose versions it serves.
        state: See DeploymentState.
        weights: Share of units (0 to 1) by version number; they sum to 1.
        control: The version that traffic goes back to.
        generation: Counts changes.
        rollout: Steps, position, rules and state of the running rollout as plain JSON; or None.
        updated_at: Last change.
    """

    name: str
    model: str
    state: DeploymentState
    weights: Mapping[int, float]
    control: int
    updated_at: datetime
    generation: int = 1
    rollout: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DeploymentEvent:
    """Something that happened to a deployment, told for people."""

    name: str
    kind: str
    message: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One answered row.

    Args:
        prediction_id: Unique id given to the caller.
        deployment: The endpoint that answered.
        model: The model.
        version: The version that answered.
        at: When.
        unit: The id that sticky routing hashed; None if none was given.
        inputs: The row by column name.
        prediction: The answer: class label or number.
        score: Probability of the positive (or predicted) class; None for regression.
        latency_s: Seconds spent.
        warnings: What the caller was warned of.
        truth: The true value, once posted.
        truth_at: When it was posted.
        error: Set if the request failed: the model failed on the row, or refused it although the
            version beside it in a rollout would have answered.
        row_index: Place of the row in its request, from 0; a request that failed has one record,
            with 0. Requests are counted by their first row.
    """

    prediction_id: str
    deployment: str
    model: str
    version: int
    at: datetime
    inputs: Mapping[str, Any]
    prediction: Any
    unit: str | None = None
    score: float | None = None
    latency_s: float = 0.0
    warnings: tuple[str, ...] = ()
    truth: Any = None
    truth_at: datetime | None = None
    error: str | None = None
    row_index: int = 0


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """A raised alarm.

    Args:
        alert_id: Unique id.
        deployment: The watched endpoint.
        model: Its model.
        kind: ``feature_drift``, ``prediction_drift``, ``performance``, ``errors``, ``data_quality``.
        subject: The column or metric.
        message: One sentence with the figures.
        raised_at: When first seen.
        last_seen_at: When last seen.
        count: How often it was seen.
        resolved_at: When it was gone; None while open.
        report: Stored digest of the DriftReport that shows it.
    """

    alert_id: str
    deployment: str
    model: str
    kind: str
    subject: str
    message: str
    raised_at: datetime
    last_seen_at: datetime
    count: int = 1
    resolved_at: datetime | None = None
    report: str | None = None


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """A stored monitoring report."""

    report_id: str
    deployment: str
    model: str
    version: int
    at: datetime
    drifted: bool
    artifact: str
    summary: Mapping[str, Any] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class ProofRecord:
    """The answer of a proof about a run.

    Args:
        run_id: The run.
        kind: ``verified``.
        verdict: See Verdict.
        at: When it was proved.
        details: The whole report as plain JSON.
    """

    run_id: str
    kind: str
    verdict: Verdict
    at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """One reading of a source, to check the next one's schema against.

    Args:
        source: The source's name.
        run_id: The run that read it; None outside a run.
        at: When.
        schema: Schema as plain JSON (see penstock.data.Schema).
        ordered_digest: Digest of the rows in order.
        order_free_digest: Digest of the rows as a multiset.
        rows: How many.
    """

    source: str
    run_id: str | None
    at: datetime
    schema: Mapping[str, Any]
    ordered_digest: str
    order_free_digest: str
    rows: int
