"""Graph and Node: the traced pipeline, and the order of its steps."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from penstock.core import DefinitionError, NotFoundError, did_you_mean
from penstock.pipelines._output import Output, find_outputs, rewrite_outputs
from penstock.pipelines._position import position_text
from penstock.pipelines._step import Step
from penstock.stores import part_key, part_name

ITEM = "[]"  # the output of ``train[3]`` that stands for the item
_TYPED = "%:"  # before the key of an item that is neither text nor a list index
_RESERVED = {ord(sign): f"%{ord(sign):02X}" for sign in "%[]/"}


@dataclass(frozen=True, eq=False)
class Node:
    """A call of a step in a pipeline.

    Args:
        name: Unique in the graph: the step's name, or ``train-2`` for a second call.
        step: The step.
        arguments: By argument name: an Output, a constant, or a container with Outputs.
        file: The user's file with the call.
        line: The line of the call.
        each: The argument with the mapped value: the step runs once for each item. For a loop, the
            argument that gets the value of each round.
        by: Column whose values split a table into the items.
        max_rounds: For a loop, the maximum number of rounds; 0 if the node is no loop.
        body: For a mapped pipeline, the nodes of each item; their names begin with ``name[]/``.
            Empty for a mapped step.
        gives: For a mapped pipeline, the return value of the body.
        guards: Conditions of the execution, each with the required answer.
        index: Position, if the node is an item of a list or a round of a loop.
    """

    name: str
    step: Step[Any, Any]
    arguments: Mapping[str, Any]
    file: str = "?"
    line: int = 0
    each: str | None = None
    by: str | None = None
    max_rounds: int = 0
    body: "tuple[Node, ...]" = ()
    gives: Any = None
    guards: tuple[tuple[Output, bool], ...] = ()
    index: int | None = None

    @cached_property
    def inputs(self) -> dict[str, Output]:
        """Outputs that the node takes, by path: ``split``, ``models[0]``."""
        outputs = {
            path: output
            for name, value in self.arguments.items()
            for path, output in find_outputs(value, name)
        }
        # Outputs from outside that the body of a mapped pipeline uses without taking them as
        # arguments.
        for node in self.body:
            for output in (*node.inputs.values(), *(guard for guard, _ in node.guards)):
                if not output.node.startswith(f"{self.name}[]"):
                    outputs.setdefault(f"{output.text} around", output)
        return outputs

    @property
    def needs(self) -> Iterator[str]:
        """Names of the steps that must have ended before the node can start."""
        yield from (output.node for output in self.inputs.values() if output.name != ITEM)
        yield from (output.node for output, _ in self.guards)

    @property
    def is_expanded(self) -> bool:
        """True if the node is expanded into nodes when the mapped value is known."""
        return self.each is not None

    @property
    def seed_name(self) -> str:
        """Name that the seed is derived from, with ``index``."""
        return self.name if self.index is None else self.name.removesuffix(f"[{self.index}]")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return ("result",) if self.body else self.step.outputs

    def item_name(self, key: object) -> str:
        """Return an item's name: ``train[3]``, ``train[Paris]``, ``train[%:null]`` for None."""
        return f"{self.name}[{_quoted(key)}]"

    def item(self, key: object, value: object) -> "tuple[Node, ...]":
        """Return the nodes of an item, or of a round of a loop.

        Args:
            key: Index of the item in a list, or key in a dict.
            value: The item: an Output, or a constant.
        """
        name = self.item_name(key)
        index = key if type(key) is int and key >= 0 else None
        if not self.body:
            arguments = {**self.arguments, str(self.each): value}
            step = self.step
            return (Node(name, step, arguments, self.file, self.line, index=index),)
        placeholder = f"{self.name}[]"

        def change(output: Output) -> Any:
            if output.node == placeholder:
                return value
            return output.moved(placeholder, name)

        return tuple(node.moved(placeholder, name, change) for node in self.body)

    def moved(self, before: str, after: str, change: Callable[[Output], Any]) -> "Node":
        """Return a copy of the node with a new prefix of the name, and outputs changed."""
        return replace(
            self,
            name=after + self.name.removeprefix(before),
            arguments={name: rewrite_outputs(v, change) for name, v in self.arguments.items()},
            body=tuple(node.moved(before, after, change) for node in self.body),
            gives=rewrite_outputs(self.gives, change),
            guards=tuple((change(output), wanted) for output, wanted in self.guards),
        )

    @property
    def position(self) -> str:
        """File and line of the call."""
        return position_text((self.file, self.line))


