"""get_lineage: from a prediction, version, run or artifact to the origins, or to the results."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.core import (
    Edge,
    ModelVersionRecord,
    PredictionRecord,
    RunRecord,
    require_choice,
    require_type,
    short,
    to_json,
)
from penstock.lineage._facts import count_answered, read_data, read_provenance
from penstock.lineage._subject import Subject, find_subject
from penstock.stores import Store, open_store

_WAYS: Mapping[str, tuple[Literal["up", "down"], ...]] = {
    "up": ("up",),
    "down": ("down",),
    "both": ("up", "down"),
}


@dataclass(frozen=True, slots=True)
class Lineage:
    """The ancestors or descendants of a node, with the facts that people ask for.

    Args:
        node: The node that was asked for, ``kind:id``.
        direction: ``up`` for ancestors, ``down`` for descendants, or ``both``.
        edges: Edges of the lineage graph, each from an input to a result.
        nodes: All nodes, in order of distance from ``node``.
        prediction: The predicted row, if the node is a prediction.
        version: The model version of the node; of a prediction, the version that answered.
        run: The run that made the version, or the node itself.
        sources: Per snapshot: source, rows, times and digests.
        split: Rows per subset, target and kind of split.
        code: Commit, dirty or not, number of files, digest.
        environment: Python and packages.
        answered: Downwards: number of predictions per deployment and version.
    """

    node: str
    direction: str
    edges: tuple[Edge, ...] = ()
    nodes: tuple[str, ...] = ()
    prediction: PredictionRecord | None = None
    version: ModelVersionRecord | None = None
    run: RunRecord | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    split: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    answered: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the lineage as plain JSON, the form of the CLI and the web UI."""
        run = self.run
        return {
            "node": self.node,
            "direction": self.direction,
            "nodes": list(self.nodes),
            "edges": to_json(self.edges),
            "prediction": to_json(self.prediction),
            "version": self.version.ref if self.version else None,
            "model_digest": self.version.content_digest if self.version else None,
            "run_id": run.run_id if run else None,
            "seed": run.seed if run else None,
            "params": to_json(run.params) if run else {},
            "sources": to_json(self.sources),
            "split": to_json(self.split),
            "code": to_json(self.code),
            "environment": to_json(self.environment),
            "answered": to_json(self.answered),
        }

    def lines(self) -> Iterator[str]:
        """Return the trace as text for people, a line per fact."""
        if self.prediction:
            p = self.prediction
            text = f"failed ({p.error})" if p.error else repr(p.prediction)
            yield f"prediction  {p.prediction_id}: {text} at {p.at:%Y-%m-%d %H:%M:%S} UTC"
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
            text = f"commit {commit[:12]}" if commit else "no git"
            dirty = " with uncommitted changes, kept" if self.code.get("dirty") else ""
            yield f"  code      {text}{dirty}, {self.code['files']} files"
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
                f"  {one['version']} predicted {one['predictions']:,} rows in {one['deployment']}, "
                f"{one['truth']:,} of them with ground truth"
            )
        if not (self.edges or self.answered):
            yield f"Nothing is recorded beyond {_brief(self.node)}."


def get_lineage(
    subject: str,
    direction: Literal["up", "down", "both"] = "up",
    *,
    details: bool = True,
    store: Store | str | None = None,
) -> Lineage:
    """Return the ancestors of a prediction, model version, run or artifact, or the descendants.

    Args:
        subject: A prediction id, ``model@version``, a run id, a digest or a node ``kind:id``.
        direction: ``up`` for ancestors, ``down`` for descendants, or ``both``.
        details: Whether rows, split, code, environment and predictions are looked up; without, only
            the graph is.
        store: Store that has the subject; by default the project's store.

    Raises:
        NotFoundError: If nothing of that name is recorded.
        ParameterError: If the direction is unknown, or the subject is no text.
    """
    require_type("subject", subject, str, 'Give an id, a digest or "model@version".')
    require_choice("direction", direction, _WAYS)
    store = open_store(store)
    target = find_subject(store, subject)
    edges = _edges(store, target, direction)
    run = target.run
    if run is None and target.version is not None and target.version.run_id:
        run = store.metadata.runs.get(target.version.run_id)
    is_up, is_down = "up" in _WAYS[direction], "down" in _WAYS[direction]
    sources, split = read_data(store, run) if details and is_up and run else ((), {})
    code, environment = read_provenance(store, run) if details and is_up and run else ({}, {})
    return Lineage(
        target.node,
        direction,
        edges,
        _by_distance(target.node, edges),
        target.prediction,
        target.version if is_up else None,
        run if is_up else None,
        sources,
        split,
        code,
        environment,
        count_answered(store, target.node, edges) if details and is_down else (),
    )


def _edges(store: Store, target: Subject, direction: str) -> tuple[Edge, ...]:
    """List the edges; a prediction stands below the version, which holds no edge to each row."""
    if target.batch is not None:
        run = f"run:{target.batch}"
        above = store.metadata.artifacts.list_edges(run, direction="up")
        return () if direction == "down" else (Edge(run, target.node, "predicted"), *above)
    if target.prediction is not None and target.version is not None:
        version = f"version:{target.version.ref}"
        answered = Edge(version, target.node, "answered")
        above = store.metadata.artifacts.list_edges(version, direction="up")
        return () if direction == "down" else tuple(dict.fromkeys([answered, *above]))
    return tuple(
        dict.fromkeys(
            edge
            for way in _WAYS[direction]
            for edge in store.metadata.artifacts.list_edges(target.node, direction=way)
        )
    )


def _by_distance(start: str, edges: tuple[Edge, ...]) -> tuple[str, ...]:
    beside: dict[str, list[str]] = {}
    for edge in edges:
        beside.setdefault(edge.source, []).append(edge.target)
        beside.setdefault(edge.target, []).append(edge.source)
    seen, waiting = {start: None}, deque([start])
    while waiting:
        for far in beside.get(waiting.popleft(), []):
            if far not in seen:
                seen[far] = None
                waiting.append(far)
    return tuple(seen)


def _brief(node: str) -> str:
    """Return a node with a short digest.

    >>> _brief("artifact:sha256:0123456789abcdef0123"), _brief("source:rides")
    ('artifact:0123456789ab', 'source:rides')
    """
    kind, _, rest = node.partition(":")
    return f"{kind}:{short(rest)}" if rest.startswith("sha256:") else node
