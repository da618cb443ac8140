"""PipelineResult: the result of a run, step by step, and how to resume the run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from shlex import quote
from typing import Any

from penstock.core import (
    GateState,
    ModelVersionRecord,
    NotFoundError,
    RunState,
    StepError,
    StepRunRecord,
    StepState,
    did_you_mean,
    to_json,
)
from penstock.execution.engine._states import GOOD_STATES, KEPT
from penstock.execution.engine._training_facts import training_facts
from penstock.pipelines import Graph, replace_outputs
from penstock.stores import Store


@dataclass(frozen=True)
class PipelineResult:
    """The result of a run.

    Args:
        run_id: Id of the run.
        name: Name of the pipeline.
        state: ``finished``, ``failed``, ``killed``, or ``queued`` if a step waits for approval.
        steps: The run of each step, in order.
        graph: The graph that was run.
        store: Store that has the run.
        error: Error line of the first step that failed; else None.
    """

    run_id: str
    name: str
    state: RunState
    steps: tuple[StepRunRecord, ...] = field(repr=False)
    graph: Graph = field(repr=False)
    store: Store = field(repr=False)
    error: str | None = None

    @property
    def ok(self) -> bool:
        """True if every step is done."""
        return self.state is RunState.FINISHED

    @cached_property
    def _versions(self) -> Sequence[ModelVersionRecord]:
        """Versions that the run registered, newest first."""
        return self.store.metadata.models.search_versions(f"run_id = '{self.run_id}'")

    @property
    def model_version(self) -> str | None:
        """``model@version`` of the newest version that the run registered; None if there is none."""
        return next((f"{each.model}@{each.version}" for each in self._versions), None)

    @property
    def refused(self) -> bool:
        """True if a gate of a version that the run registered has failed."""
        return any(gate.state is GateState.FAILED for v in self._versions for gate in v.gates)

    @property
    def waits_for(self) -> str | None:
        """The first step that waits for approval; None if no step waits."""
        queued = [step.step for step in self.steps if step.state is StepState.QUEUED]
        # A map is queued because an item is: the item is the step to decide about.
        return next((s for s in queued if not any(o.startswith(f"{s}[") for o in queued)), None)

    @property
    def approve_command(self) -> str:
        """The command that approves the waiting step."""
        return f"penstock approve-step {self.run_id} {quote(str(self.waits_for))} --reason '…'"

    @property
    def resume_command(self) -> str:
        """The command that resumes this run."""
        return f"penstock run --resume {self.run_id}"

    def __getitem__(self, step: str) -> StepRunRecord:
        for result in self.steps:
            if result.step == step:
                return result
        raise NotFoundError(
            what=f"Run {self.run_id} has no step {step!r}.",
            fix=did_you_mean(step, [result.step for result in self.steps]),
            name=step,
        )

    def output(self, name: str | None = None) -> Any:  # Any: a step's result
        """Load the pipeline's result, or the result of a step.

        Args:
            name: Name of a step; None for the pipeline's result.

        Raises:
            StepError: If the step that makes the result did not finish.
            NotFoundError: If there is no such step.
        """
        if name is not None:
            return self.step_output(name)
        values = {
            path: self.step_output(output.node, output.name)
            for path, output in self.graph.outputs.items()
        }
        return replace_outputs(self.graph.result, "result", values)

    def step_output(self, step: str, output: str | None = None) -> Any:  # Any: a step's result
        """Load the result of a step.

        Args:
            step: Name of the step in the pipeline.
            output: Name of an output; None for the result, a tuple if there are several outputs.

        Raises:
            StepError: If the step did not finish.
            NotFoundError: If there is no such step or output.
        """
        result = self[step]
        if result.state not in GOOD_STATES:
            raise StepError(
                what=f"Step {step!r} has no output: it is {result.state.value}.",
                why=f"{result.error}." if result.error else "",
                fix=f"Fix the cause, then: {self.resume_command}",
                step=step,
            )
        if output is None and list(result.outputs) != ["result"]:
            return tuple(self._load(result, name) for name in result.outputs)
        name = output or "result"
        if name not in result.outputs:
            raise NotFoundError(
                what=f"Step {step!r} has no output {name!r}.",
                fix=did_you_mean(name, result.outputs),
                name=name,
            )
        return self._load(result, name)

    def _load(self, record: StepRunRecord, name: str) -> Any:
        return self.store.get(record.output_address(name), record.outputs[name])

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain JSON, with the steps and the registered version.

        Run and steps have the forms of ``penstock show --json`` and the web UI; ``kept`` is added.
        """
        return {
            **to_json(self.store.metadata.runs.get(self.run_id)),
            "steps": [step_to_json(step) for step in self.steps],
            "model_version": self.model_version,
        }


def step_to_json(record: StepRunRecord) -> dict[str, Any]:
    """Return the run of a step as plain JSON, with ``training``, and ``kept`` of results only."""
    trained = training_facts(record)
    document = {**to_json(record), "kept": KEPT in record.facts}
    return {**document, "training": trained} if trained else document
