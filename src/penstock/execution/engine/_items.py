"""ItemReader: the items of the value that a map or loop is mapped over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import ArtifactRecord, DefinitionError, Edge, StepRunRecord, with_article
from penstock.execution.engine._values import Values
from penstock.pipelines import ITEM, Graph, Node, Output, groups
from penstock.stores import NamedParts, Parts, Store, part_key

_LISTS = frozenset({"list", "tuple", Parts.bundle_type})
_DICTS = frozenset({"dict", NamedParts.bundle_type})


@dataclass(frozen=True, slots=True)
class ItemValue:
    """The value of an item.

    Args:
        key: Position of the item, or key in a dict.
        value: The output that stands for the stored value; or a constant of the pipeline's body.
        edges: Lineage edge from the whole to the item.
        artifacts: Records of the item and the elements, unless the item is a constant.
    """

    key: Any
    value: Any
    edges: Sequence[Edge] = ()
    artifacts: Sequence[ArtifactRecord] = ()


class ItemReader:
    """Reader of the items of a map or loop.

    Args:
        node: The map or loop.
        store: Store of the items.
        values: Outputs of earlier steps; items are added.
    """

    def __init__(self, node: Node, store: Store, values: Values) -> None:
        self._node, self._store, self._values = node, store, values
        self.has_names = False
        """True if items have the keys of a dict or of groups, not positions."""

    def read(self, mapped: Any) -> Iterator[ItemValue]:
        """Iterate over the items of a value.

        Args:
            mapped: The output, or the constant, that the node is mapped over.

        Raises:
            DefinitionError: If the value has no items.
        """
        by = self._node.by
        if by is not None:
            table = self._values.get(mapped) if isinstance(mapped, Output) else mapped
            self.has_names = True
            for key, rows in groups(table, by).items():
                yield self._packed(key, rows, mapped)
        elif isinstance(mapped, Output):
            yield from self._of_output(mapped)
        else:  # a constant in the pipeline's body
            self.has_names = isinstance(mapped, Mapping)
            pairs = mapped.items() if isinstance(mapped, Mapping) else enumerate(mapped)
            yield from (ItemValue(key, value) for key, value in pairs)

    def stored(self, key: Any, part: ArtifactRecord, whole: ArtifactRecord | None) -> ItemValue:
        """Return an item that is stored as a part of a whole."""
        name = self._node.item_name(key)
        self._values.add(name, ITEM, part)
        digest = f"artifact:{part.content_digest}"
        edges = [Edge(f"artifact:{whole.content_digest}", digest, str(key))] if whole else []
        return ItemValue(key, Output(name, ITEM), edges, [part])

    def _of_output(self, mapped: Output) -> Iterator[ItemValue]:
        whole = self._values.record(mapped)
        kind, parts = self._store.bundle(whole)
        if kind in _LISTS or kind in _DICTS:
            self.has_names = kind in _DICTS
            for name, part in parts.items():
                key = _key_of(kind, name) if self.has_names else int(name)
                yield self.stored(key, part, whole)
            return
        value = self._values.get(mapped)
        self.has_names = isinstance(value, Mapping)
        for key, item in self._pairs(self._in_order(value), mapped):
            yield self._packed(key, item, mapped)

    def _packed(self, key: Any, item: Any, mapped: Any) -> ItemValue:
        """Store an item of a value that is stored only as a whole."""
        records = self._store.pack(item)
        whole = self._values.record(mapped) if isinstance(mapped, Output) else None
        known = self.stored(key, records[0], whole)
        return ItemValue(key, known.value, known.edges, records)

    def _in_order(self, value: Any) -> Any:
        """Return items in the same order in every process, also those of a set."""
        if not isinstance(value, set | frozenset):
            return value
        is_plain = len(kinds := set(map(type, value))) == 1 and kinds <= {int, str}
        try:
            return sorted(value, key=None if is_plain else self._store.digest)
        except Exception as error:
            raise DefinitionError(
                what=f"{self._place()} is mapped over a set with an item "
                f"that has no digest ({type(error).__name__}: {error}).",
                why="The order of a set differs between processes, and its items cannot be sorted.",
                fix="Map over a list.",
            ) from error

    def _pairs(self, value: Any, mapped: Output) -> Iterator[tuple[Any, Any]]:
        if isinstance(value, Mapping):
            yield from value.items()
            return
        if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
            raise DefinitionError(
                what=f"{self._place()} is mapped over the output {mapped.text!r}, "
                f"{with_article(type(value).__name__)}.",
                why="It has no items.",
                fix="Give a list, a dict, or a table with by='column'.",
            )
        if hasattr(value, "columns"):
            raise DefinitionError(
                what=f"{self._place()} is mapped over a table.",
                why="The items are not defined.",
                fix="Name a column whose values split it: map(…, by='column').",
            )
        yield from enumerate(value)

    def _place(self) -> str:
        return f"{self._node.position}: {self._node.name!r}"


def item_names(
    graph: Graph, node: Node, earlier: Mapping[str, StepRunRecord], *, store: Store
) -> list[str]:
    """Return the names of a map's items, from the recorded outputs of the steps before.

    Args:
        graph: The graph of the run.
        node: The map.
        earlier: Step runs of the run, by name; all that the map needs have ended.
        store: Store of the outputs.
    """
    values = Values(store, graph)
    for name in graph.needed_by(node.name):
        record = earlier[name]
        for output, content in record.outputs.items():
            artifact = store.metadata.artifacts.get(record.output_address(output), content)
            values.add(name, output, artifact)
    for condition, wanted in node.guards:
        if not values.has(condition) or bool(values.get(condition)) is not wanted:
            return []
    mapped = node.arguments[str(node.each)]
    if isinstance(mapped, Output) and not values.has(mapped):
        return []
    reader = ItemReader(node, store, values)
    return [node.item_name(item.key) for item in reader.read(mapped)]


def _key_of(kind: str, name: str) -> Any:
    return part_key(name) if kind == NamedParts.bundle_type else name
