"""Steps and pipelines as definitions: a function body becomes a graph; nothing is executed here."""

from penstock.pipelines._argument_spec import ArgumentSpec
from penstock.pipelines._control import (
    NOTHING,
    Again,
    loop,
    map,  # noqa: A004 - see there
    too_many_rounds,
    wait_for_approval,
    when,
)
from penstock.pipelines._entry_point import EntryPoint
from penstock.pipelines._graph import ITEM, Graph, Node
from penstock.pipelines._groups import groups
from penstock.pipelines._hints import accepts, resolve_hints
from penstock.pipelines._options_spec import OptionsSpec, ParameterSpec
from penstock.pipelines._output import Output, find_outputs, replace_outputs, rewrite_outputs
from penstock.pipelines._parameters import RUN_OPTIONS, SHARED_OPTIONS, Parameter
from penstock.pipelines._part import part_of
from penstock.pipelines._partitions import Partitions, require_timezone
from penstock.pipelines._pipeline import Pipeline, pipeline
from penstock.pipelines._resources import Resources, Retry, Tolerance
from penstock.pipelines._spec import EdgeSpec, PipelineSpec, StepSpec
from penstock.pipelines._step import InputCheck, Step, step
from penstock.pipelines._values import dump_value, parse_value

__all__ = [
    "ITEM",
    "NOTHING",
    "RUN_OPTIONS",
    "SHARED_OPTIONS",
    "Again",
    "ArgumentSpec",
    "EdgeSpec",
    "EntryPoint",
    "Graph",
    "InputCheck",
    "Node",
    "OptionsSpec",
    "Output",
    "Parameter",
    "ParameterSpec",
    "Partitions",
    "Pipeline",
    "PipelineSpec",
    "Resources",
    "Retry",
    "Step",
    "StepSpec",
    "Tolerance",
    "accepts",
    "dump_value",
    "find_outputs",
    "groups",
    "loop",
    "map",
    "parse_value",
    "part_of",
    "pipeline",
    "replace_outputs",
    "require_timezone",
    "resolve_hints",
    "rewrite_outputs",
    "step",
    "too_many_rounds",
    "wait_for_approval",
    "when",
]
