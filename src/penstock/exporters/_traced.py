"""The spec of a pipeline in a file, traced without running it."""

from collections.abc import Mapping
from typing import Any

from penstock.pipelines import Partitions, Pipeline, PipelineSpec


def trace_spec(target: Pipeline[..., Any], params: Mapping[str, object]) -> PipelineSpec:
    """Return a pipeline's spec; parameters of a partition are those of the first one."""
    given = dict(params)
    if target.partitions is not None:
        first = _first_partition(target.partitions)
        given |= {
            name: value
            for name, value in first.items()
            if name in target.parameters and name not in given
        }
    graph = target.trace(**target.bind(given))
    return PipelineSpec.of(graph).of_pipeline(target)


def _first_partition(partitions: Partitions) -> Mapping[str, Any]:
    return partitions.parameters(partitions.first_key())
