"""Check of models before registration: a model that the registry would refuse fails the step."""

from collections.abc import Iterable, Mapping, Sequence

from penstock.core import ArtifactRecord, SerializationError
from penstock.execution.step import Done, failed
from penstock.models import require_safe
from penstock.pipelines import Graph


def outputs_to_register(graph: Graph) -> dict[str, list[str]]:
    """Return by node the outputs that later steps of a graph register as models."""
    found: dict[str, list[str]] = {}
    for taker in graph.nodes:
        for path in taker.step.models:
            taken = taker.inputs.get(path)
            if taken is not None:
                found.setdefault(taken.node, []).append(taken.name)
    return found


def require_models(registered: Mapping[str, Sequence[str]], node: str, done: Done) -> Done:
    """Fail a step with an output that is to be registered and would be refused.

    Args:
        registered: Result of `outputs_to_register` for the run's graph.
        node: Name of the step that ended.
        done: Result of the step.

    Returns:
        The same result, or a failure with the registry's message.
    """
    if done.error is not None:
        return done
    made = [done.outputs[name][0] for name in registered.get(node, ()) if done.outputs.get(name)]
    error = find_refusal(made)
    if error is None:
        return done
    refused = failed(node, error)
    return Done(
        error=refused.error,
        traceback=refused.traceback,
        raised=refused.raised,
        logs=done.logs,
        seconds=done.seconds,
        facts=done.facts,
    )


def find_refusal(models: Iterable[ArtifactRecord]) -> SerializationError | None:
    """Return why the registry would refuse any of some models; None if all are accepted."""
    for record in models:
        try:
            require_safe(record)
        except SerializationError as error:
            return error
    return None
