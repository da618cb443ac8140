"""The graph of a run and its record: what is traced anew from a record, and what is recorded."""

from dataclasses import replace
from typing import Any

from penstock.core import RunRecord
from penstock.pipelines import Graph, Pipeline, PipelineSpec, part_of


def spec_of(pipeline: Pipeline[..., Any], graph: Graph) -> PipelineSpec:
    """Return what a run records of its graph, with the exact texts of its parameters."""
    return replace(PipelineSpec.of(graph), exact=pipeline.dump_exact(graph.parameters))


def retrace(pipeline: Pipeline[..., Any], record: RunRecord) -> Graph:
    """Return the graph of a recorded run, traced anew: the whole pipeline, or the part that it ran."""
    graph = pipeline.trace(**pipeline.bind(record.arguments))
    return part_of(graph, **PipelineSpec.from_json(record.graph).asked)
