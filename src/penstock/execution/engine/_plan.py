"""Planner: reuses, executes, skips or fails a step; decided from the step key before execution."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from penstock.core import (
    NOT_TAKEN,
    ConflictError,
    NotFoundError,
    StepRunRecord,
    StepState,
    new_id,
    now,
)
from penstock.execution.engine._keys import KeyMaker, StepKey
from penstock.execution.engine._selection import Selection
from penstock.execution.engine._session import Session
from penstock.execution.engine._states import GOOD_STATES, KEPT, NOT_REUSED
from penstock.execution.engine._values import Values
from penstock.execution.step import Outcome, Work, failure_text
from penstock.pipelines import Node
from penstock.provenance import derive_seed, find_change


class Planner:
    """Planner of a session's steps, called in sequence.

    Args:
        session: The session of the run.
        values: Outputs of earlier steps.
        selection: The steps that may be executed.
    """

    def __init__(self, session: Session, values: Values, selection: Selection) -> None:
        self._session, self._values, self._selection = session, values, selection
        self._keys = KeyMaker(session.store, session.graph, session.project, session.pipeline)
        self._without_result: dict[str, str] = {}
        self._absent: dict[str, str] = {}
        self._untraced: dict[str, StepKey] = {}  # keys of running steps that read remote sources
        self._outdated: list[str] = []  # why earlier results of the current step do not hold
        self._stopped = False

    def plan(self, node: Node, position: int) -> Work:
        """Choose reuse, execution, skip or failure for a step whose predecessors have ended."""
        started = StepRunRecord(
            new_id(),
            self._session.run.run_id,
            node.name,
            position,
            StepState.RUNNING,
            seed=derive_seed(self._session.seed, node.seed_name, node.index),
            attempt=self._attempt(node),
            started_at=now(),
        )
        try:
            why = self._not_taken(node)
        except Exception as error:  # noqa: BLE001 - a condition's own __bool__ may raise anything
            return _ended(node, started, StepState.FAILED, failure_text(node.name, error))
        if why:
            return _ended(node, started, StepState.SKIPPED, why, not_taken=True)
        blocked = self._blocked_by(node)
        if blocked:
            return _ended(node, started, StepState.SKIPPED, f"it needs {blocked}")
        lacking = self._lacking(node)
        if lacking:
            return _ended(node, started, StepState.SKIPPED, f"it needs {lacking}", not_taken=True)
        inputs = self._values.digests(node)
        contents = {path: content for path, (content, _) in inputs.items()}
        try:
            key = self._keys.make(node, contents, started.seed)
        except Exception as error:  # noqa: BLE001 - a source's own code may raise anything
            started = started.with_inputs(inputs)
            return _ended(node, started, StepState.FAILED, failure_text(node.name, error))
        started = started.with_inputs(
            inputs,
            key=key.digest if key.cacheable else None,
            # A step that no later run may reuse still records its key, for a resume of this run.
            facts={"key_parts": key.parts} | ({} if key.cacheable else {"key": key.digest}),
        )
        return self._reuse_or_execute(node, started, key)

    def _reuse_or_execute(self, node: Node, started: StepRunRecord, key: StepKey) -> Work:
        self._outdated.clear()
        reused = self._reused(node, started, key)
        if reused is None and self._outdated:
            facts = {**started.facts, NOT_REUSED: self._outdated[0]}
            started = replace(started, facts=facts)
        if not self._selection.executes(node.name):
            if reused is None or KEPT not in reused.record.facts:
                raise _not_made(node, self._session)
        elif reused is None and node.name in self._session.graph.given:
            return _ended(node, started, StepState.FAILED, _unknown(node, key))
        if reused is not None:
            return reused
        self._keys.forget()
        if key.untraced:
            self._untraced[node.name] = key
        return Work(node, started)

    def _attempt(self, node: Node) -> int:
        """Return the number of the attempt, which counts on where the caller retries steps."""
        earlier = self._session.earlier.get(node.name)
        if self._session.retries or earlier is None or earlier.ended_well:
            return 1
        return earlier.attempt + 1

    def confirm_sources(self, node: Node, outcome: Outcome) -> Outcome:
        """Look again at sources that no trace sees; a changed source makes the result unreusable."""
        key = self._untraced.pop(node.name, None)
        name = key and outcome.error is None and self._keys.find_changed_source(node, key)
        if not name:
            return outcome
        trace = dict(outcome.facts.get("trace") or {})
        why = f"the data of {name!r} changed while it was read"
        trace["never"] = [why, *trace.get("never", ())]
        return replace(outcome, facts={**outcome.facts, "trace": trace})

    def without_result(self, node: Node, record: StepRunRecord) -> None:
        """Record that a step has no result: dependent steps cannot run."""
        if NOT_TAKEN in record.facts:
            self._absent[node.name] = str(record.error)
        else:
            self._without_result[node.name] = record.state.value

    def inherit(self, item: str, node: str) -> None:
        """Record that an item's value is made of the input of a map or loop."""
        self._keys.inherit(item, node)

    def stop(self) -> None:
        """Plan no further step: a step has failed, and the failure policy is to stop."""
        self._stopped = True

    def _not_taken(self, node: Node) -> str:
        """Return the condition that does not hold, as a sentence; empty if all hold."""
        for condition, wanted in node.guards:
            if condition.node in self._absent:
                return self._absent[condition.node]
            if condition.node in self._without_result:
                continue  # the step is blocked, and that is reported as a failure
            if not self._values.has(condition):
                return f"it needs {condition.text!r}, which was not made"
            if bool(self._values.get(condition)) is not wanted:
                return f"not taken: {condition.text!r} is {'false' if wanted else 'true'}"
        return ""

    def _blocked_by(self, node: Node) -> str:
        if self._stopped:
            return "that no step has failed"
        for name in node.needs:
            state = self._without_result.get(name)
            if state:
                return f"{name!r}, which is {state}"
        return ""

    def _lacking(self, node: Node) -> str:
        """Return an input that was not made in this run, unless the node accepts missing inputs."""
        for output in node.inputs.values():
            if not node.step.joins and not self._values.has(output):
                return f"{output.text!r}, which was not made"
        return ""

    def _reused(self, node: Node, started: StepRunRecord, key: StepKey) -> Work | None:
        session = self._session
        if not key.complete or self._is_refreshed(node):
            return None
        earlier = session.earlier.get(node.name)
        # A side effect must not happen twice: this reuse does not depend on use_cache.
        if earlier is not None and self._still_holds(node, earlier, key):
            return Work(node, replace(earlier, facts={**earlier.facts, KEPT: True}))
        may_reuse = session.options.use_cache or node.name in session.graph.given
        if not may_reuse or not key.cacheable or not self._selection.executes(node.name):
            return None
        cached_record = session.store.metadata.steps.find_cached(key.digest, self._trace_holds)
        if (
            cached_record is None
            or _too_old(node, cached_record)
            or not self._has_bytes(cached_record)
        ):
            return None
        cached = started.with_outputs(
            _outputs_of(cached_record),
            state=StepState.CACHED,
            ended_at=now(),
            cached_from=cached_record.step_run_id,
            facts={
                **_without_reason(cached_record.facts),
                **started.facts,
                "made_in": cached_record.run_id,
            },
        )
        return Work(node, cached)

    def _is_refreshed(self, node: Node) -> bool:
        refresh = self._session.refresh
        return node.name in refresh or any(node.name.startswith(f"{name}[") for name in refresh)

    def _trace_holds(self, record: StepRunRecord) -> bool:
        """Return whether all that a step read is unchanged and all written files exist."""
        trace, why = record.facts.get("trace"), ""
        if trace is None:
            why = "the earlier result was recorded without the step's own look-ups"
        elif trace.get("never"):
            why = trace["never"][0]
        else:
            why = find_change(trace, self._session.project) or ""
        if why:
            self._outdated.append(why)
        return not why

    def _still_holds(self, node: Node, earlier: StepRunRecord, key: StepKey) -> bool:
        known = earlier.key or earlier.facts.get("key")
        if earlier.state not in GOOD_STATES or known != key.digest:
            return False
        if not self._may_be_kept(node, earlier):
            return False
        try:
            for content, stored in _outputs_of(earlier).values():
                self._session.store.metadata.artifacts.get(stored, content)
        except NotFoundError:
            return False
        return self._has_bytes(earlier)

    def _may_be_kept(self, node: Node, earlier: StepRunRecord) -> bool:
        """Return whether everything that a step of this run read is unchanged.

        A side effect must not happen twice because a file was touched; and where each step is
        executed alone, maybe on a different machine, the earlier steps are not checked.
        """
        if node.step.effect or not self._selection.executes(node.name):
            return True
        change = find_change(earlier.facts.get("trace", {}), self._session.project)
        if change:
            self._outdated.append(change)
        return not change

    def _has_bytes(self, record: StepRunRecord) -> bool:
        exists = self._session.store.artifacts.exists
        return all(exists(digest) for digest in record.facts.get("stored", ()))


