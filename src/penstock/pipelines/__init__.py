"""Steps and pipelines as definitions: a function body becomes a graph; nothing runs here."""

from penstock.pipelines._graph import Graph, Node
from penstock.pipelines._hints import accepts, resolve_hints
from penstock.pipelines._output import Output, find_outputs, replace_outputs
from penstock.pipelines._parameters import RUN_OPTIONS, Parameter
from penstock.pipelines._part import part_of
from penstock.pipelines._pipeline import Pipeline, pipeline
from penstock.pipelines._resources import Resources, Tolerance
from penstock.pipelines._step import Step, step
from penstock.pipelines._values import dump_value, parse_value

__all__ = [
    "RUN_OPTIONS",
    "Graph",
    "Node",
    "Output",
    "Parameter",
    "Pipeline",
    "Resources",
    "Step",
    "Tolerance",
    "accepts",
    "dump_value",
    "find_outputs",
    "parse_value",
    "part_of",
    "pipeline",
    "replace_outputs",
    "resolve_hints",
    "step",
]
