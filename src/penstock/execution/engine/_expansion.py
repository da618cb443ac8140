"""Expansion: the items of a map or loop while they run, and the combined result."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord, DefinitionError, Edge, StepRunRecord, StepState, now
from penstock.execution.engine._states import GOOD_STATES, NOT_TAKEN
from penstock.execution.engine._values import Values
from penstock.execution.step import Outcome, Work
from penstock.pipelines import ITEM, Again, Node, Output, groups, too_many_rounds
from penstock.provenance import merge_traces
from penstock.stores import NamedParts, Parts, part_key, part_name

if TYPE_CHECKING:
    from penstock.stores import Store

_EXPLAINED, _NAMED_FAILURES = 2, 20  # limits of the items named in an error line
_LISTS = frozenset({"list", "tuple", Parts.bundle_type})
_DICTS = frozenset({"dict", NamedParts.bundle_type})


@dataclass(slots=True)
class Item:
    """An item of a map, or a round of a loop.

    Args:
        key: Position of the item, or key in a dict.
        nodes: Nodes to execute for the item.
        edges: Lineage edge from the whole to the item.
        artifacts: Records of the item and its elements, unless the item is a constant.
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
    store: "Store"
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
    named: bool = False
    is_partial: bool = False

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
        given = node.arguments[str(node.each)]
        if node.at_most:
            return [self._item(0, given)]
        return [self._item(key, item, *more) for key, item, *more in self._all(given)]

    def ended(self, node: Node, record: StepRunRecord) -> list[Item]:
        """Record the end of a node; returns the next round of a loop, if any."""
        self.pending -= 1
        self.traces.append(record.facts.get("trace", {}))
        self._note_metrics(record)
        if record.state is StepState.FAILED:
            self.failures.append((node.name, record.error or "it failed"))
        elif record.state not in GOOD_STATES and NOT_TAKEN not in record.facts:
            self.unmade.append(record)
        if not self.node.at_most or record.state not in GOOD_STATES:
            return []
        output = Output(node.name)
        if not self.values.has(output):
            return []
        whole = self.values.record(output)
        kind, parts = self.store.bundle(whole)
        if kind != Again.bundle_type:
            return []
        key = len(self.keys)
        if key >= self.node.at_most:
            raise too_many_rounds(self.node.name, self.node.at_most)
        return [self._item(key, *self._known(key, parts["value"], whole))]

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
        made = self._last() if self.node.at_most else self._collected()
        wholes = {name: whole for name, (whole, _) in made.items()}
        if not wholes:
            facts = {**record.facts, NOT_TAKEN: True}
            told = "none of its items gave anything" if self.keys else "there is nothing"
            return replace(record, state=StepState.SKIPPED, error=told, facts=facts), Outcome()
        step = f"step:{record.step_run_id}"
        edges = [Edge(f"run:{record.run_id}", step, "step")]
        edges += [Edge(f"artifact:{digest}", step, path) for path, digest in record.inputs.items()]
        for name, (whole, parts) in made.items():
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

    def _all(self, given: Any) -> Iterator[tuple[Any, ...]]:
        node = self.node
        if node.by is not None:
            table = self.values.get(given) if isinstance(given, Output) else given
            self.named = True
            for key, rows in groups(table, node.by).items():
                yield key, *self._packed(key, rows, given)
        elif isinstance(given, Output):
            yield from self._of_output(given)
        else:  # a constant in the pipeline's body
            self.named = isinstance(given, Mapping)
            yield from given.items() if isinstance(given, Mapping) else enumerate(given)

    def _of_output(self, given: Output) -> Iterator[tuple[Any, ...]]:
        whole = self.values.record(given)
        kind, parts = self.store.bundle(whole)
        if kind in _LISTS or kind in _DICTS:
            self.named = kind in _DICTS
            for name, part in parts.items():
                key = _key_of(kind, name) if self.named else int(name)
                yield key, *self._known(key, part, whole)
            return
        value = self.values.get(given)
        self.named = isinstance(value, Mapping)
        for key, item in _items(self._in_order(value), self.node, given):
            yield key, *self._packed(key, item, given)

    def _in_order(self, value: Any) -> Any:
        """Return items in the same order in every process, also those of a set."""
        if not isinstance(value, set | frozenset):
            return value
        is_plain = len(kinds := set(map(type, value))) == 1 and kinds <= {int, str}
        try:
            return sorted(value, key=None if is_plain else self.store.digest)
        except Exception as error:
            raise DefinitionError(
                what=f"{self.node.position}: {self.node.name!r} is mapped over a set with an item "
                f"that has no digest ({type(error).__name__}: {error}).",
                why="A set has another order in each process, and its items cannot be sorted.",
                fix="Map over a list.",
            ) from error

    def _packed(self, key: Any, item: Any, given: Any) -> tuple[Any, ...]:
        records = self.store.pack(item)
        whole = self.values.record(given) if isinstance(given, Output) else None
        output, edges, _ = self._known(key, records[0], whole)
        return output, edges, records

    def _known(
        self, key: Any, part: ArtifactRecord, whole: ArtifactRecord | None
    ) -> tuple[Output, list[Edge], list[ArtifactRecord]]:
        """Make an item of a stored value: the output that stands for the value, and the edge."""
        name = self.node.item_name(key)
        self.values.add(name, ITEM, part)
        digest = f"artifact:{part.content_digest}"
        edges = [Edge(f"artifact:{whole.content_digest}", digest, str(key))] if whole else []
        return Output(name, ITEM), edges, [part]

    def _item(
        self,
        key: Any,
        value: Any,
        edges: Sequence[Edge] = (),
        artifacts: Sequence[ArtifactRecord] = (),
    ) -> Item:
        nodes = self.node.item(key, value)
        if any(node.name in self.items for node in nodes):
            raise DefinitionError(
                what=f"{self.node.position}: {self.node.name!r} has two items of key {key!r}.",
                why="Each item is found by its key, also in another process.",
                fix="Give each item a key of its own.",
                key=key,
            )
        item = Item(key, nodes, edges, artifacts)
        self.keys.append(key)
        self.gives[key] = self._gives(key, value)
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
        kind = NamedParts if self.named else Parts
        parts: dict[str, dict[str, ArtifactRecord]] = {name: {} for name in self.node.outputs}
        for key in self.keys:
            for name, output in self.gives[key].items():
                if self.values.has(output):  # an item may return nothing
                    place = part_name(key) if self.named else str(len(parts[name]))
                    parts[name][place] = self.values.record(output)
        return {
            name: (self.store.pack_parts(kind.bundle_type, kind.__name__, found), found)
            for name, found in parts.items()
        }

    def _last(self) -> dict[str, tuple[ArtifactRecord, dict[str, ArtifactRecord]]]:
        found = {
            name: self.values.record(output)
            for name, output in self.gives[self.keys[-1]].items()
            if self.values.has(output)
        }
        return {name: (record, {name: record}) for name, record in found.items()}

    def _without(self, record: StepRunRecord) -> StepRunRecord:
        """Return the record of a map with items that wait for approval or were killed."""
        waiting = [item for item in self.unmade if item.state is StepState.QUEUED]
        first = (waiting or self.unmade)[0]
        state = StepState.QUEUED if waiting else StepState.SKIPPED
        why = f"it needs {first.step!r}, which is {first.state.value}"
        return replace(record, state=state, error=why)

    def _failure(self) -> str:
        if self.node.at_most:
            return self.failures[0][1]
        count, every = len(self.failures), len(self.keys)
        head = f"{count:,} of {every:,} items of {self.node.name!r} failed: "
        told = [
            f"{name} ({error.removeprefix(f'step {name!r} failed: ')})"
            for name, error in self.failures[:_EXPLAINED]
        ]
        told += [name for name, _ in self.failures[_EXPLAINED:_NAMED_FAILURES]]
        more = count - len(told)
        return head + ", ".join(told) + (f" and {more:,} more" if more else "")


def _key_of(kind: str, name: str) -> Any:
    return part_key(name) if kind == NamedParts.bundle_type else name


def _items(value: Any, node: Node, given: Output) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
        return
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise DefinitionError(
            what=f"{node.position}: {node.name!r} is mapped over what {given.text!r} gave, "
            f"a {type(value).__name__}.",
            why="It has no items.",
            fix="Give a list, a dict, or a table with by='column'.",
        )
    if hasattr(value, "columns"):
        raise DefinitionError(
            what=f"{node.position}: {node.name!r} is mapped over a table.",
            why="It is not said what an item is.",
            fix="Name a column whose values split it: map(…, by='column').",
        )
    yield from enumerate(value)
