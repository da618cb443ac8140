"""The part of a large lineage graph to show: near nodes first, and few of many similar nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.core import Edge

_MOST = 60
_ALIKE = 3


@dataclass(frozen=True, slots=True)
class Subgraph:
    """The nodes and arrows to draw.

    Args:
        nodes: Nearest first; the first is the start of the walk.
        edges: The arrows between them.
        left_out: Number of nodes of the graph that are left out.
    """

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    left_out: int


def nearest_part(start: str, edges: Sequence[Edge], favoured: frozenset[str]) -> Subgraph:
    """Walk from a node outwards; of many neighbours of a kind only a few are followed.

    An output of a hundred runs has a hundred producers, and a few of them are enough to see.

    Args:
        start: The node to start from.
        edges: The whole graph.
        favoured: Nodes to follow first, for example the steps of the run in question.
    """
    beside: dict[str, dict[tuple[str, str], list[str]]] = {}
    for edge in edges:
        for one, way, other in (
            (edge.source, "down", edge.target),
            (edge.target, "up", edge.source),
        ):
            kinds = beside.setdefault(one, {})
            kinds.setdefault((way, other.partition(":")[0]), []).append(other)
    order, seen = [start], {start}
    for node in order:
        for others in beside.get(node, {}).values():
            for other in _chosen(others, favoured):
                if other not in seen and len(order) < _MOST:
                    seen.add(other)
                    order.append(other)
    kept = tuple(edge for edge in edges if edge.source in seen and edge.target in seen)
    everything = {end for edge in edges for end in (edge.source, edge.target)} | {start}
    return Subgraph(tuple(order), kept, len(everything) - len(order))


def _chosen(others: list[str], favoured: frozenset[str]) -> list[str]:
    """Choose among neighbours of a kind: the favoured nodes, else the newest."""
    wanted = sorted(set(others) & favoured)
    # Ids rise with time.
    return (wanted or sorted(set(others), reverse=True))[:_ALIKE]