def _without_reason(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != NOT_REUSED}


def _not_made(node: Node, session: Session) -> ConflictError:
    run = session.run.run_id
    return ConflictError(
        what=f"Step {node.name!r} of run {run} was made with other code or inputs than now.",
        why=f"{session.alone!r} would get a value that the code no longer returns.",
        fix=f"Execute it again: penstock step {run} {node.name}",
        step=node.name,
    )


def _unknown(node: Node, key: StepKey) -> str:
    """Explain why an unselected step has no earlier result to reuse."""
    if key.cacheable:
        return (
            f"{node.name!r} is not among the selected steps, and no earlier run has its result"
            " for this code, these parameters and this seed; run it once, or select it too"
        )
    return f"{node.name!r} is not among the selected steps, and its result is never cached"


def _too_old(node: Node, record: StepRunRecord) -> bool:
    lasts, ended_at = node.step.cache_for, record.ended_at
    return lasts is not None and (ended_at is None or now() - ended_at > lasts)


def _ended(
    node: Node, record: StepRunRecord, state: StepState, why: str, *, not_taken: bool = False
) -> Work:
    facts = {**record.facts, NOT_TAKEN: True} if not_taken else record.facts
    return Work(node, replace(record, state=state, ended_at=now(), error=why, facts=facts))


def _outputs_of(record: StepRunRecord) -> dict[str, tuple[str, str]]:
    return {name: (digest, record.output_address(name)) for name, digest in record.outputs.items()}
