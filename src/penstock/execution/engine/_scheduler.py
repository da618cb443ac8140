"""The scheduler: chooses the next step, decides how to treat the step, and has the end recorded.

Only the scheduler plans and records; workers execute.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from penstock.core import (
    SettingsError,
    StepRunRecord,
    StepState,
    new_id,
    now,
)
from penstock.execution.engine._decision import apply_decision
from penstock.execution.engine._endings import Endings, ended_record
from penstock.execution.engine._expansion import Expansion, Item
from penstock.execution.engine._leases import Leases
from penstock.execution.engine._plan import Planner
from penstock.execution.engine._ready_queue import Rank, ReadyQueue
from penstock.execution.engine._recorder import StepRecorder
from penstock.execution.engine._selection import Selection
from penstock.execution.engine._session import Session
from penstock.execution.engine._states import GOOD_STATES, KEPT, SECONDS
from penstock.execution.engine._values import Values
from penstock.execution.engine._workers import Workers
from penstock.execution.step import (
    Outcome,
    Work,
    failed,
    failure_text,
    failure_traceback,
)
from penstock.pipelines import Node

_LEASE_AGAIN_S = 0.5
_CARDS_AGAIN_S = 0.1


class StepScheduler:
    """A pass over the steps of a session.

    Args:
        session: The session of the run.
        workers: Execute the steps.
    """

    def __init__(self, session: Session, workers: Workers) -> None:
        self._session, self._workers = session, workers
        self.values = Values(session.store, session.graph)
        self._selection = Selection(session.graph, session.alone)
        self._planner = Planner(session, self.values, self._selection)
        self._queue = ReadyQueue()
        self._recorder = StepRecorder(session.store)
        self._leases = Leases(session.store, session.project)
        self._endings = Endings(session, self.values)
        self._running: dict[str, Work] = {}
        self._open: dict[str, Expansion] = {}
        self._parents: dict[str, Expansion] = {}
        self._ended: list[tuple[Rank, StepRunRecord]] = []

    def run(self) -> list[StepRunRecord]:
        """Execute every step that can run, and return the step runs in the pipeline's order."""
        self._queue.add(self._session.graph.order(), only=self._selection.steps())
        try:
            while self._queue or self._running:
                self._begin()
                self._collect()
            self._recorder.flush()
        except BaseException as error:
            self._abandon(error)
            raise
        finally:
            self._leases.close()
        return [record for _, record in sorted(self._ended, key=lambda pair: pair[0])]

    def _begin(self) -> None:
        """Start the ready steps; steps that need no worker are settled at once."""
        while self._workers.has_room and (due := self._queue.pop_due()) is not None:
            self._try_to_start(due)
        while self._workers.has_room and (node := self._queue.pop()) is not None:
            work = self._planner.plan(node, self._queue.rank(node.name)[0])
            if not work.executes:
                self._settle_reused(work)
            elif node.is_expanded:
                self._expand(work)
            elif node.step.asks:
                self._ask(work)
            else:
                self._try_to_start(work)

    def _try_to_start(self, work: Work) -> None:
        """Start a step; postpone the step if cards or the concurrency limit are exhausted."""
        limit = work.node.step.concurrency_limit
        if not self._workers.can_take(work):
            self._queue.postpone(work, _CARDS_AGAIN_S)
            return
        if limit is None:
            self._start(work)
            return
        try:
            taken = self._leases.take(limit, work.record.step_run_id)
        except SettingsError as error:
            self._settle_executed(work, failed(work.node.name, error))
            return
        if taken:
            self._start(work.changed(started_at=now()))
        else:
            self._queue.postpone(work, _LEASE_AGAIN_S)

    def _ask(self, work: Work) -> None:
        """Start an approved step, fail a rejected step, else queue the run until a decision."""
        steps = self._session.store.metadata.steps
        work = apply_decision(work, steps.list_decisions(work.record.run_id))
        if work.executes:
            self._try_to_start(work)
        else:
            self._settle(work)

    def _start(self, work: Work) -> None:
        self._recorder.start(work.record)
        self._running[work.record.step_run_id] = work
        self._session.reporter.step_started(work.node.name)
        self._workers.submit(work, self.values)

    def _collect(self) -> None:
        """Wait for steps that end, or until postponed work is due."""
        seconds = self._queue.seconds_to_next()
        if not self._running and seconds is None:
            return
        self._recorder.flush()  # ended steps must be visible while running steps continue
        if not self._running:
            time.sleep(seconds or 0.0)
            return
        for work, outcome in self._workers.wait(seconds):
            started = self._running.pop(work.record.step_run_id)
            self._leases.drop(work.record.step_run_id)
            if self._wants_retry(started, outcome):
                self._retry(started, outcome)
            else:
                self._settle_executed(started, outcome)

    def _wants_retry(self, work: Work, outcome: Outcome) -> bool:
        if outcome.error is None or not self._session.retries:
            return False
        return work.node.step.retry.wants(work.record.attempt, outcome.raised)

    def _retry(self, work: Work, outcome: Outcome) -> None:
        """Record a failed attempt, and plan the next attempt."""
        record = work.record
        item = self._item_of(work.node)
        self._recorder.end(ended_record(record, outcome), outcome, item.artifacts if item else ())
        seconds = work.node.step.retry.seconds(record.attempt, record.step_run_id)
        following = work.changed(step_run_id=new_id(), attempt=record.attempt + 1, started_at=now())
        self._queue.postpone(following, seconds)

    def _settle_executed(self, work: Work, outcome: Outcome) -> None:
        item = self._item_of(work.node)
        outcome = self._planner.confirm_sources(work.node, outcome)
        self._settle(*self._endings.executed(work, outcome, item), item)

    def _settle_reused(self, work: Work) -> None:
        work, outcome = self._endings.reused(work)
        if work.record.state is StepState.CACHED:
            self._recorder.copy_metrics(work.record)
        self._settle(work, outcome, self._item_of(work.node))

    def _settle(self, work: Work, outcome: Outcome | None = None, item: Item | None = None) -> None:
        """Record how a node ended, and make followers ready.

        Args:
            work: The work, with the record at the end.
            outcome: Outcome of the work, if any.
            item: The item of a map whose artifacts are recorded too.
        """
        node, record = work.node, work.record
        self.values.release(node)
        if record.state not in GOOD_STATES:
            self._planner.without_result(node, record)
        if KEPT not in record.facts:
            self._recorder.end(record, outcome or Outcome(), item.artifacts if item else ())
        if outcome is not None and outcome.seconds:
            record = record.changed(facts={**record.facts, SECONDS: outcome.seconds})
        self._ended.append((self._queue.rank(node.name), record))
        parent = self._parents.get(node.name)
        if parent is None:
            self._session.reporter.step_finished(record)
        else:
            self._session.reporter.item_finished(parent.node.name, record)
        if record.state is StepState.FAILED and self._session.options.stop_on_failure:
            self._stop()
        self._queue.end(node.name)
        if parent is not None:
            self._item_ended(parent, node, record)

    def _stop(self) -> None:
        """End the running steps and start no more: a step has failed."""
        self._planner.stop()
        self._queue.drop_postponed()
        self._workers.cancel()
        running, self._running = self._running, {}
        why = "a step failed, and the failure policy is stop"
        for work in running.values():
            self._settle(work.changed(state=StepState.KILLED, ended_at=now(), error=why))

    def _abandon(self, error: BaseException) -> None:
        """End everything that is running, and mark unfinished steps as killed."""
        self._workers.cancel()
        interrupted = isinstance(error, KeyboardInterrupt)
        why = "it was interrupted" if interrupted else "the run ended before it"
        unfinished = [work.record for work in self._running.values()]
        unfinished += [
            expansion.work.record
            for expansion in self._open.values()
            if self._selection.is_whole(expansion.node)
        ]
        self._recorder.kill(unfinished, why)

    def _expand(self, work: Work) -> None:
        """Begin a map or loop: the items become nodes of the run."""
        node, is_whole = work.node, self._selection.is_whole(work.node)
        expansion = Expansion(work, self._session.store, self.values)
        if is_whole:
            self._recorder.start(work.record)
        self._session.reporter.step_started(node.name)
        self._open[node.name] = expansion
        try:
            items = expansion.begin()
        except Exception as error:  # noqa: BLE001 - items that cannot be read fail their map
            self._fail(expansion, error)
            return
        if not is_whole:
            items = [item for item in items if self._selection.has_item(node, item.key)]
            expansion.is_partial = True
        self._session.reporter.items_started(node.name, len(items))
        self._add_items(expansion, items)

    def _add_items(self, expansion: Expansion, items: Sequence[Item]) -> None:
        """Add the nodes of items; a map or loop without further items ends."""
        node = expansion.node
        first = len(expansion.keys) - len(items)
        for place, item in enumerate(items, first):
            for inner in item.nodes:
                self._parents[inner.name] = expansion
            self._planner.inherit(node.item_name(item.key), node.name)
            below = (*self._queue.rank(node.name), place)
            self._queue.add(item.nodes, below, self._selection.nodes_of_item(item.nodes))
        if expansion.is_done:
            self._finish(expansion)

    def _item_ended(self, parent: Expansion, node: Node, record: StepRunRecord) -> None:
        try:
            more = parent.ended(node, record)
        except Exception as error:  # noqa: BLE001 - a loop that does not end, a store that fails
            self._fail(parent, error)
            return
        self._add_items(parent, more)

    def _finish(self, expansion: Expansion) -> None:
        """Settle a map or loop whose items have all ended."""
        record, outcome = expansion.finish()
        del self._open[expansion.node.name]
        for name, records in outcome.outputs.items():
            self.values.add(expansion.node.name, name, records[0])
        self._settle(replace(expansion.work, record=record), outcome)

    def _fail(self, expansion: Expansion, error: Exception) -> None:
        """Settle a map or loop whose items cannot be read."""
        name = expansion.node.name
        self._open.pop(name, None)
        self._settle(
            expansion.work.changed(
                state=StepState.FAILED,
                ended_at=now(),
                error=failure_text(name, error),
                traceback=failure_traceback(error, None),
            )
        )

    def _item_of(self, node: Node) -> Item | None:
        parent = self._parents.get(node.name)
        return parent.items.get(node.name) if parent else None
