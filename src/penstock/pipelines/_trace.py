"""The tracer: step calls inside a pipeline body become nodes; apart from the graph made of them."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from penstock.core import DefinitionError, did_you_mean
from penstock.pipelines._graph import Node
from penstock.pipelines._hints import accepts, hint_name
from penstock.pipelines._output import Output
from penstock.pipelines._position import caller_position, position_text
from penstock.pipelines._recorder import recorder
from penstock.pipelines._step import Step


class Tracer:
    """Collector of the nodes of a pipeline body, and of all sub-pipelines.

    Args:
        prefix: Prefix of the nodes' names: ``score[]/`` for the body of a mapped pipeline.
        outer: The tracer of the enclosing body.
    """

    def __init__(self, prefix: str = "", outer: "Tracer | None" = None) -> None:
        self.nodes: list[Node] = []
        self.pipelines: list[str] = list(outer.pipelines) if outer else []
        self.guards: list[tuple[Output, bool]] = []
        self._prefix = prefix
        self._names: set[str] = set()
        self._calls: dict[str, int] = {}

    def record(self, step: Step[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add a node for a call and return the outputs.

        Raises:
            DefinitionError: If the arguments do not fit the function; the error names the user's
                line.
        """
        position = caller_position()
        arguments = self.bind(step, args, kwargs, position)
        node = Node(self.unique(step.name), step, arguments, *position)
        self._check_types(node)
        return self.add(node, step.output_hints)

    def add(self, node: Node, hints: Mapping[str, Any]) -> Any:
        """Add a node under the current conditions, and return the outputs."""
        self.nodes.append(replace(node, guards=tuple(self.guards)) if self.guards else node)
        outputs = tuple(Output(node.name, name, hint) for name, hint in hints.items())
        return outputs[0] if tuple(hints) == ("result",) else outputs

    @contextmanager
    def guarded(self, condition: Output, wanted: bool) -> Iterator[None]:
        """Execute the steps recorded in the block only if a condition has this answer."""
        self.guards.append((condition, wanted))
        try:
            yield
        finally:
            self.guards.pop()

    def unique(self, name: str) -> str:
        """Return a name that no node has yet: ``train``, ``train-2``."""
        name = self._prefix + name
        free_name, number = name, self._calls.get(name, 1)
        while free_name in self._names:  # a step may itself be called train-2
            number += 1
            free_name = f"{name}-{number}"
        self._calls[name] = number
        self._names.add(free_name)
        return free_name

    @staticmethod
    def bind(
        step: Step[Any, Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        position: tuple[str, int],
    ) -> Mapping[str, Any]:
        try:
            arguments = dict(step.signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise _argument_error(step, args, kwargs, position) from error
        for name, parameter in step.signature.parameters.items():
            # A source counts in the step's key by its state, also where it is the default.
            if callable(getattr(type(parameter.default), "fingerprint", None)):
                arguments.setdefault(name, parameter.default)
        return arguments

    @staticmethod
    def _check_types(node: Node) -> None:
        for path, output in node.inputs.items():
            wanted = node.step.hints.get(path, Any)
            if not accepts(wanted, output.hint):
                raise DefinitionError(
                    what=f"{node.position}: step {node.name!r} takes {path} as "
                    f"{hint_name(wanted)}, but step {output.node!r} gives {hint_name(output.hint)}.",
                    why="The step would get a value that it cannot use.",
                    fix=f"Pass another step's output, or correct the annotation of {path!r}.",
                    node=node.name,
                    argument=path,
                )


def current_tracer() -> Tracer | None:
    """Return the tracer of the pipeline body that is being traced, or None."""
    active = recorder.get()
    return active if isinstance(active, Tracer) else None


@contextmanager
def tracing(pipeline: str, position: str, prefix: str = "") -> Iterator[Tracer]:
    """Trace the body of a pipeline; a sub-pipeline adds to the nodes of the outer pipeline.

    Args:
        pipeline: Name of the pipeline.
        position: File and line of the definition.
        prefix: For a mapped pipeline, the prefix of the nodes' names: these nodes stay separate.

    Raises:
        DefinitionError: If the pipeline calls itself.
    """
    outer = current_tracer()
    # A mapped pipeline has a separate tracer, as its body is copied for each item in the run.
    tracer = Tracer(prefix, outer) if prefix or outer is None else outer
    if pipeline in tracer.pipelines:
        chain = " → ".join((*tracer.pipelines[tracer.pipelines.index(pipeline) :], pipeline))
        raise DefinitionError(
            what=f"{position}: pipeline {pipeline!r} calls itself ({chain}).",
            why="A pipeline is a graph without circles; this one would never end.",
            fix="Call the steps that you need instead of the pipeline.",
            pipeline=pipeline,
        )
    tracer.pipelines.append(pipeline)
    token = recorder.set(tracer)
    try:
        yield tracer
    finally:
        tracer.pipelines.pop()
        recorder.reset(token)


def _argument_error(
    step: Step[Any, Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    position: tuple[str, int],
) -> DefinitionError:
    """Return the error for the wrong argument of a call, with the user's line."""
    parameters = step.signature.parameters
    place = f"{position_text(position)}: step {step.name!r}"
    unknown = [name for name in kwargs if name not in parameters]
    if unknown:
        return DefinitionError(
            what=f"{place} has no argument {unknown[0]!r}.",
            fix=did_you_mean(unknown[0], parameters),
            argument=unknown[0],
        )
    positional = [
        name
        for name, item in parameters.items()
        if item.kind in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    ]
    if len(args) > len(positional):
        return DefinitionError(
            what=f"{place} takes {len(positional)} arguments by position, but {len(args)} are given.",
            fix="Name the others: " + ", ".join(f"{name}=…" for name in parameters) + ".",
        )
    twice = [name for name in positional[: len(args)] if name in kwargs]
    if twice:
        return DefinitionError(
            what=f"{place} gets argument {twice[0]!r} twice, by position and by name.",
            fix="Give it once.",
            argument=twice[0],
        )
    missing = [
        name
        for name, item in parameters.items()
        if item.default is item.empty
        and item.kind not in {item.VAR_POSITIONAL, item.VAR_KEYWORD}
        and name not in kwargs
        and name not in positional[: len(args)]
    ]
    listed = ", ".join(repr(name) for name in missing)
    return DefinitionError(
        what=f"{place} is missing {'argument' if len(missing) == 1 else 'arguments'} {listed}.",
        fix=f"Call {step.name}({', '.join(f'{name}=…' for name in missing)}).",
        argument=missing[0] if missing else None,
    )
