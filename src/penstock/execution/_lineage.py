"""The arrows that a step adds to the lineage graph, written in the same commit as its result."""

from collections.abc import Mapping
from typing import Any

from penstock.core import Edge, StepRunRecord


def step_edges(
    record: StepRunRecord, outputs: Mapping[str, str], values: Mapping[str, Any]
) -> list[Edge]:
    """Give the arrows of a step that was executed.

    Args:
        record: The step run.
        outputs: Content digest of what it gave, by output name.
        values: What it gave, by output name. One with ``lineage_sources()`` names where it was
            read from (``source:rides``), one with ``lineage_targets()`` what it became
            (``version:big-tips@1``).
    """
    step = f"step:{record.step_run_id}"
    edges = [Edge(f"run:{record.run_id}", step, "step")]
    edges += [Edge(f"artifact:{digest}", step, path) for path, digest in record.inputs.items()]
    for name, digest in outputs.items():
        artifact = f"artifact:{digest}"
        edges.append(Edge(step, artifact, name))
        value: Any = values[name]
        if hasattr(value, "lineage_sources"):
            edges += [Edge(source, artifact, "source") for source in value.lineage_sources()]
        if hasattr(value, "lineage_targets"):
            edges += [Edge(artifact, target, "version") for target in value.lineage_targets()]
    return edges


def reuse_edges(record: StepRunRecord) -> list[Edge]:
    """Give the arrows of a step whose result was known: it uses it, it did not make it."""
    step = f"step:{record.step_run_id}"
    return [
        Edge(f"run:{record.run_id}", step, "step"),
        *(Edge(f"artifact:{digest}", step, "reused") for digest in record.outputs.values()),
    ]
