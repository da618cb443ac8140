"""The graph of a run and the record: tracing anew from a record, and recording."""

from dataclasses import replace
from typing import Any

from penstock.core import RunRecord
from penstock.pipelines import Graph, Pipeline, PipelineSpec, part_of


def spec_of(pipeline: Pipeline[..., Any], graph: Graph) -> PipelineSpec:
    """Return the record of a run's graph, with the parameters' exact texts and types."""
    spec = PipelineSpec.of(graph).of_pipeline(pipeline)
    return replace(spec, exact=pipeline.dump_exact(graph.parameters))


def retrace(pipeline: Pipeline[..., Any], record: RunRecord) -> Graph:
    """Return the graph of a recorded run, traced anew: the whole pipeline, or the selected part."""
    graph = pipeline.trace(**pipeline.bind(record.arguments))
    return part_of(graph, **PipelineSpec.from_json(record.graph).asked)
