"""What the registry would refuse is refused where it was made, before anything is computed from it."""

from penstock.core import SerializationError
from penstock.execution._work import Done, failed
from penstock.models import require_safe
from penstock.pipelines import Graph


def require_models(graph: Graph, node: str, done: Done) -> Done:
    """Fail a step whose output is to be registered and may not be.

    Args:
        graph: The run's graph.
        node: Name of the step that ended.
        done: What it came to.

    Returns:
        The same, or a failure with the registry's own words.
    """
    if done.error is not None:
        return done
    for taker in graph.nodes:
        for path in taker.step.models:
            taken = taker.inputs.get(path)
            if taken is None or taken.node != node or not done.outputs.get(taken.name):
                continue
            try:
                require_safe(done.outputs[taken.name][0])
            except SerializationError as error:
                refused = failed(node, error)
                return Done(
                    error=refused.error,
                    traceback=refused.traceback,
                    raised=refused.raised,
                    logs=done.logs,
                    seconds=done.seconds,
                    facts=done.facts,
                )
    return done
