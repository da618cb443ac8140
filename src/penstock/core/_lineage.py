"""HasLineage: the protocol of values that know a neighbour in the lineage graph."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from penstock.core.records import Edge


@runtime_checkable
class HasLineage(Protocol):
    """A step output that knows its source, or its name outside the run.

    A Snapshot names its source, a ModelVersion the version. The edges are written in the same
    commit as the step's result.
    """

    def lineage_edges(self, artifact: str) -> Sequence[Edge]:
        """Return the edges between the value's artifact node (``artifact:sha256:…``) and further nodes."""
        ...
