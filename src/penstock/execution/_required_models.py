"""What the registry would refuse is refused where it was made, before anything is computed from it."""

from collections.abc import Iterable, Mapping, Sequence

from penstock.core import ArtifactRecord, SerializationError
from penstock.execution._work import Done, failed
from penstock.models import require_safe
from penstock.pipelines import Graph


def outputs_to_register(graph: Graph) -> dict[str, list[str]]:
    """List by node the outputs that other steps of a graph register as models."""
    found: dict[str, list[str]] = {}
    for taker in graph.nodes:
        for path in taker.step.models:
            taken = taker.inputs.get(path)
            if taken is not None:
                found.setdefault(taken.node, []).append(taken.name)
    return found


def require_models(registered: Mapping[str, Sequence[str]], node: str, done: Done) -> Done:
    """Fail a step whose output is to be registered and may not be.

    Args:
        registered: What `outputs_to_register` said of the run's graph.
        node: Name of the step that ended.
        done: What it came to.

    Returns:
        The same, or a failure with the registry's own words.
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
    """Return why the registry would refuse one of some models; None if it takes them all."""
    for record in models:
        try:
            require_safe(record)
        except SerializationError as error:
            return error
    return None
