"""Expansion: the items of a map or loop while they run, and the combined result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.core import (
    NOT_TAKEN,
    ArtifactRecord,
    DefinitionError,
    Edge,
    StepRunRecord,
    StepState,
    now,
)
from penstock.execution.engine._items import ItemReader, ItemValue
from penstock.execution.engine._states import GOOD_STATES
from penstock.execution.engine._values import Values
from penstock.execution.step import Outcome, Work
from penstock.pipelines import Again, Node, Output, too_many_rounds
from penstock.provenance import merge_traces
from penstock.stores import NamedParts, Parts, Store, part_name

_EXPLAINED, _NAMED_FAILURES = 2, 20  # limits of the items named in an error line


@dataclass(slots=True)
class Item:
    """An item of a map, or a round of a loop.

    Args:
        key: Position of the item, or key in a dict.
        nodes: Nodes to execute for the item.
        edges: Lineage edge from the whole to the item.
        artifacts: Records of the item and the elements, unless the item is a constant.
    """

    key: Any
    nodes: tuple[Node, ...]
    edges: Sequence[Edge] = ()
    artifacts: Sequence[ArtifactRecord] = ()


@dataclass
class Expansion:
    """A node that was expanded into items.

    Args:
        work: Work of the map or loop.
        store: Store of the items.
        values: Outputs of earlier steps.
        is_partial: True if only some of the items are executed here, so that the node does not end.
    """

    work: Work
    store: Store
    values: Values
    pending: int = 0
    keys: list[Any] = field(default_factory=list)
    gives: dict[Any, dict[str, Output]] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    unmade: list[StepRunRecord] = field(default_factory=list)
    items: dict[str, Item] = field(default_factory=dict)
    traces: list[Mapping[str, Any]] = field(default_factory=list)
    logged: dict[str, list[Any]] = field(default_factory=dict)
    logged_in: dict[str, list[int]] = field(default_factory=dict)
    is_partial: bool = False

    def __post_init__(self) -> None:
        self._reader = ItemReader(self.work.node, self.store, self.values)

    @property
    def is_done(self) -> bool:
        """True if all items have ended."""
        return not self.pending and not self.is_partial

    @property
    def node(self) -> Node:
        """The map or loop."""
        return self.work.node

    def begin(self) -> list[Item]:
        """Return the first items: all items of a map, the first round of a loop.

        Raises:
            DefinitionError: If the mapped value has no items.
        """
        node = self.node
        mapped = node.arguments[str(node.each)]
        if node.max_rounds:
            return [self._item(ItemValue(0, mapped))]
        return [self._item(item) for item in self._reader.read(mapped)]

    def ended(self, node: Node, record: StepRunRecord) -> list[Item]:
        """Record the end of a node; returns the next round of a loop, if any."""
        self.pending -= 1
        self.traces.append(record.facts.get("trace", {}))
        self._note_metrics(record)
        if record.state is StepState.FAILED:
            self.failures.append((node.name, record.error or "it failed"))
        elif record.state not in GOOD_STATES and NOT_TAKEN not in record.facts:
            self.unmade.append(record)
        if not self.node.max_rounds or record.state not in GOOD_STATES:
            return []
        output = Output(node.name)
        if not self.values.has(output):
            return []
        whole = self.values.record(output)
        kind, parts = self.store.bundle(whole)
        if kind != Again.bundle_type:
            return []
        key = len(self.keys)
        if key >= self.node.max_rounds:
            raise too_many_rounds(self.node.name, self.node.max_rounds)
        return [self._item(self._reader.stored(key, parts["value"], whole))]

    def _note_metrics(self, record: StepRunRecord) -> None:
        """Record when and which metrics an item logged: a map reused as a whole needs both."""
        self.logged.update({key: [key, *last] for key, *last in record.facts.get("metrics", ())})
        own = [record.facts["logged_in"]] if "logged_in" in record.facts else []
        for run_id, began, ended in record.facts.get("logged_in_all", own):
            span = self.logged_in.setdefault(run_id, [began, ended])
            span[:] = [min(span[0], began), max(span[1], ended)]

    def finish(self) -> tuple[StepRunRecord, Outcome]:
        """Return the record of the whole, and the outcome with outputs and edges."""
        facts = {**self.work.record.facts, "trace": merge_traces(self.traces)}
        record = replace(self.work.record, ended_at=now(), facts=facts)
        if self.failures:
            return replace(record, state=StepState.FAILED, error=self._failure()), Outcome()
        if self.unmade:  # without the missing items the result would look complete
            return self._without(record), Outcome()
        results = self._last() if self.node.max_rounds else self._collected()
        wholes = {name: whole for name, (whole, _) in results.items()}
        if not wholes:
            facts = {**record.facts, NOT_TAKEN: True}
            why = "none of its items returned a value" if self.keys else "there is nothing"
            return replace(record, state=StepState.SKIPPED, error=why, facts=facts), Outcome()
        step = f"step:{record.step_run_id}"
        edges = [Edge(f"run:{record.run_id}", step, "step")]
        edges += [Edge(f"artifact:{digest}", step, path) for path, digest in record.inputs.items()]
        for name, (whole, parts) in results.items():
            edges += [Edge(f"artifact:{p.content_digest}", step, key) for key, p in parts.items()]
            edges.append(Edge(step, f"artifact:{whole.content_digest}", name))
        stored = [whole.digest for whole in wholes.values() if whole.inline is None]
        record = replace(
            record.with_outputs(
                {name: (whole.content_digest, whole.digest) for name, whole in wholes.items()}
            ),
            state=StepState.FINISHED,
            facts={**record.facts, "items": len(self.keys), "items_in": record.run_id}
            | ({"stored": stored} if stored else {})
            | self._metrics(),
        )
        outputs = {name: [whole] for name, whole in wholes.items()}
        return record, Outcome(outputs=outputs, edges=edges)

    def _metrics(self) -> dict[str, Any]:
        if not self.logged:
            return {}
        spans = [[run_id, *span] for run_id, span in self.logged_in.items()]
        return {"metrics": list(self.logged.values()), "logged_in_all": spans}

    def _item(self, read: ItemValue) -> Item:
        key = read.key
        nodes = self.node.item(key, read.value)
        if any(node.name in self.items for node in nodes):
            raise DefinitionError(
                what=f"{self.node.position}: {self.node.name!r} has two items of key {key!r}.",
                why="Each item is found by its key, also in a different process.",
                fix="Give each item a unique key.",
                key=key,
            )
        item = Item(key, nodes, read.edges, read.artifacts)
        self.keys.append(key)
        self.gives[key] = self._gives(key, read.value)
        self.pending += len(nodes)
        for node in nodes:
            self.values.expect(node)
            self.items[node.name] = item
        return item

    def _gives(self, key: Any, value: Any) -> dict[str, Output]:
        """Return the outputs that are an item's results."""
        node, name = self.node, self.node.item_name(key)
        if not node.body:
            return {output: Output(name, output) for output in node.outputs}
        before = f"{node.name}[]"
        if node.gives.node == before:  # the body returns the item itself
            return {"result": value} if isinstance(value, Output) else {}
        return {"result": node.gives.moved(before, name)}

    def _collected(self) -> dict[str, tuple[ArtifactRecord, dict[str, ArtifactRecord]]]:
        kind = NamedParts if self._reader.has_names else Parts
        parts: dict[str, dict[str, ArtifactRecord]] = {name: {} for name in self.node.outputs}
        for key in self.keys:
            for name, output in self.gives[key].items():
                if self.values.has(output):  # an item may return nothing
                    place = part_name(key) if self._reader.has_names else str(len(parts[name]))
                    parts[name][place] = self.values.record(output)
        return {
            name: (self.store.pack_parts(kind.bundle_type, kind.__name__, records), records)
            for name, records in parts.items()
        }

    def _last(self) -> dict[str, tuple[ArtifactRecord, dict[str, ArtifactRecord]]]:
        records = {
            name: self.values.record(output)
            for name, output in self.gives[self.keys[-1]].items()
            if self.values.has(output)
        }
        return {name: (record, {name: record}) for name, record in records.items()}

    def _without(self, record: StepRunRecord) -> StepRunRecord:
        """Return the record of a map with items that wait for approval or were killed."""
        waiting = [item for item in self.unmade if item.state is StepState.QUEUED]
        first = (waiting or self.unmade)[0]
        state = StepState.QUEUED if waiting else StepState.SKIPPED
        why = f"it needs {first.step!r}, which is {first.state.value}"
        return replace(record, state=state, error=why)

    def _failure(self) -> str:
        if self.node.max_rounds:
            return self.failures[0][1]
        count, every = len(self.failures), len(self.keys)
        head = f"{count:,} of {every:,} items of {self.node.name!r} failed: "
        names = [
            f"{name} ({error.removeprefix(f'step {name!r} failed: ')})"
            for name, error in self.failures[:_EXPLAINED]
        ]
        names += [name for name, _ in self.failures[_EXPLAINED:_NAMED_FAILURES]]
        more = count - len(names)
        return head + ", ".join(names) + (f" and {more:,} more" if more else "")
