"""Work and Done: a step's execution as in every runner, here or in a separate process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.core import (
    ArtifactRecord,
    Edge,
    LogLine,
    StepRunRecord,
    now_micros,
)
from penstock.execution.step._failures import failure_text, failure_traceback
from penstock.execution.step._lineage import step_edges
from penstock.execution.step._step_runner import StepOutcome, bind_arguments, execute_step
from penstock.pipelines import NOTHING, Node
from penstock.stores import Parts, Store
from penstock.tracking import StepContext, use_step


@dataclass(frozen=True, slots=True)
class Work:
    """A step about to be executed.

    Args:
        node: The step with its constant arguments.
        record: The step run at the start.
    """

    node: Node
    record: StepRunRecord


@dataclass(frozen=True, slots=True)
class Done:
    """Result of an execution; the values are stored, but not yet recorded.

    Args:
        outputs: By output name, the records of the value and the value's elements.
        error: Error line if the step failed; else None.
        traceback: The traceback from the user's code on, if the step failed.
        logs: Printed and logged lines.
        seconds: Duration.
        facts: Settings of the execution and logged metrics.
        edges: Lineage edges of the step.
        nothing: Outputs that were not made.
        raised: Names of the exception's class and base classes.
        values: Values by output name, if they are in this process.
    """

    outputs: Mapping[str, Sequence[ArtifactRecord]] = field(default_factory=dict)
    error: str | None = None
    traceback: str | None = None
    logs: Sequence[LogLine] = ()
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    edges: Sequence[Edge] = ()
    nothing: Sequence[str] = ()
    raised: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


def do_work(store: Store, work: Work, inputs: Mapping[str, Any] | Exception) -> Done:
    """Execute a step on inputs and store the outputs.

    Args:
        store: Store of the values; nothing is recorded there.
        work: The step.
        inputs: Value by path, as in ``Node.inputs``; or the exception raised while loading them.
    """
    node, record = work.node, work.record
    key = record.key or record.facts.get("key")
    context = StepContext(node.name, record.step_run_id, record.seed, key=key, run_id=record.run_id)
    began = now_micros()
    streamed = _Streamed(store)
    with use_step(context):
        try:
            if isinstance(inputs, Exception):
                raise inputs  # noqa: TRY301 - reported like any failure of the step
            arguments = bind_arguments(node, inputs)
        except Exception as error:  # noqa: BLE001 - a value that cannot be read fails its step
            return failed(node.name, error)
        outcome = execute_step(
            node.name,
            node.step,
            arguments,
            seed=record.seed,
            threads=node.step.resources.cpu,
            timeout_s=node.step.timeout.total_seconds() if node.step.timeout else None,
            stream=streamed.keep,
        )
    if context.logged:
        outcome.facts["metrics"] = [[key, *last] for key, last in context.logged.items()]
        outcome.facts["logged_in"] = [record.run_id, began, now_micros()]
    if outcome.error is not None:
        return _failed(outcome)
    try:
        packed = {
            name: streamed.pack(value)
            for name, value in outcome.outputs.items()
            if value is not NOTHING
        }
    except Exception as error:  # noqa: BLE001 - a value that cannot be stored fails its step
        return replace(failed(node.name, error), logs=outcome.logs, facts=outcome.facts)
    if context.checkpoints:  # the outputs replace the checkpoints
        store.metadata.artifacts.drop(record.run_id, context.checkpoints)
    return _finished(record, outcome, packed)


def failed(name: str, error: BaseException) -> Done:
    """Return the result of a step that failed outside the function."""
    return Done(
        error=failure_text(name, error),
        traceback=failure_traceback(error, None),
        raised=_classes(error),
    )


def lost(name: str, why: str) -> Done:
    """Return the result of a step whose process or node was lost before reporting."""
    raised = ("builtins.Exception", "builtins.BaseException")
    return Done(error=f"step {name!r} failed: {why}", raised=raised)


class _Streamed:
    """Storage of a generator's values as they are yielded; a single value is in memory at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._packed: dict[int, list[ArtifactRecord]] = {}

    def keep(self, values: Any) -> Parts:
        """Store the yielded values, and return the value that stands for all of them."""
        first: dict[str, ArtifactRecord] = {}
        rest: list[ArtifactRecord] = []
        for index, value in enumerate(values):
            records = self._store.pack(value)
            first[str(index)] = records[0]
            rest += records
        whole = self._store.pack_parts(Parts.bundle_type, "Parts", first)
        made: Parts = self._store.load(whole)
        self._packed[id(made)] = [whole, *rest]
        return made

    def pack(self, value: Any) -> list[ArtifactRecord]:
        """Store a value, unless the value was stored when yielded."""
        return self._packed.get(id(value)) or self._store.pack(value)


def _failed(outcome: StepOutcome) -> Done:
    return Done(
        error=outcome.error,
        traceback=outcome.traceback,
        logs=outcome.logs,
        seconds=outcome.seconds,
        facts=outcome.facts,
        raised=_classes(outcome.exception) if outcome.exception else (),
    )


def _finished(
    record: StepRunRecord, outcome: StepOutcome, packed: Mapping[str, Sequence[ArtifactRecord]]
) -> Done:
    values = {name: value for name, value in outcome.outputs.items() if name in packed}
    digests = {name: records[0].content_digest for name, records in packed.items()}
    return Done(
        outputs=packed,
        logs=outcome.logs,
        seconds=outcome.seconds,
        facts=outcome.facts,
        edges=step_edges(record, digests, values),
        nothing=tuple(name for name in outcome.outputs if name not in packed),
        values=values,
    )


def _classes(error: BaseException) -> tuple[str, ...]:
    return tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__)
