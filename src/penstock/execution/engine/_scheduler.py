"""The scheduler: chooses the next step, decides how to treat the step, and records the end.

Only the scheduler plans and records; workers execute. The order is the same for all runners: ready
steps start by priority, then in the order of the pipeline's body, so that a single worker executes
the steps in the order in which the body is read.
"""

import heapq
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from penstock.core import (
    ArtifactRecord,
    Edge,
    LogLine,
    MetricPoint,
    NotFoundError,
    PenstockError,
    SettingsError,
    StepRunRecord,
    StepState,
    new_id,
    now,
)
from penstock.execution.engine._expansion import Expansion, Item
from penstock.execution.engine._input_checks import InputChecks
from penstock.execution.engine._leases import Leases
from penstock.execution.engine._plan import NOT_TAKEN, Plan, Planner, is_part
from penstock.execution.engine._result import GOOD_STATES, StepResult
from penstock.execution.engine._session import Session
from penstock.execution.engine._values import Values
from penstock.execution.step import Done, Work, failed, failure_text, failure_traceback, reuse_edges
from penstock.pipelines import Node

_Rank = tuple[int, ...]
_ASK_AGAIN_S = 0.5
_CARDS_AGAIN_S = 0.1


class Workers(Protocol):
    """The workers that execute steps; made for a run and closed at the end of the run."""

    @property
    def free(self) -> int:
        """Number of further steps that can start now."""
        ...

    def fits(self, node: Node) -> bool:
        """Return whether the graphics cards that a step asks for are free."""
        ...

    def submit(self, work: Work, values: Values) -> None:
        """Start a step."""
        ...

    def wait(self, seconds: float | None) -> Sequence[tuple[Work, Done]]:
        """Wait until a step has ended or the time is over; return the steps that have ended."""
        ...

    def cancel(self) -> None:
        """End the running steps by force."""
        ...


@dataclass(frozen=True, slots=True)
class _Ending:
    """An ended step run, with the artifacts, edges and logs to record."""

    record: StepRunRecord
    outputs: Sequence[ArtifactRecord] = ()
    edges: Sequence[Edge] = ()
    logs: Sequence[LogLine] = ()
    done: Done = field(default_factory=Done)


