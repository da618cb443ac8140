"""The lineage of an artifact, run or version: inputs and results."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import Edge, NotFoundError
from penstock.tracking._search import as_store

if TYPE_CHECKING:
    from penstock.stores import Store


@dataclass(frozen=True, slots=True)
class Lineage:
    """The arrows around a node.

    Args:
        node: Where the walk began.
        direction: ``up`` to the inputs, ``down`` to the results.
        edges: The arrows, from input to result.
        nodes: All nodes, in order of distance from the beginning.
    """

    node: str
    direction: str
    edges: tuple[Edge, ...]
    nodes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the lineage as plain JSON-like values."""
        return {
            "node": self.node,
            "direction": self.direction,
            "nodes": list(self.nodes),
            "edges": [
                {"source": edge.source, "target": edge.target, "role": edge.role}
                for edge in self.edges
            ],
        }


def get_lineage(node: str, direction: str = "up", *, store: "Store | str | None" = None) -> Lineage:
    """Walk the lineage graph.

    Args:
        node: ``kind:id`` as in Edge; or a digest, ``model@version``, or a run's id.
        direction: ``up`` (inputs) or ``down`` (results).
        store: A store or a store URL; by default the project's.

    Raises:
        NotFoundError: If the node does not exist.
        ParameterError: If the direction is neither ``up`` nor ``down``.
    """
    opened = as_store(store)
    start = find_node(node, store=opened)
    edges = tuple(opened.metadata.artifacts.list_edges(start, direction=direction))
    return Lineage(start, direction, edges, _by_distance(start, edges, direction))


def find_node(text: str, *, store: "Store") -> str:
    """Return the node that a short name means: a digest, ``model@3``, a run's id.

    Raises:
        NotFoundError: If the name means nothing.
    """
    if text.startswith("sha256:"):
        return f"artifact:{store.metadata.artifacts.get(text).content_digest}"
    if ":" in text:
        return text
    model, at, version = text.partition("@")
    if at and version.isdigit():
        # Raises for an unknown version, with suggestions.
        store.metadata.models.get_version(model, int(version))
        return f"version:{text}"
    try:
        return f"run:{store.metadata.runs.get(text).run_id}"
    except NotFoundError:
        pass
    try:
        return f"prediction:{store.metadata.predictions.get(text).prediction_id}"
    except NotFoundError:
        raise NotFoundError(
            what=f"{text!r} is no run, no model version, no prediction and no digest.",
            fix="Write for example run:…, big-tips@3 or sha256:…",
            node=text,
        ) from None


def _by_distance(start: str, edges: tuple[Edge, ...], direction: str) -> tuple[str, ...]:
    beside: dict[str, list[str]] = {}
    for edge in edges:
        near, far = (
            (edge.source, edge.target) if direction == "down" else (edge.target, edge.source)
        )
        beside.setdefault(near, []).append(far)
    seen, waiting = {start: None}, deque([start])
    while waiting:
        for far in beside.get(waiting.popleft(), []):
            if far not in seen:
                seen[far] = None
                waiting.append(far)
    return tuple(seen)
