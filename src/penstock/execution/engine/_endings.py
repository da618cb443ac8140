"""Endings: the outputs of a step that was executed or reused, before the record is written."""

from dataclasses import replace

from penstock.core import PenstockError, StepRunRecord, StepState, now
from penstock.execution.engine._expansion import Item
from penstock.execution.engine._input_checks import InputChecks
from penstock.execution.engine._session import Session
from penstock.execution.engine._states import GOOD_STATES
from penstock.execution.engine._values import UNKNOWN, Values
from penstock.execution.step import Outcome, Work, failure_text, reuse_edges


class Endings:
    """Makes a step's outputs the inputs of the steps after it, or refuses them.

    Args:
        session: The session of the run.
        values: Outputs of the steps of the run.
    """

    def __init__(self, session: Session, values: Values) -> None:
        self._artifacts, self._values = session.store.metadata.artifacts, values
        self._checks = InputChecks(session.graph)

    def executed(self, work: Work, outcome: Outcome, item: Item | None) -> tuple[Work, Outcome]:
        """Return the work and the outcome of a step that was executed, as they are recorded.

        Args:
            work: The work, with the record at the start.
            outcome: How the execution ended.
            item: The item of a map that the step was executed on, if any.
        """
        name = work.node.name
        outcome = self._checks.apply(name, outcome)
        if outcome.error is None:
            for output, records in outcome.outputs.items():
                value = outcome.results.get(output, UNKNOWN)
                self._values.add(name, output, records[0], value=value)
            if item is not None:
                outcome = replace(outcome, edges=[*outcome.edges, *item.edges])
        return Work(work.node, ended_record(work.record, outcome)), outcome

    def reused(self, work: Work) -> tuple[Work, Outcome]:
        """Return the work and the outcome of a step that was reused, skipped, or could not start."""
        record = work.record
        if record.state is StepState.CACHED and (error := self._refusal(work)) is not None:
            text = failure_text(work.node.name, error)
            refused = work.changed(state=StepState.FAILED, error=text, outputs={}, cached_from=None)
            return refused, Outcome()
        if record.state in GOOD_STATES:
            self._values.add_recorded(work.node.name, record)
        is_cached = record.state is StepState.CACHED
        return work, Outcome(edges=reuse_edges(record) if is_cached else ())

    def _refusal(self, work: Work) -> PenstockError | None:
        """Return why a step of this run refuses a reused output."""
        record = work.record
        outputs = {
            name: self._artifacts.get(record.output_address(name), record.outputs[name])
            for name in self._checks.outputs(work.node.name)
            if name in record.outputs
        }
        return self._checks.find_refusal(work.node.name, outputs)


def ended_record(record: StepRunRecord, outcome: Outcome) -> StepRunRecord:
    """Return the record of a step that was executed: finished or failed.

    Args:
        record: The step run at the start.
        outcome: How the execution ended.
    """
    ended, facts = now(), {**record.facts, **outcome.facts}
    if outcome.error is not None:
        return replace(
            record,
            state=StepState.FAILED,
            ended_at=ended,
            error=outcome.error,
            traceback=outcome.traceback,
            facts=facts,
        )
    every = (artifact for records in outcome.outputs.values() for artifact in records)
    # Bytes in the artifact store can be deleted later, while the record still exists.
    stored = [artifact.digest for artifact in every if artifact.inline is None]
    if stored:
        facts["stored"] = stored
    if outcome.nothing:
        facts["nothing"] = list(outcome.nothing)
    wholes = {name: records[0] for name, records in outcome.outputs.items()}
    return record.with_outputs(
        {name: (whole.content_digest, whole.digest) for name, whole in wholes.items()},
        state=StepState.FINISHED,
        ended_at=ended,
        facts=facts,
    )
