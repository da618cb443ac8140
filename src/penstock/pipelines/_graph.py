"""Graph and Node: the traced pipeline, its order and its plain JSON form."""

import heapq
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from penstock.core import DefinitionError, NotFoundError, did_you_mean, find_project
from penstock.pipelines._output import Output, find_outputs
from penstock.pipelines._position import told
from penstock.pipelines._step import Step

_MAX_TEXT = 200
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # differs from run to run


@dataclass(frozen=True, eq=False)
class Node:
    """One call of a step in a pipeline.

    Args:
        name: Unique in the graph: the step's name, or ``train-2`` for a second call.
        step: The step.
        arguments: By argument name: an Output, a constant, or a container with Outputs.
        file: The user's file with the call.
        line: The line of the call.
    """

    name: str
    step: Step[Any, Any]
    arguments: Mapping[str, Any]
    file: str = "?"
    line: int = 0

    @cached_property
    def inputs(self) -> dict[str, Output]:
        """Outputs that it takes, by path: ``split``, ``models[0]``."""
        return {
            path: output
            for name, value in self.arguments.items()
            for path, output in find_outputs(value, name)
        }

    @property
    def position(self) -> str:
        """File and line of the call."""
        return told((self.file, self.line))


@dataclass(frozen=True, eq=False)
class Graph:
    """A pipeline's steps with what flows between them.

    Args:
        name: The pipeline's name.
        nodes: In the order of definition.
        result: What the body returned: an Output, a container of them, or None.
        parameters: The values that the body was traced with.
        description: The pipeline's first sentence.
        given: Steps that are not executed: what they gave in an earlier run is used.
        asked: How this part of a pipeline was asked for; empty for the whole. See `part_of`.

    Raises:
        DefinitionError: If steps wait for each other in a circle, or for one that does not exist.
    """

    name: str
    nodes: Sequence[Node]
    result: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    given: frozenset[str] = frozenset()
    asked: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.order()

    def __getitem__(self, name: str) -> Node:
        if name not in self._by_name:
            raise NotFoundError(
                what=f"Pipeline {self.name!r} has no step {name!r}.",
                fix=did_you_mean(name, self._by_name),
                name=name,
            )
        return self._by_name[name]

    @cached_property
    def outputs(self) -> dict[str, Output]:
        """Outputs that the pipeline returns, by path below ``result``."""
        return dict(find_outputs(self.result, "result"))

    def order(self) -> tuple[Node, ...]:
        """Give the nodes so that each comes after what it needs, else in order of definition."""
        return self._order

    def dependants(self, name: str) -> set[str]:
        """Name every step that needs a step, directly or not."""
        found = {self[name].name}
        for node in self._order:
            if any(output.node in found for output in node.inputs.values()):
                found.add(node.name)
        return found - {name}

    def needed_by(self, name: str) -> set[str]:
        """Name every step that a step needs, directly or not."""
        found, ahead = set[str](), [self[name].name]
        while ahead:
            needed = {output.node for output in self[ahead.pop()].inputs.values()} - found
            found |= needed
            ahead += needed
        return found

    def to_spec(self) -> dict[str, Any]:
        """Give the graph as plain JSON: what the UI draws and the run keeps.

        Returns:
            ``name``, ``description``, ``parameters``, ``outputs``, ``nodes`` and ``edges``; of a
            part also ``asked`` and ``given``.
        """
        return {
            "name": self.name,
            "description": self.description,
            "parameters": {name: _shown(value) for name, value in self.parameters.items()},
            "outputs": {path: output.text for path, output in self.outputs.items()},
            "nodes": [_node_spec(node) for node in self._order],
            "edges": [
                {"from": output.node, "to": node.name, "output": output.name, "argument": path}
                for node in self._order
                for path, output in node.inputs.items()
            ],
            **({"asked": dict(self.asked), "given": sorted(self.given)} if self.asked else {}),
        }

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def _order(self) -> tuple[Node, ...]:
        positions = {node.name: index for index, node in enumerate(self.nodes)}
        waiting = {node.name: self._needed(node, positions) for node in self.nodes}
        followers: dict[str, list[str]] = {name: [] for name in positions}
        for name, needed in waiting.items():
            for other in needed:
                followers[other].append(name)
        ready = [positions[name] for name, needed in waiting.items() if not needed]
        heapq.heapify(ready)
        ordered: list[Node] = []
        while ready:
            node = self.nodes[heapq.heappop(ready)]
            ordered.append(node)
            for name in followers[node.name]:
                waiting[name].discard(node.name)
                if not waiting[name]:
                    heapq.heappush(ready, positions[name])
        if len(ordered) < len(self.nodes):
            raise self._circle({name: needed for name, needed in waiting.items() if needed})
        return tuple(ordered)

    def _needed(self, node: Node, known: Mapping[str, int]) -> set[str]:
        needed = {output.node for output in node.inputs.values()}
        missing = sorted(name for name in needed if name not in known)
        if missing:
            raise DefinitionError(
                what=f"{node.position}: step {node.name!r} takes the output of {missing[0]!r}, "
                f"which is no step of pipeline {self.name!r}.",
                fix="Call that step in the same pipeline body. " + did_you_mean(missing[0], known),
                node=node.name,
            )
        return needed

    def _circle(self, waiting: Mapping[str, set[str]]) -> DefinitionError:
        name = min(waiting)
        chain: list[str] = []
        while name not in chain:
            chain.append(name)
            name = min(waiting[name] & waiting.keys())
        circle = [*chain[chain.index(name) :], name]
        return DefinitionError(
            what=f"Pipeline {self.name!r}: steps wait for each other in a circle: "
            f"{' ← '.join(circle)}.",
            why="None of them could ever start.",
            fix="Break the circle: one of them must not take the other's output.",
            steps=circle[:-1],
        )


def _node_spec(node: Node) -> dict[str, Any]:
    function = node.step.function
    return {
        "name": node.name,
        "function": f"{function.__module__}:{function.__qualname__}",
        "file": _relative(node.file),
        "line": node.line,
        "arguments": {name: _shown(value) for name, value in node.arguments.items()},
        "outputs": list(node.step.outputs),
        "effect": node.step.effect,
        "source": node.step.source,
        **({"cache_for": node.step.cache_for.total_seconds()} if node.step.cache_for else {}),
    }


def _shown(value: Any) -> str:
    if isinstance(value, Output):
        return value.text
    if isinstance(value, list):
        text = f"[{', '.join(_shown(item) for item in value)}]"
    elif isinstance(value, tuple):
        text = f"({', '.join(_shown(item) for item in value)})"
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    else:
        text = _ADDRESS.sub("", repr(value))
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


@lru_cache(maxsize=256)
def _relative(file: str) -> str:
    path = Path(file)
    if not path.is_file():
        return file
    project = find_project(path.parent)
    return path.resolve().relative_to(project).as_posix()
