"""Selection: the steps of a run to execute, where a single step or item is executed alone."""

from collections.abc import Sequence
from typing import Any

from penstock.pipelines import Graph, Node


class Selection:
    """The part of a graph that a step needs which is executed alone, as by `run_step`.

    Args:
        graph: The graph of the run.
        alone: The step, ``train``, or an item, ``train[3]``; None to execute the whole graph.
    """

    def __init__(self, graph: Graph, alone: str | None) -> None:
        self._graph, self._alone = graph, alone

    def steps(self) -> set[str] | None:
        """Return the step that is executed alone, and the steps needed; None for all."""
        if self._alone is None:
            return None
        own = self._alone.partition("[")[0]
        return {own, *self._graph.needed_by(own)}

    def executes(self, name: str) -> bool:
        """Return whether a node may be executed; of all further nodes an earlier result is required."""
        return self._alone is None or is_within(self._alone, name)

    def is_whole(self, node: Node) -> bool:
        """Return False if only a single item of a map or loop is executed."""
        return self._alone is None or not self._alone.startswith(f"{node.name}[")

    def has_item(self, node: Node, key: Any) -> bool:
        """Return whether an item of a map or loop is selected, or contains the selected item."""
        name = node.item_name(key)
        return self._alone == name or str(self._alone).startswith(f"{name}/")

    def nodes_of_item(self, nodes: Sequence[Node]) -> set[str] | None:
        """Return the names of an item's nodes that are needed; None for all.

        Args:
            nodes: Nodes of the item; each stands after the nodes that the node needs.
        """
        alone = self._alone
        if alone is None or not any(is_within(alone, node.name) for node in nodes):
            return None
        if any(node.name.startswith(f"{alone}/") for node in nodes):
            return None  # the whole item
        if any(node.name == alone or node.name.startswith(f"{alone}[") for node in nodes):
            names = {node.name for node in nodes if is_within(alone, node.name)}
        else:
            names = {node.name for node in nodes if alone.startswith(f"{node.name}[")}
        for node in reversed(nodes):
            if node.name in names:
                names.update(node.needs)
        return names


def is_within(step: str, node: str) -> bool:
    """Return whether a node is the given step, an item of that step, or the map of that item.

    >>> is_within("train", "train[3]"), is_within("train[3]", "train"), is_within("train", "test")
    (True, True, False)
    """
    return step == node or step.startswith(f"{node}[") or node.startswith((f"{step}[", f"{step}/"))