@dataclass(frozen=True, eq=False)
class Graph:
    """A pipeline's steps and the edges between them.

    Args:
        name: Name of the pipeline.
        nodes: In the order of definition.
        result: Return value of the body: an Output, a container of outputs, or None.
        parameters: The parameter values with which the body was traced.
        description: First sentence of the pipeline's docstring.
        given: Steps that are not executed: results of earlier runs are used.
        asked: The selection that made this part of a pipeline; empty for the whole. See `part_of`.

    Raises:
        DefinitionError: If steps form a circle, or a step that does not exist is needed.
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
        node = self.find(name)
        if node is None:
            raise NotFoundError(
                what=f"Pipeline {self.name!r} has no step {name!r}.",
                fix=did_you_mean(name, self._by_name),
                name=name,
            )
        return node

    def find(self, name: str) -> Node | None:
        """Return a node or None; ``train[3]`` and ``score[3]/train[0]`` are items of a map."""
        return self._by_name.get(name) or _inside(self.nodes, name)

    @cached_property
    def outputs(self) -> dict[str, Output]:
        """Outputs that the pipeline returns, by path below ``result``."""
        return dict(find_outputs(self.result, "result"))

    def order(self) -> tuple[Node, ...]:
        """Return the nodes so that each follows its predecessors, else in order of definition."""
        return self._order

    def dependants(self, name: str) -> set[str]:
        """Return the names of all steps that depend on a step, directly or not."""
        names = {self[name].name}
        for node in self._order:
            if any(needed in names for needed in node.needs):
                names.add(node.name)
        return names - {name}

    def needed_by(self, name: str) -> set[str]:
        """Return the names of all steps that a step depends on, directly or not."""
        names, ahead = set[str](), [self[name].name]
        while ahead:
            needed = set(self[ahead.pop()].needs) - names
            names |= needed
            ahead += needed
        return names

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
        needed = set(node.needs)
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


def _inside(nodes: Sequence[Node], name: str) -> Node | None:
    """Return a node inside expanded maps and loops; an item without a known value is an Output."""
    for node in nodes:
        start = f"{node.name}["
        if not node.is_expanded or not name.startswith(start):
            continue
        key_text, _, _ = name.removeprefix(start).partition("]")
        key = _key_of(key_text)
        item = _constant_item(node, key, Output(f"{start}{key_text}]", ITEM))
        inner = node.item(key, item)
        return next((n for n in inner if n.name == name), None) or _inside(inner, name)
    return None


def _constant_item(node: Node, key: Any, unknown: Output) -> Any:
    """Return an item that is a constant in the pipeline's body; else the output for the item."""
    items = node.arguments[str(node.each)]
    if node.max_rounds:
        return items if key == 0 else unknown
    if isinstance(items, list | tuple) and isinstance(key, int) and key < len(items):
        return items[key]
    return items.get(key, unknown) if isinstance(items, Mapping) else unknown


def _quoted(key: Any) -> str:
    """Write a key so that names can be parsed again."""
    if type(key) is int and key >= 0:
        return str(key)
    if type(key) is not str:  # None differs from "None"
        return _TYPED + part_name(key)[1:].translate(_RESERVED)
    if key.isdecimal():
        return f"%{ord(key[0]):X}{key[1:]}"  # "3" is a text key, not the index 3
    return key.translate(_RESERVED)


def _key_of(text: str) -> Any:
    """Read a key that `_quoted` wrote."""
    if text.startswith(_TYPED):
        return part_key("%" + unquote(text.removeprefix(_TYPED)))
    return int(text) if text.isdecimal() else unquote(text)
