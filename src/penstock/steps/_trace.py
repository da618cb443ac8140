"""trace: from a prediction back to the rows, code and environment that made its model."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.core import (
    Edge,
    ModelVersionRecord,
    PenstockError,
    PredictionRecord,
    RunRecord,
    short,
)
from penstock.steps._subject import find_subject
from penstock.stores import Store, open_store


@dataclass(frozen=True, slots=True)
class LineageTrace:
    """The ancestors or descendants of a subject in the lineage graph.

    Args:
        subject: The subject, as a lineage node or prediction id.
        prediction: The predicted row, if the subject is a prediction.
        version: The model version, if there is one on the way.
        run: The run that made the version.
        sources: Per snapshot: source, rows, times and digests.
        split: Rows per subset, target and kind of split.
        code: Commit, dirty or not, number of files, digest.
        environment: Python and packages.
        edges: Edges of the lineage graph.
        answered: Downwards: number of predictions per deployment and version.
    """

    subject: str
    prediction: PredictionRecord | None = None
    version: ModelVersionRecord | None = None
    run: RunRecord | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    split: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    answered: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the trace as plain JSON."""
        return {
            "subject": self.subject,
            "prediction": _prediction_document(self.prediction),
            "version": self.version.ref if self.version else None,
            "model_digest": self.version.content_digest if self.version else None,
            "run_id": self.run.run_id if self.run else None,
            "seed": self.run.seed if self.run else None,
            "params": dict(self.run.params) if self.run else {},
            "sources": [dict(source) for source in self.sources],
            "split": dict(self.split),
            "code": dict(self.code),
            "environment": dict(self.environment),
            "edges": [[edge.source, edge.role, edge.target] for edge in self.edges],
            "answered": [dict(one) for one in self.answered],
        }

    def lines(self) -> Iterator[str]:
        """Return the trace as text for people, a line per fact."""
        if self.prediction:
            p = self.prediction
            told = f"failed ({p.error})" if p.error else repr(p.prediction)
            yield f"prediction  {p.prediction_id}: {told} at {p.at:%Y-%m-%d %H:%M:%S} UTC"
            yield f"  truth     {'not known yet' if p.truth is None else repr(p.truth)}"
        if self.version:
            v = self.version
            yield f"  model     {v.ref} ({v.stage.value}), {short(v.content_digest)}"
        if self.run:
            r = self.run
            yield f"  run       {r.run_id} of {r.pipeline or r.name}, seed {r.seed}, by {r.user}"
        for source in self.sources:
            span = (
                f", {source['first_time']} to {source['last_time']}" if source["first_time"] else ""
            )
            yield (
                f"  rows      {source['rows']:,} of {source['source']}{span}, "
                f"{short(source['ordered_digest'])}"
            )
        if self.split:
            parts = ", ".join(f"{name} {rows:,}" for name, rows in self.split["rows"].items())
            yield f"  split     {parts}; target {self.split['target']}"
        if self.code:
            commit = self.code.get("commit")
            told = f"commit {commit[:12]}" if commit else "no git"
            dirty = " with uncommitted changes, kept" if self.code.get("dirty") else ""
            yield f"  code      {told}{dirty}, {self.code['files']} files"
        if self.environment:
            env = self.environment
            yield f"  made on   Python {env['python']}, {env['packages']} packages, {env['platform']}"
        if not (self.prediction or self.version or self.run):
            yield from self._graph_lines()

    def _graph_lines(self) -> Iterator[str]:
        for edge in self.edges:
            yield f"  {_brief(edge.source)} --{edge.role}--> {_brief(edge.target)}"
        for one in self.answered:
            yield (
                f"  {one['version']} answered {one['predictions']:,} rows in {one['deployment']}, "
                f"the truth of {one['truth']:,} is known"
            )
        if not (self.edges or self.answered):
            yield f"Nothing is recorded beyond {_brief(self.subject)}."


