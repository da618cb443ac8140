"""``part_of``: a part of a pipeline, executed on results of earlier runs."""

from collections.abc import Iterable
from dataclasses import replace

from penstock.core import ParameterError
from penstock.pipelines._graph import Graph


def part_of(
    graph: Graph,
    *,
    only: Iterable[str] = (),
    from_step: str | None = None,
    until: str | None = None,
) -> Graph:
    """Return a part of a graph: the selected steps, and the steps whose results they need.

    Args:
        graph: The whole pipeline.
        only: Names of the selected steps.
        from_step: Select this step and all that depend on it.
        until: Select this step and its predecessors; with ``from_step`` only the steps between.

    Returns:
        The graph; ``given`` names the steps that are not executed, but must have cached results.

    Raises:
        NotFoundError: If there is no such step.
        ParameterError: If the options cannot be combined, or no step lies between the two.
    """
    chosen = {graph[name].name for name in only}
    if chosen and (from_step or until):
        raise ParameterError(
            what="Steps are selected in two ways: as single steps and as a range.",
            fix="Give either the steps, or the first and the last of them.",
        )
    if not chosen and not from_step and not until:
        return graph
    names = {node.name for node in graph.nodes}
    if not chosen:
        behind = names if from_step is None else {from_step, *graph.dependants(from_step)}
        ahead = names if until is None else {until, *graph.needed_by(until)}
        chosen = behind & ahead
    if not chosen:
        raise ParameterError(
            what=f"Step {until!r} does not depend on {from_step!r}: nothing lies between them.",
            fix="Swap them, or give one of them only.",
        )
    needed = {name for step in chosen for name in graph.needed_by(step)}
    kept = chosen | needed
    whole = all(output.node in kept for output in graph.outputs.values())
    return replace(
        graph,
        nodes=tuple(node for node in graph.nodes if node.name in kept),
        result=graph.result if whole else None,
        given=frozenset(needed - chosen),
        asked={
            key: value
            for key, value in (("only", sorted(only)), ("from_step", from_step), ("until", until))
            if value
        },
    )
