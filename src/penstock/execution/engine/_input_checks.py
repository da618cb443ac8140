"""Checks that a step declares of its inputs, made as soon as the earlier step has ended.

A model that the registry would refuse so fails the training step, before the evaluation.
"""

from collections.abc import Mapping

from penstock.core import ArtifactRecord, PenstockError
from penstock.execution.step import Outcome
from penstock.pipelines import Graph, InputCheck


class InputChecks:
    """The checks of a graph's outputs by the steps that take them.

    Args:
        graph: The graph of the run.
    """

    def __init__(self, graph: Graph) -> None:
        self._checks: dict[str, list[tuple[str, InputCheck]]] = {}
        for taker in graph.nodes:
            for path, check in taker.step.input_checks.items():
                taken = taker.inputs.get(path)
                if taken is not None:
                    self._checks.setdefault(taken.node, []).append((taken.name, check))

    def outputs(self, node: str) -> list[str]:
        """Return the names of a node's outputs that are checked."""
        return [name for name, _ in self._checks.get(node, ())]

    def find_refusal(
        self, node: str, outputs: Mapping[str, ArtifactRecord]
    ) -> PenstockError | None:
        """Return why an output of a node is refused; None if all are accepted."""
        for name, check in self._checks.get(node, ()):
            if name in outputs:
                try:
                    check(outputs[name])
                except PenstockError as error:
                    return error
        return None

    def apply(self, node: str, outcome: Outcome) -> Outcome:
        """Return the outcome of a step, or a failure with the message of the check that refused the outputs."""
        if outcome.error is not None or node not in self._checks:
            return outcome
        wholes = {name: records[0] for name, records in outcome.outputs.items()}
        error = self.find_refusal(node, wholes)
        return outcome if error is None else outcome.refused(node, error)
