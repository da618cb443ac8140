"""Values between steps: kept in memory only if nobody can change them, else read from the store."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Any

from penstock.core import ArtifactRecord, StepRunRecord
from penstock.pipelines import Graph, Node, Output
from penstock.stores import Store

# A step that changes what it was given must not change what the next one gets.
_UNKNOWN = object()
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, date, time, timedelta)


class Values:
    """What the steps of one run gave, by node and output.

    Args:
        store: Where the values are.
        graph: Says how often each will be asked for.
    """

    def __init__(self, store: Store, graph: Graph) -> None:
        self._store = store
        self._digests: dict[tuple[str, str], str] = {}
        self._addresses: dict[str, str] = {}
        self._records: dict[tuple[str, str], ArtifactRecord] = {}
        self._kept: dict[tuple[str, str], Any] = {}
        self._uses: Counter[tuple[str, str]] = Counter()
        for node in graph.nodes:
            self.expect(node)

    def expect(self, node: Node) -> None:
        """Count what a node will ask for."""
        self._uses.update((output.node, output.name) for output in node.inputs.values())

    def add(self, node: str, output: str, record: ArtifactRecord, *, value: Any = _UNKNOWN) -> None:
        """Add what an executed step gave; its value, if that is in this process."""
        place = (node, output)
        self._digests[place] = record.content_digest
        self._addresses[record.content_digest] = record.digest
        self._records[place] = record
        if self._uses[place] and _is_safe(value):
            self._kept[place] = _own(value)

    def add_recorded(self, node: str, record: StepRunRecord) -> None:
        """Add what a step gave in another run or an earlier attempt."""
        for output, digest in record.outputs.items():
            self._digests[node, output] = digest
            self._addresses[digest] = record.addresses.get(digest, digest)

    def has(self, output: Output) -> bool:
        """Say whether an output was made."""
        return (output.node, output.name) in self._digests

    def digests(self, node: Node) -> dict[str, str]:
        """Give the content digest of every output that a node takes and that was made, by path."""
        return {
            path: self._digests[output.node, output.name]
            for path, output in node.inputs.items()
            if self.has(output)
        }

    def record(self, output: Output) -> ArtifactRecord:
        """Give the record of an output that was made."""
        place = (output.node, output.name)
        if place not in self._records:
            address = self._addresses[self._digests[place]]
            self._records[place] = self._store.metadata.get_artifact(address)
        return self._records[place]

    def addresses(self, digests: Mapping[str, str]) -> dict[str, str]:
        """Give the stored digest by content digest."""
        return {digest: self._addresses[digest] for digest in digests.values()}

    def inputs(self, node: Node) -> dict[str, Any]:
        """Give the values that a node takes, by path; a mutable one is a fresh copy each time."""
        return {path: self.get(output) for path, output in node.inputs.items() if self.has(output)}

    def release(self, node: Node) -> None:
        """Forget values that no other step will ask for."""
        for output in node.inputs.values():
            place = (output.node, output.name)
            self._uses[place] -= 1
            if not self._uses[place]:
                self._kept.pop(place, None)

    def get(self, output: Output) -> Any:
        """Give one value; a mutable one is a fresh copy each time."""
        place = (output.node, output.name)
        if place in self._kept:
            return _own(self._kept[place])
        if place in self._records:
            return self._store.load(self._records[place])
        return self._store.get(self._addresses[self._digests[place]])


def load_inputs(store: Store, record: StepRunRecord) -> dict[str, Any]:
    """Load the recorded inputs of a step run, by path as in ``Node.inputs``.

    Args:
        store: Where it is recorded.
        record: The step run.

    Raises:
        StoreError: If a value's bytes are gone or damaged.
    """
    return {
        path: store.get(record.addresses.get(digest, digest), check=True)
        for path, digest in record.inputs.items()
    }


def _is_safe(value: Any) -> bool:
    return type(value) in _IMMUTABLE or isinstance(value, date | time) or _is_frame(value)


def _own(value: Any) -> Any:
    # A polars frame's columns are immutable, but the frame is not: a clone shares the columns.
    return value.clone() if _is_frame(value) else value


def _is_frame(value: Any) -> bool:
    cls = type(value)
    return cls.__name__ == "DataFrame" and cls.__module__.partition(".")[0] == "polars"
