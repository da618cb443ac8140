"""PipelineSpec: a run's record of the pipeline, for the web UI, `why` and exporters.

Version 3 adds the options of steps (retries, timeout, resources), the types of the parameters and
the partitions, which exporters need. Version 2 names the limit of a loop ``max_rounds``, version 1 ``at_most``. Version 0, without a
number, had the shortened text of each argument instead of typed arguments. All are read; only the
newest is written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from penstock.core import find_project
from penstock.pipelines._argument_spec import ArgumentSpec
from penstock.pipelines._graph import Graph, Node
from penstock.pipelines._options_spec import OptionsSpec, ParameterSpec
from penstock.pipelines._pipeline import Pipeline

VERSION = 3


@dataclass(frozen=True, slots=True)
class StepSpec:
    """A call of a step, as recorded.

    Args:
        name: Name of the step in the pipeline.
        function: The function, as ``module:name``.
        file: The user's file with the call, relative to the project.
        line: The line of the call.
        arguments: Arguments by name.
        outputs: Names of the outputs.
        effect: True if the step has a side effect.
        source: True if the step reads a source.
        cache_for: Seconds for which the result may be reused; None for ever.
        each: Argument with the mapped value, of a map or loop.
        by: Column whose values split a mapped table.
        max_rounds: Maximum number of rounds of a loop; 0 for no loop.
        body: Steps of each item, of a mapped pipeline.
        options: Retries, timeout and resources.
    """

    name: str
    function: str = ""
    file: str = ""
    line: int = 0
    arguments: Mapping[str, ArgumentSpec] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    effect: bool = False
    source: bool = False
    cache_for: float | None = None
    each: str | None = None
    by: str | None = None
    max_rounds: int = 0
    body: "tuple[StepSpec, ...]" = ()
    options: OptionsSpec = field(default_factory=OptionsSpec)

    @classmethod
    def of(cls, node: Node) -> Self:
        """Return the spec of a node."""
        step = node.step
        return cls(
            node.name,
            f"{step.function.__module__}:{step.function.__qualname__}",
            _relative(node.file),
            node.line,
            {name: ArgumentSpec.of(value) for name, value in node.arguments.items()},
            tuple(node.outputs),
            step.effect,
            step.source,
            step.cache_for.total_seconds() if step.cache_for else None,
            node.each,
            node.by,
            node.max_rounds,
            tuple(cls.of(inner) for inner in node.body),
            OptionsSpec.of(step),
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read a spec of any version."""
        plain = ("function", "file", "line", "effect", "source", "cache_for", "each", "by")
        arguments = document.get("arguments", {})
        return cls(
            name=str(document["name"]),
            arguments={name: ArgumentSpec.from_json(each) for name, each in arguments.items()},
            outputs=tuple(document.get("outputs", ())),
            max_rounds=document.get("max_rounds", document.get("at_most", 0)),
            body=tuple(cls.from_json(inner) for inner in document.get("body", ())),
            options=OptionsSpec.from_json(document.get("options", {})),
            **{name: document[name] for name in plain if name in document},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain JSON."""
        optional, options = ("cache_for", "each", "by", "max_rounds"), self.options.to_json()
        return {
            "name": self.name,
            "function": self.function,
            "file": self.file,
            "line": self.line,
            "arguments": {name: each.to_json() for name, each in self.arguments.items()},
            "outputs": list(self.outputs),
            "effect": self.effect,
            "source": self.source,
            **{name: getattr(self, name) for name in optional if getattr(self, name)},
            **({"body": [inner.to_json() for inner in self.body]} if self.body else {}),
            **({"options": options} if options else {}),
        }


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """An edge between two steps, as recorded.

    Args:
        source: The step that makes the output.
        target: The step that takes the output.
        output: Name of the output.
        argument: Path of the argument, ``models[0]``; ``if true`` for a condition.
    """

    source: str
    target: str
    output: str = ""
    argument: str = ""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read an edge of any version."""
        output, argument = document.get("output", ""), document.get("argument", "")
        return cls(str(document["from"]), str(document["to"]), str(output), str(argument))

    def to_json(self) -> dict[str, str]:
        """Return the edge as plain JSON."""
        return {
            "from": self.source,
            "to": self.target,
            "output": self.output,
            "argument": self.argument,
        }


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """A pipeline in the form of a run's record.

    Args:
        name: Name of the pipeline; empty for a run without a pipeline.
        description: First sentence of the pipeline's docstring.
        parameters: Parameters of the run by name.
        outputs: Outputs that the pipeline returns, by path below ``result``.
        steps: Steps in their order.
        edges: Edges between the steps.
        asked: The selection that made this part of a pipeline; empty for the whole. See `part_of`.
        given: Steps of which results of earlier runs are used.
        exact: Exact texts of parameters whose plain value says too little; see `StoredArgument`.
        signature: Types of the pipeline's parameters by name.
        partitions: Partitions as plain JSON, see `Partitions.from_spec`; None without.
        resumed_at: When the last attempt began, as ISO text; None for a run that was not resumed.
        version: Version of the form.
    """

    name: str = ""
    description: str = ""
    parameters: Mapping[str, ArgumentSpec] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[StepSpec, ...] = ()
    edges: tuple[EdgeSpec, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    exact: Mapping[str, str | None] = field(default_factory=dict)
    resumed_at: str | None = None
    signature: Mapping[str, ParameterSpec] = field(default_factory=dict)
    partitions: Mapping[str, Any] | None = None
    version: int = VERSION

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """Return the spec of a traced graph."""
        return cls(
            graph.name,
            graph.description,
            {name: ArgumentSpec.of(value) for name, value in graph.parameters.items()},
            {path: output.text for path, output in graph.outputs.items()},
            tuple(StepSpec.of(node) for node in graph.order()),
            tuple(edge for node in graph.order() for edge in _edges(node)),
            dict(graph.asked),
            tuple(sorted(graph.given)) if graph.asked else (),
        )

    def of_pipeline(self, pipeline: Pipeline[..., Any]) -> Self:
        """Return the spec with the pipeline's signature and partitions."""
        return replace(
            self,
            signature={name: ParameterSpec.of(each) for name, each in pipeline.parameters.items()},
            partitions=pipeline.partitions.to_spec() if pipeline.partitions else None,
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> Self:
        """Read a spec of any version; an empty spec for None."""
        document = document or {}
        parameters = document.get("parameters", {})
        return cls(
            name=document.get("name", ""),
            description=document.get("description", ""),
            parameters={name: ArgumentSpec.from_json(each) for name, each in parameters.items()},
            outputs=document.get("outputs", {}),
            steps=tuple(map(StepSpec.from_json, document.get("nodes", ()))),
            edges=tuple(map(EdgeSpec.from_json, document.get("edges", ()))),
            asked=document.get("asked", {}),
            given=tuple(document.get("given", ())),
            exact=document.get("arguments", {}),
            resumed_at=document.get("resumed_at"),
            signature={
                name: ParameterSpec.from_json(each)
                for name, each in document.get("signature", {}).items()
            },
            partitions=document.get("partitions"),
            version=document.get("version", 0),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain JSON, in the form of this version."""
        signature = {name: each.to_json() for name, each in self.signature.items()}
        return {
            "version": VERSION,
            "name": self.name,
            "description": self.description,
            "parameters": {name: each.to_json() for name, each in self.parameters.items()},
            "outputs": dict(self.outputs),
            "nodes": [step.to_json() for step in self.steps],
            "edges": [edge.to_json() for edge in self.edges],
            **({"asked": dict(self.asked), "given": list(self.given)} if self.asked else {}),
            **({"arguments": dict(self.exact)} if self.exact else {}),
            **({"resumed_at": self.resumed_at} if self.resumed_at else {}),
            **({"signature": signature} if signature else {}),
            **({"partitions": dict(self.partitions)} if self.partitions else {}),
        }


def _edges(node: Node) -> Iterator[EdgeSpec]:
    for path, output in node.inputs.items():
        yield EdgeSpec(output.node, node.name, output.name, path)
    for output, wanted in node.guards:
        yield EdgeSpec(output.node, node.name, output.name, f"if {str(wanted).lower()}")


@lru_cache(maxsize=256)
def _relative(file: str) -> str:
    path = Path(file)
    if not path.is_file():
        return file
    project = find_project(path.parent)
    return path.resolve().relative_to(project).as_posix()
