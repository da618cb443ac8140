"""The lineage edges that a step adds, written in the same commit as the step's result."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from penstock.core import Edge, HasLineage, StepRunRecord


def step_edges(
    record: StepRunRecord, outputs: Mapping[str, str], values: Mapping[str, Any]
) -> list[Edge]:
    """Return the edges of a step that was executed.

    Args:
        record: The step run.
        outputs: Content digest by output name.
        values: Value by output name. A value that is a `HasLineage` adds edges: from the source that
            was read (``source:rides``), to the model version that was made (``version:tips@1``).
    """
    step = f"step:{record.step_run_id}"
    edges = [Edge(f"run:{record.run_id}", step, "step")]
    edges += [Edge(f"artifact:{digest}", step, path) for path, digest in record.inputs.items()]
    for name, digest in outputs.items():
        artifact = f"artifact:{digest}"
        edges.append(Edge(step, artifact, name))
        value: Any = values[name]
        kind: Any = type(value)
        if _has_lineage(kind):
            edges += value.lineage_edges(artifact)
    return edges


def reuse_edges(record: StepRunRecord) -> list[Edge]:
    """Return the edges of a cached step: the step uses the result, but did not make the result."""
    step = f"step:{record.step_run_id}"
    return [
        Edge(f"run:{record.run_id}", step, "step"),
        *(Edge(f"artifact:{digest}", step, "reused") for digest in record.outputs.values()),
    ]


@lru_cache(maxsize=256)
def _has_lineage(kind: type) -> bool:
    """Return whether values of a class are a HasLineage: asked at every step, and slow to answer."""
    return issubclass(kind, HasLineage)