class Scheduler:
    """A pass over the steps of a session.

    Args:
        session: The session of the run.
        workers: Execute the steps.
    """

    def __init__(self, session: Session, workers: Workers) -> None:
        self._session, self._workers = session, workers
        self._metadata = session.store.metadata
        self.values = Values(session.store, session.graph)
        self._planner = Planner(session, self.values)
        self._ready: list[tuple[int, _Rank, Node]] = []
        self._later: list[tuple[float, _Rank, Plan]] = []  # postponed until a time
        self._waiting: dict[str, set[str]] = {}
        self._followers: dict[str, list[Node]] = {}
        self._ranks: dict[str, _Rank] = {}
        self._known: set[str] = set()  # nodes that have not ended
        self._running: dict[str, Plan] = {}
        self._open: dict[str, Expansion] = {}
        self._parents: dict[str, Expansion] = {}
        self._unrecorded: _Ending | None = None
        self._results: list[tuple[_Rank, StepResult]] = []
        self._leases = Leases(session.store, session.project)
        self._checks = InputChecks(session.graph)

    def run(self) -> list[StepResult]:
        """Execute every step that can run, and return the results in the pipeline's order."""
        self._add(self._session.graph.order(), (), self._wanted())
        try:
            while self._ready or self._running or self._later:
                self._begin()
                self._collect()
            self._flush()
        except BaseException as error:
            self._abandon(error)
            raise
        finally:
            self._leases.close()
        return [result for _, result in sorted(self._results, key=lambda pair: pair[0])]

    def _wanted(self) -> set[str] | None:
        """Return the step that is executed alone, and the steps needed; None for all."""
        alone, graph = self._session.alone, self._session.graph
        if alone is None:
            return None
        own = alone.partition("[")[0]
        return {own, *graph.needed_by(own)}

    def _add(
        self, nodes: Sequence[Node], rank: _Rank, wanted: Collection[str] | None = None
    ) -> None:
        """Add nodes; nodes without unfinished predecessors are ready."""
        chosen = [
            (place, node)
            for place, node in enumerate(nodes)
            if wanted is None or node.name in wanted
        ]
        self._known.update(node.name for _, node in chosen)
        for place, node in chosen:
            self._ranks[node.name] = (*rank, place)
            needed = {name for name in node.needs if name in self._known}
            for name in needed:
                self._followers.setdefault(name, []).append(node)
            if needed:
                self._waiting[node.name] = needed
            else:
                self._push(node)

    def _push(self, node: Node) -> None:
        heapq.heappush(self._ready, (-node.step.priority, self._ranks[node.name], node))

    def _begin(self) -> None:
        """Start the ready steps; steps that need no worker are settled at once."""
        moment = time.monotonic()
        while self._later and self._later[0][0] <= moment and self._workers.free:
            self._try_to_start(heapq.heappop(self._later)[2])
        while self._ready and self._workers.free:
            _, _, node = heapq.heappop(self._ready)
            plan = self._planner.plan(node, self._ranks[node.name][0])
            if plan.executes and node.is_expanded:
                self._expand(plan)
            elif plan.executes and node.step.asks:
                self._ask(plan)
            elif plan.executes:
                self._try_to_start(plan)
            else:
                self._settle(plan, self._without_running(plan))

    def _try_to_start(self, plan: Plan) -> None:
        """Start a step; postpone the step if cards or the concurrency limit are exhausted."""
        limit = plan.node.step.limit
        if not self._workers.fits(plan.node):
            self._postpone(plan, _CARDS_AGAIN_S)
            return
        if limit is None:
            self._start(plan)
            return
        try:
            taken = self._leases.take(limit, plan.record.step_run_id)
        except SettingsError as error:
            self._settle(plan, self._ending(plan, failed(plan.node.name, error)))
            return
        if taken:
            self._start(replace(plan, record=replace(plan.record, started_at=now())))
        else:
            self._postpone(plan, _ASK_AGAIN_S)

    def _ask(self, plan: Plan) -> None:
        """Start an approved step, fail a rejected step, else queue the run until a decision."""
        decisions = self._metadata.steps.list_decisions(plan.record.run_id)
        latest = next((d for d in reversed(decisions) if d.step == plan.node.name), None)
        if latest is not None and latest.approved:
            told = {"approved_by": latest.decided_by, "approved_for": latest.reason}
            facts = {**plan.record.facts, **told}
            self._try_to_start(replace(plan, record=replace(plan.record, facts=facts)))
            return
        message = str(plan.node.arguments.get("message") or "")
        if latest is None:
            state = StepState.QUEUED
            why = "it waits for approval" + (f": {message}" if message else "")
        else:
            state = StepState.FAILED
            why = f"{latest.decided_by} refused it: {latest.reason}"
        self._settle(plan, _Ending(replace(plan.record, state=state, error=why)))

    def _start(self, plan: Plan) -> None:
        """Record the start of a step and the end of the previous step in a single commit, and start."""
        self._flush(plan.record)
        self._running[plan.record.step_run_id] = plan
        self._session.reporter.step_started(plan.node.name)
        self._workers.submit(Work(plan.node, plan.record), self.values)

    def _flush(self, begun: StepRunRecord | None = None) -> None:
        ending, self._unrecorded = self._unrecorded, None
        if ending is not None:
            self._metadata.steps.finish(
                ending.record,
                outputs=ending.outputs,
                edges=ending.edges,
                logs=ending.logs,
                next_step=begun,
            )
        elif begun is not None:
            self._metadata.steps.start(begun)

    def _collect(self) -> None:
        if not self._running and not self._later:
            return
        seconds = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
        self._flush()  # ended steps must be visible while running steps continue
        if not self._running:
            time.sleep(seconds or 0.0)
            return
        for work, done in self._workers.wait(seconds):
            plan = self._running.pop(work.record.step_run_id)
            self._leases.drop(work.record.step_run_id)
            retry, attempt = plan.node.step.retry, plan.record.attempt
            if done.error is not None and retry.wants(attempt, done.raised):
                self._again(plan, done)
            else:
                self._settle(plan, self._ending(plan, done))

    def _again(self, plan: Plan, done: Done) -> None:
        """Record a failed attempt, and plan the next attempt."""
        self._keep(self._ending(plan, done))
        record = plan.record
        following = replace(
            plan,
            record=replace(
                record, step_run_id=new_id(), attempt=record.attempt + 1, started_at=now()
            ),
        )
        wait = plan.node.step.retry.seconds(record.attempt, record.step_run_id)
        self._postpone(following, wait)

    def _postpone(self, plan: Plan, seconds: float) -> None:
        entry = (time.monotonic() + seconds, self._ranks[plan.node.name], plan)
        heapq.heappush(self._later, entry)

    def _keep(self, ending: _Ending) -> None:
        self._flush()
        self._unrecorded = ending

    def _settle(self, plan: Plan, ending: _Ending) -> None:
        """Record how a node ended, and make followers ready."""
        node, record = plan.node, ending.record
        self.values.release(node)
        if record.state not in GOOD_STATES:
            self._planner.without_result(node, record)
        self._known.discard(node.name)
        if not plan.recorded:
            self._keep(ending)
        result = _result(ending, kept=plan.recorded)
        self._results.append((self._ranks[node.name], result))
        parent = self._parents.get(node.name)
        if parent is None:
            self._session.reporter.step_finished(result)
        else:
            self._session.reporter.item_finished(parent.node.name, result)
        if record.state is StepState.FAILED and self._session.stop_on_failure:
            self._stop()
        for follower in self._followers.pop(node.name, ()):
            waiting = self._waiting[follower.name]
            waiting.discard(node.name)
            if not waiting:
                del self._waiting[follower.name]
                self._push(follower)
        if parent is not None:
            self._item_ended(parent, node, record)

    def _stop(self) -> None:
        """End the running steps and start no more: a step has failed."""
        self._planner.stop()
        self._later.clear()
        self._workers.cancel()
        running, self._running = self._running, {}
        for plan in running.values():
            record = replace(
                plan.record,
                state=StepState.KILLED,
                ended_at=now(),
                error="another step failed, and that stops this run",
            )
            self._settle(plan, _Ending(record))

    def _expand(self, plan: Plan) -> None:
        expansion = Expansion(plan, self._session.store, self.values)
        if self._is_whole(plan.node):
            self._flush(plan.record)
        self._session.reporter.step_started(plan.node.name)
        self._open[plan.node.name] = expansion
        try:
            items = expansion.begin()
        except Exception as error:  # noqa: BLE001 - items that cannot be read fail their map
            self._fail(expansion, error)
            return
        if not self._is_whole(plan.node):
            items = [item for item in items if self._holds_the_one(plan.node, item)]
            expansion.is_partial = True
        self._session.reporter.items_started(plan.node.name, len(items))
        self._add_items(expansion, items)
        if expansion.is_done:
            self._finish(expansion)

    def _is_whole(self, node: Node) -> bool:
        """Return False if only a single item of a map or loop is to be executed."""
        alone = self._session.alone
        return alone is None or not alone.startswith(f"{node.name}[")

    def _holds_the_one(self, node: Node, item: Item) -> bool:
        name = node.item_name(item.key)
        return self._session.alone == name or str(self._session.alone).startswith(f"{name}/")

    def _needed_in(self, item: Item) -> set[str] | None:
        """Return the names of an item's nodes that are needed; None for all."""
        alone = self._session.alone
        if alone is None or not any(is_part(alone, node.name) for node in item.nodes):
            return None
        if any(node.name == alone or node.name.startswith(f"{alone}[") for node in item.nodes):
            wanted = {node.name for node in item.nodes if is_part(alone, node.name)}
        else:
            wanted = {node.name for node in item.nodes if alone.startswith(f"{node.name}[")}
        for node in reversed(item.nodes):  # each node stands after the nodes that it needs
            if node.name in wanted:
                wanted.update(node.needs)
        return wanted

    def _add_items(self, expansion: Expansion, items: Sequence[Item]) -> None:
        rank = self._ranks[expansion.node.name]
        first = len(expansion.keys) - len(items)
        for place, item in enumerate(items, first):
            for node in item.nodes:
                self._parents[node.name] = expansion
            self._planner.inherit(expansion.node.item_name(item.key), expansion.node.name)
            self._add(item.nodes, (*rank, place), self._needed_in(item))

    def _item_ended(self, parent: Expansion, node: Node, record: StepRunRecord) -> None:
        try:
            more = parent.ended(node, record)
        except Exception as error:  # noqa: BLE001 - a loop that does not end, a store that fails
            self._fail(parent, error)
            return
        self._add_items(parent, more)
        if parent.is_done:
            self._finish(parent)

    def _finish(self, expansion: Expansion) -> None:
        record, artifacts, edges = expansion.finish()
        del self._open[expansion.node.name]
        for name, artifact in zip(record.outputs, artifacts, strict=True):
            self.values.add(expansion.node.name, name, artifact)
        self._settle(expansion.plan, _Ending(record, artifacts, edges))

    def _fail(self, expansion: Expansion, error: Exception) -> None:
        self._open.pop(expansion.node.name, None)
        record = replace(
            expansion.plan.record,
            state=StepState.FAILED,
            ended_at=now(),
            error=failure_text(expansion.node.name, error),
            traceback=failure_traceback(error, None),
        )
        self._settle(expansion.plan, _Ending(record))

    def _without_running(self, plan: Plan) -> _Ending:
        """Return the ending of a step that was reused, skipped, or could not start."""
        record = plan.record
        if record.state is StepState.CACHED and (error := self._refusal(plan)) is not None:
            text = failure_text(plan.node.name, error)
            return _Ending(
                replace(record, state=StepState.FAILED, error=text, outputs={}, cached_from=None)
            )
        if record.state in GOOD_STATES:
            self.values.add_recorded(plan.node.name, record)
        edges: Sequence[Edge] = ()
        if record.state is StepState.CACHED:
            edges = reuse_edges(record)
            self._log_again(record)
        item = self._item_of(plan.node)
        return _Ending(record, item.artifacts if item else (), edges)

    def _refusal(self, plan: Plan) -> PenstockError | None:
        """Return why a step of this run refuses a reused output."""
        record = plan.record
        outputs = {
            name: self._metadata.artifacts.get(record.output_address(name), record.outputs[name])
            for name in self._checks.outputs(plan.node.name)
            if name in record.outputs
        }
        return self._checks.find_refusal(plan.node.name, outputs)

    def _item_of(self, node: Node) -> Item | None:
        parent = self._parents.get(node.name)
        return parent.items.get(node.name) if parent else None

    def _ending(self, plan: Plan, done: Done) -> _Ending:
        """Return the ending of a step that was executed."""
        done = self._checks.apply(plan.node.name, done)
        item = self._item_of(plan.node)
        extra = list(item.artifacts) if item else []
        ended, facts = now(), {**plan.record.facts, **done.facts}
        if done.error is not None:
            record = replace(
                plan.record,
                state=StepState.FAILED,
                ended_at=ended,
                error=done.error,
                traceback=done.traceback,
                facts=facts,
            )
            return _Ending(record, extra, logs=done.logs, done=done)
        for name, records in done.outputs.items():
            self.values.add(plan.node.name, name, records[0], **_known_value(done, name))
        wholes = {name: records[0] for name, records in done.outputs.items()}
        every = [artifact for records in done.outputs.values() for artifact in records]
        # Bytes in the artifact store can be deleted later, while the record still exists.
        stored = [artifact.digest for artifact in every if artifact.inline is None]
        if stored:
            facts["stored"] = stored
        if done.nothing:
            facts["nothing"] = list(done.nothing)
        record = plan.record.with_outputs(
            {name: (whole.content_digest, whole.digest) for name, whole in wholes.items()},
            state=StepState.FINISHED,
            ended_at=ended,
            facts=facts,
        )
        edges = [*done.edges, *(item.edges if item else ())]
        return _Ending(record, [*every, *extra], edges, done.logs, done)

    def _log_again(self, record: StepRunRecord) -> None:
        """Log the metrics of a reused step on this run, as logged in the original execution."""
        last = record.facts.get("metrics", ())
        if last and not self._copy_curves(record, [key for key, *_ in last]):
            # The run that executed the step is gone: the last points are in the step's own record.
            points = [MetricPoint(key, value, step, now()) for key, value, step in last]
            self._metadata.metrics.log(record.run_id, points)

    def _copy_curves(self, record: StepRunRecord, keys: Sequence[str]) -> int:
        own = [record.facts["logged_in"]] if "logged_in" in record.facts else []
        copied = 0
        for run_id, *between in record.facts.get("logged_in_all", own):
            self._session.store.flush()
            with suppress(NotFoundError):
                copied += self._metadata.metrics.copy(
                    run_id, record.run_id, keys=keys, between=tuple(between)
                )
        return copied

    def _abandon(self, error: BaseException) -> None:
        """End everything that is running, and mark unfinished steps as killed."""
        self._workers.cancel()
        with suppress(Exception):
            self._flush()
        interrupted = isinstance(error, KeyboardInterrupt)
        why = "it was interrupted" if interrupted else "the run ended before it"
        whole = [e.plan for e in self._open.values() if self._is_whole(e.node)]
        unfinished = [*self._running.values(), *whole]
        for plan in unfinished:
            with suppress(Exception):
                self._metadata.steps.finish(
                    replace(plan.record, state=StepState.KILLED, ended_at=now(), error=why)
                )


def _known_value(done: Done, name: str) -> dict[str, Any]:
    return {"value": done.values[name]} if name in done.values else {}


def _result(ending: _Ending, *, kept: bool = False) -> StepResult:
    record, done = ending.record, ending.done
    seconds = done.seconds
    if not seconds and record.state is StepState.FINISHED and record.started_at and record.ended_at:
        seconds = (record.ended_at - record.started_at).total_seconds()
    return StepResult(
        record.step,
        record.state,
        seconds,
        record.key,
        record.outputs,
        record.error,
        record.traceback,
        addresses={name: record.output_address(name) for name in record.outputs},
        not_taken=NOT_TAKEN in record.facts,
        unfollowed=tuple(record.facts.get("key_parts", {}).get("unfollowed", ())),
        kept=kept,
    )
