"""LocalRunner: the steps of a run in this process, one at a time.

One at a time because the generators of random, numpy and torch and the thread counts belong to the
process: two steps at once would make results depend on timing.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.core import (
    ArtifactRecord,
    Edge,
    GateState,
    LogLine,
    MetricPoint,
    NotFoundError,
    StepRunRecord,
    StepState,
    new_id,
    now,
    now_micros,
)
from penstock.execution._failures import failure_text, failure_traceback
from penstock.execution._lineage import reuse_edges, step_edges
from penstock.execution._plan import Plan, Planner
from penstock.execution._result import GOOD_STATES, StepResult
from penstock.execution._session import Session
from penstock.execution._step_runner import StepOutcome, bind_arguments, execute_step
from penstock.execution._values import Values
from penstock.tracking import StepContext, use_step

# Waiting grows fourfold: 0.1, 0.4, 1.6, … seconds; what does not heal in that time needs a person.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 30.0


class LocalRunner:
    """Executes steps in the calling thread."""

    def run(self, session: Session) -> list[StepResult]:
        """See Runner."""
        return _Execution(session).run()


@dataclass(frozen=True, slots=True)
class _Ending:
    """A step run as it ended, with what is to be recorded beside it."""

    record: StepRunRecord
    outputs: Sequence[ArtifactRecord] = ()
    edges: Sequence[Edge] = ()
    logs: Sequence[LogLine] = ()
    seconds: float = 0.0
    values: Mapping[str, Any] = field(default_factory=dict)


class _Execution:
    """One pass over a session's steps."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._metadata = session.store.metadata
        self._values = Values(session.store, session.graph)
        self._planner = Planner(session, self._values)
        self._running: StepRunRecord | None = None

    def run(self) -> list[StepResult]:
        try:
            return list(self._steps())
        except KeyboardInterrupt:
            if self._running is not None:
                self._metadata.finish_step(
                    replace(
                        self._running,
                        state=StepState.KILLED,
                        ended_at=now(),
                        error="it was interrupted",
                    )
                )
            raise

    def _steps(self) -> Iterator[StepResult]:
        nodes = self._session.graph.order()
        plan = self._planner.plan(nodes[0], 0)
        self._record(None, plan)
        for place in range(1, len(nodes) + 1):
            ending = self._carry_out(plan)
            self._values.release(plan.node)
            if ending.record.state not in GOOD_STATES:
                self._planner.without_result(plan.node, ending.record.state)
            following = self._planner.plan(nodes[place], place) if place < len(nodes) else None
            self._record(None if plan.recorded else ending, following)
            result = _result(ending)
            self._session.reporter.step_finished(result)
            yield result
            if following is not None:
                plan = following

    def _record(self, ending: _Ending | None, following: Plan | None) -> None:
        """Record the end of a step and the start of the next, in one commit."""
        begun = following.record if following and following.executes else None
        if ending is not None:
            self._metadata.finish_step(
                ending.record,
                outputs=ending.outputs,
                edges=ending.edges,
                logs=ending.logs,
                next_step=begun,
            )
        elif begun is not None:
            self._metadata.start_step(begun)
        self._running = begun

    def _carry_out(self, plan: Plan) -> _Ending:
        if plan.executes:
            self._session.reporter.step_started(plan.node.name)
            return self._try(plan)
        if plan.record.state in GOOD_STATES:
            self._values.add_recorded(plan.node.name, plan.record)
        edges: Sequence[Edge] = ()
        if plan.record.state is StepState.CACHED:
            edges = reuse_edges(plan.record)
            self._log_again(plan.record)
        values = {}
        if plan.node.step.effect and plan.recorded:  # an earlier attempt may have registered
            store, digests = self._session.store, plan.record.outputs
            values = {name: store.get(digest) for name, digest in digests.items()}
        return _Ending(plan.record, edges=edges, values=values)

    def _try(self, plan: Plan) -> _Ending:
        """Execute a step until it succeeds or its retries are used up."""
        ending = self._ending(plan, self._execute(plan))
        while (
            ending.record.state is StepState.FAILED
            and plan.record.attempt <= plan.node.step.retries
        ):
            plan = self._again(plan, ending)
            ending = self._ending(plan, self._execute(plan))
        return ending

    def _execute(self, plan: Plan) -> StepOutcome:
        step, record = plan.node.step, plan.record
        context = StepContext(plan.node.name, record.step_run_id, record.seed)
        began = now_micros()
        with use_step(context):
            try:
                arguments = bind_arguments(plan.node, self._values.inputs(plan.node))
            except Exception as error:  # noqa: BLE001 - a value that cannot be read fails its step
                return _failed(plan.node.name, error)
            outcome = execute_step(
                plan.node.name,
                step,
                arguments,
                seed=record.seed,
                threads=step.resources.cpu,
                timeout_s=step.timeout.total_seconds() if step.timeout else None,
            )
        if context.logged:
            outcome.facts["metrics"] = [[key, *last] for key, last in context.logged.items()]
            outcome.facts["logged_in"] = [record.run_id, began, now_micros()]
        return outcome

    def _log_again(self, record: StepRunRecord) -> None:
        """Log on this run what a reused step logged when it was executed."""
        last = record.facts.get("metrics", ())
        if last and not self._copy_curves(record, [key for key, *_ in last]):
            # The run that executed it is gone: where its curves ended is in the step's own record.
            points = [MetricPoint(key, value, step, now()) for key, value, step in last]
            self._metadata.log_metrics(record.run_id, points)

    def _copy_curves(self, record: StepRunRecord, keys: Sequence[str]) -> int:
        source = record.facts.get("logged_in")
        if source is None:
            return 0
        run_id, *between = source
        self._session.store.flush()
        with suppress(NotFoundError):
            return self._metadata.copy_metrics(
                run_id, record.run_id, keys=keys, between=tuple(between)
            )
        return 0

    def _ending(self, plan: Plan, outcome: StepOutcome) -> _Ending:
        packed: dict[str, list[ArtifactRecord]] = {}
        if outcome.error is None:
            try:
                packed = {
                    name: self._session.store.pack(value) for name, value in outcome.outputs.items()
                }
            except Exception as error:  # noqa: BLE001 - a value that cannot be stored fails its step
                failed = _failed(plan.node.name, error)
                outcome = replace(failed, logs=outcome.logs, facts=outcome.facts)
        record = replace(
            plan.record,
            state=StepState.FINISHED if outcome.error is None else StepState.FAILED,
            ended_at=now(),
            error=outcome.error,
            traceback=outcome.traceback,
            facts={**plan.record.facts, **outcome.facts},
        )
        if outcome.error is not None:
            return _Ending(record, logs=outcome.logs, seconds=outcome.seconds)
        return self._finished(plan, record, outcome, packed)

    def _finished(
        self,
        plan: Plan,
        record: StepRunRecord,
        outcome: StepOutcome,
        packed: Mapping[str, Sequence[ArtifactRecord]],
    ) -> _Ending:
        for name, records in packed.items():
            self._values.add(plan.node.name, name, outcome.outputs[name], records[0])
        whole = {name: records[0] for name, records in packed.items()}
        every = [artifact for records in packed.values() for artifact in records]
        # What lies in the artifact store can be gone later, while its record is still there.
        stored = [artifact.digest for artifact in every if artifact.inline is None]
        record = replace(
            record,
            facts={**record.facts, "stored": stored} if stored else record.facts,
            outputs={name: artifact.content_digest for name, artifact in whole.items()},
            addresses={
                **record.addresses,
                **{artifact.content_digest: artifact.digest for artifact in whole.values()},
            },
        )
        return _Ending(
            record,
            outputs=every,
            edges=step_edges(record, outcome.outputs),
            logs=outcome.logs,
            seconds=outcome.seconds,
            values=outcome.outputs,
        )

    def _again(self, plan: Plan, ending: _Ending) -> Plan:
        """Record a failed try, wait, and start the next one."""
        following = replace(
            plan,
            record=replace(
                plan.record,
                step_run_id=new_id(),
                attempt=plan.record.attempt + 1,
                started_at=now(),
            ),
        )
        self._metadata.finish_step(ending.record, logs=ending.logs, next_step=following.record)
        self._running = following.record
        time.sleep(min(_FIRST_WAIT_S * 4 ** (plan.record.attempt - 1), _LONGEST_WAIT_S))
        return following


def _failed(name: str, error: BaseException) -> StepOutcome:
    return StepOutcome(
        {}, failure_text(name, error), failure_traceback(error, None), exception=error
    )


def _result(ending: _Ending) -> StepResult:
    record, seconds = ending.record, ending.seconds
    if not seconds and record.state is StepState.FINISHED and record.started_at and record.ended_at:
        seconds = (record.ended_at - record.started_at).total_seconds()
    version = next((v for v in ending.values.values() if hasattr(v, "lineage_targets")), None)
    gates = getattr(version, "gates", ())
    return StepResult(
        record.step,
        record.state,
        seconds,
        record.key,
        record.outputs,
        record.error,
        record.traceback,
        version=getattr(version, "ref", None),
        refused=any(gate.state is GateState.FAILED for gate in gates),
    )