def trace(subject: str, *, direction: str = "up", store: Store | str | None = None) -> LineageTrace:
    """Trace a prediction, model version, run or artifact to its ancestors, or its descendants.

    Args:
        subject: A prediction id, ``model@version``, a run id, a digest or a node ``kind:id``.
        direction: ``up`` for ancestors, ``down`` for descendants.
        store: Store that has the subject; by default the project's store.

    Raises:
        NotFoundError: If nothing of that name is recorded.
    """
    store = open_store(store)
    prediction, version, run, node = find_subject(store, subject)
    if run is None and version is not None and version.run_id:
        run = store.metadata.runs.get(version.run_id)
    edges = tuple(store.metadata.artifacts.list_edges(node, direction=direction))
    if direction == "down":
        if prediction:  # a single prediction has no descendants but its ground truth
            return LineageTrace(prediction.prediction_id, prediction)
        return LineageTrace(node, edges=edges, answered=_answered(store, node, edges))
    sources, split = _data(store, run) if run else ((), {})
    code, environment = _provenance(store, run) if run else ({}, {})
    return LineageTrace(
        prediction.prediction_id if prediction else node,
        prediction,
        version,
        run,
        sources,
        split,
        code,
        environment,
        edges,
    )


def _answered(store: Store, node: str, edges: Iterable[Edge]) -> tuple[Mapping[str, Any], ...]:
    """Count the predictions of the versions below a node, per deployment."""
    below = dict.fromkeys([node, *(edge.target for edge in edges)])
    refs = [name.removeprefix("version:") for name in below if name.startswith("version:")]
    return tuple(
        {
            "version": ref,
            "deployment": deployment.name,
            "predictions": counts["rows"],
            "truth": counts["truth"],
        }
        for deployment in store.metadata.deployments.list()
        for number, counts in sorted(store.metadata.predictions.count(deployment.name).items())
        if (ref := f"{deployment.model}@{number}") in refs
    )


def _brief(node: str) -> str:
    """Return a node with a short digest.

    >>> _brief("artifact:sha256:0123456789abcdef0123"), _brief("source:rides")
    ('artifact:0123456789ab', 'source:rides')
    """
    kind, _, rest = node.partition(":")
    return f"{kind}:{short(rest)}" if rest.startswith("sha256:") else node


def _data(store: Store, run: RunRecord) -> tuple[tuple[Mapping[str, Any], ...], Mapping[str, Any]]:
    """Return the facts of the run's snapshots and split; values of different types are skipped."""
    sources, split = [], {}
    for step in store.metadata.steps.list(run.run_id):
        for name, digest in step.outputs.items():
            record = store.metadata.artifacts.get(step.output_address(name), digest)
            if record.format != "bundle":
                continue
            try:
                value = store.load(record)
            except PenstockError:
                continue
            if hasattr(value, "ordered_digest"):
                sources.append(_source_document(value))
            elif hasattr(value, "train") and hasattr(value, "target"):
                split = _split_document(value)
    return tuple(sources), split


def _source_document(snapshot: Any) -> dict[str, Any]:
    return {
        "source": snapshot.source.get("name", ""),
        "rows": snapshot.rows,
        "since": _text(snapshot.since),
        "cutoff": _text(snapshot.cutoff),
        "first_time": _text(snapshot.first_time),
        "last_time": _text(snapshot.last_time),
        "ordered_digest": snapshot.ordered_digest,
        "order_free_digest": snapshot.order_free_digest,
    }


def _split_document(split: Any) -> dict[str, Any]:
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    return {
        "rows": {name: len(part) for name, part in parts.items() if part is not None},
        "target": split.target,
        "by_time": split.by_time,
        "by_group": split.by_group,
        "table_digest": split.table_digest,
    }


def _provenance(store: Store, run: RunRecord) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if run.provenance is None:
        return {}, {}
    manifest = store.get(run.provenance)
    code, environment = manifest["code"], manifest["environment"]
    return (
        {
            "commit": code.get("commit"),
            "dirty": bool(code.get("dirty")),
            "files": len(code.get("files", {})),
            "digest": run.provenance,
        },
        {
            "python": environment.get("python"),
            "platform": environment.get("platform"),
            "packages": len(environment.get("packages", {})),
        },
    )


def _prediction_document(record: PredictionRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "prediction_id": record.prediction_id,
        "deployment": record.deployment,
        "at": record.at,
        "inputs": dict(record.inputs),
        "prediction": record.prediction,
        "score": record.score,
        "truth": record.truth,
    }


def _text(moment: Any) -> str | None:
    return None if moment is None else str(moment)
