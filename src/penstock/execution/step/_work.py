"""Work: a step of a run to be executed; and the execution: arguments, execution, stored outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.core import ArtifactRecord, StepRunRecord, StepState, now_micros
from penstock.execution.step._execute import bind_arguments, execute_step
from penstock.execution.step._lineage import step_edges
from penstock.execution.step._outcome import Outcome, failed
from penstock.pipelines import NOTHING, Node
from penstock.stores import Parts, Store
from penstock.tracking import StepContext, use_step

CHECKPOINTS = "checkpoints"
"""Fact of a rank: names of the checkpoints that the step's end releases."""


@dataclass(frozen=True, slots=True)
class Work:
    """A step of a run and the decision about the execution.

    Args:
        node: The step with the constant arguments.
        record: The step run: running if the step is to be executed; else ended.
        inputs: Records of the inputs by path, where the work is sent to a worker.
    """

    node: Node
    record: StepRunRecord
    inputs: Mapping[str, ArtifactRecord] = field(default_factory=dict)

    @property
    def executes(self) -> bool:
        """True if the step is to be executed; False if the step was reused or skipped, or has ended."""
        return self.record.state is StepState.RUNNING

    def changed(self, **changes: Any) -> "Work":
        """Return the work with a changed record."""
        return Work(self.node, self.record.changed(**changes), self.inputs)


def do_work(
    store: Store, work: Work, inputs: Mapping[str, Any] | Exception, *, rank: int | None = None
) -> Outcome:
    """Execute a step on inputs and store the outputs.

    Args:
        store: Store of the values; nothing is recorded there.
        work: The step.
        inputs: Value by path, as in ``Node.inputs``; or the exception raised while loading them.
        rank: Number of this process among those that execute the step; None for a single process.
    """
    node, record = work.node, work.record
    key = record.key or record.facts.get("key")
    context = StepContext(
        node.name,
        record.step_run_id,
        record.seed,
        key=key,
        run_id=record.run_id,
        shards=node.step.shards,
        threads=node.step.threads,
        rank=rank,
    )
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
            threads=node.step.threads,
            timeout_s=node.step.timeout.total_seconds() if node.step.timeout else None,
            stream=streamed.keep,
        )
    if context.logged:
        outcome.facts["metrics"] = [[key, *last] for key, last in context.logged.items()]
        outcome.facts["logged_in"] = [record.run_id, began, now_micros()]
    outcome.facts.update(context.notes)
    if outcome.error is not None:
        return outcome.without_results()  # an exception would keep the step's values in memory
    try:
        stored = _stored(record, outcome, streamed)
    except Exception as error:  # noqa: BLE001 - a value that cannot be stored fails its step
        return outcome.refused(node.name, error)
    if context.checkpoints and rank is not None:  # other ranks may still fail
        outcome.facts[CHECKPOINTS] = sorted(context.checkpoints)
    elif context.checkpoints:  # the outputs replace the checkpoints
        store.metadata.artifacts.drop(record.run_id, context.checkpoints)
    return stored


def _stored(record: StepRunRecord, outcome: Outcome, streamed: "_Streamed") -> Outcome:
    """Store the values of an outcome; returns the outcome with their records and edges."""
    values = {name: value for name, value in outcome.results.items() if value is not NOTHING}
    outputs = {name: streamed.pack(value) for name, value in values.items()}
    digests = {name: records[0].content_digest for name, records in outputs.items()}
    return Outcome(  # as `replace` would, in half the time: once for each step
        results=values,
        outputs=outputs,
        nothing=tuple(name for name in outcome.results if name not in values),
        logs=outcome.logs,
        seconds=outcome.seconds,
        facts=outcome.facts,
        edges=step_edges(record, digests, values),
    )


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
        parts: Parts = self._store.load(whole)
        self._packed[id(parts)] = [whole, *rest]
        return parts

    def pack(self, value: Any) -> Sequence[ArtifactRecord]:
        """Store a value, unless the value was stored when yielded."""
        return self._packed.get(id(value)) or self._store.pack(value)
