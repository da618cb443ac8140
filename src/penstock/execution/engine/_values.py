"""Values between steps: immutable values stay in memory, the rest is read from the store.

A value is addressed by its stored digest (where the bytes are) and its content digest (what they
mean): equal contents may be stored as different bytes, and equal bytes may be different values.
"""

from collections import Counter
from datetime import date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from penstock.core import ArtifactRecord, StepRunRecord
from penstock.pipelines import Graph, Node, Output
from penstock.stores import Store, is_plain_frame

# A step that changes an input must not change the input of the next step; and a step gets the
# same value that a separate process would read from the store.
UNKNOWN = object()
_IMMUTABLE = frozenset(
    {type(None), bool, int, float, complex, str, bytes, date, datetime, time, timedelta}
)
_ZONES = frozenset({type(None), timezone, ZoneInfo})


class Values:
    """The outputs of the steps of a run, by node and output.

    Args:
        store: Store of the values.
        graph: Graph, which tells how often each value is needed.
    """

    def __init__(self, store: Store, graph: Graph) -> None:
        self._store = store
        self._digests: dict[tuple[str, str], tuple[str, str]] = {}  # content, stored
        self._records: dict[tuple[str, str], ArtifactRecord] = {}
        self._kept: dict[tuple[str, str], Any] = {}
        self._uses: Counter[tuple[str, str]] = Counter()
        for node in graph.nodes:
            self.expect(node)

    def expect(self, node: Node) -> None:
        """Count the values that a node will need."""
        self._uses.update((output.node, output.name) for output in node.inputs.values())

    def add(self, node: str, output: str, record: ArtifactRecord, *, value: Any = UNKNOWN) -> None:
        """Add an output of an executed step; with the value, if in this process."""
        place = (node, output)
        self._digests[place] = record.content_digest, record.digest
        self._records[place] = record
        if self._uses[place] and _is_safe(value):
            self._kept[place] = _own(value)

    def add_recorded(self, node: str, record: StepRunRecord) -> None:
        """Add the outputs of a step of a different run or an earlier attempt."""
        for output, content in record.outputs.items():
            self._digests[node, output] = content, record.output_address(output)

    def has(self, output: Output) -> bool:
        """Return whether an output was made."""
        return (output.node, output.name) in self._digests

    def digests(self, node: Node) -> dict[str, tuple[str, str]]:
        """Return content and stored digest of every output that a node takes and that was made."""
        return {
            path: self._digests[output.node, output.name]
            for path, output in node.inputs.items()
            if self.has(output)
        }

    def record(self, output: Output) -> ArtifactRecord:
        """Return the record of an output that was made."""
        place = (output.node, output.name)
        if place not in self._records:
            content, stored = self._digests[place]
            self._records[place] = self._store.metadata.artifacts.get(stored, content)
        return self._records[place]

    def inputs(self, node: Node) -> dict[str, Any]:
        """Return the values that a node takes, by path; mutable values are fresh copies."""
        return {path: self.get(output) for path, output in node.inputs.items() if self.has(output)}

    def release(self, node: Node) -> None:
        """Release values that no later step needs."""
        for output in node.inputs.values():
            place = (output.node, output.name)
            self._uses[place] -= 1
            if not self._uses[place]:
                self._kept.pop(place, None)

    def get(self, output: Output) -> Any:
        """Return a value; a mutable value is a fresh copy each time."""
        place = (output.node, output.name)
        if place in self._kept:
            return _own(self._kept[place])
        return self._store.load(self.record(output))


def load_inputs(record: StepRunRecord, *, store: Store) -> dict[str, Any]:
    """Load the recorded inputs of a step run, by path as in ``Node.inputs``.

    Args:
        record: The step run.
        store: Store that has the step run.

    Raises:
        StoreError: If the bytes of a value are gone or damaged.
    """
    return {
        path: store.get(record.input_address(path), content, check=True)
        for path, content in record.inputs.items()
    }


def _is_safe(value: Any) -> bool:
    """Return whether a value is immutable and the store returns the value unchanged."""
    kind = type(value)
    if kind is datetime or kind is time:
        return type(value.tzinfo) in _ZONES
    return kind in _IMMUTABLE or (_is_frame(value) and is_plain_frame(value))


def _own(value: Any) -> Any:
    # A polars frame's columns are immutable, but the frame is not: a clone shares the columns.
    return value.clone() if _is_frame(value) else value


def _is_frame(value: Any) -> bool:
    cls = type(value)
    return cls.__name__ == "DataFrame" and cls.__module__.partition(".")[0] == "polars"
