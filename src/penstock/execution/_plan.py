"""What to do with a step: reuse, execute, skip or fail; decided from its key before it runs."""

from dataclasses import dataclass, replace

from penstock.core import NotFoundError, StepRunRecord, StepState, new_id, now
from penstock.execution._failures import failure_text
from penstock.execution._keys import KeyMaker, StepKey
from penstock.execution._result import GOOD_STATES
from penstock.execution._session import Session
from penstock.execution._values import Values
from penstock.pipelines import Node
from penstock.provenance import derive_seed


@dataclass(frozen=True, slots=True)
class Plan:
    """A step and what to do with it.

    Args:
        node: The step's node.
        record: Its record as it starts or, where nothing is executed, as it ends.
        executes: True if its function is to be called.
        recorded: True if the record is in the store already (an earlier attempt).
    """

    node: Node
    record: StepRunRecord
    executes: bool = False
    recorded: bool = False


class Planner:
    """Plans the steps of a session, one after the other.

    Args:
        session: The run.
        values: What the steps before gave.
    """

    def __init__(self, session: Session, values: Values) -> None:
        self._session, self._values = session, values
        self._keys = KeyMaker(session.store, session.graph, session.project)
        self._without_result: dict[str, str] = {}

    def plan(self, node: Node, position: int) -> Plan:
        """Decide what to do with a step whose predecessors have ended."""
        started = StepRunRecord(
            new_id(),
            self._session.run.run_id,
            node.name,
            position,
            StepState.RUNNING,
            seed=derive_seed(self._session.seed, node.name),
            started_at=now(),
        )
        blocked = self._blocked_by(node)
        if blocked:
            return _ended(node, started, StepState.SKIPPED, f"it needs {blocked}")
        inputs = self._values.digests(node)
        started = replace(started, inputs=inputs, addresses=self._values.addresses(inputs))
        try:
            key = self._keys.make(node, inputs, started.seed)
        except Exception as error:  # noqa: BLE001 - a source's own code may raise anything
            return _ended(node, started, StepState.FAILED, failure_text(node.name, error))
        started = replace(
            started,
            key=key.digest if key.cacheable else None,
            # A step that no other run may reuse still tells its key, for a resume of this one.
            facts={"key_parts": key.parts} | ({} if key.cacheable else {"key": key.digest}),
        )
        reused = self._reused(node, started, key)
        if reused is None and node.name in self._session.graph.given:
            return _ended(node, started, StepState.FAILED, _unknown(node, key))
        return reused or Plan(node, started, executes=True)

    def without_result(self, node: Node, state: StepState) -> None:
        """Note that a step gave nothing: what depends on it cannot run."""
        self._without_result[node.name] = state.value

    def _blocked_by(self, node: Node) -> str:
        for output in node.inputs.values():
            state = self._without_result.get(output.node)
            if state:
                return f"{output.node!r}, which is {state}"
        return ""

    def _reused(self, node: Node, started: StepRunRecord, key: StepKey) -> Plan | None:
        session = self._session
        if not key.complete or node.name in session.refresh:
            return None
        earlier = session.earlier.get(node.name)
        # An effect that has happened must not happen again: this does not ask for use_cache.
        if earlier is not None and self._still_holds(earlier, key):
            return Plan(node, earlier, recorded=True)
        wanted = session.use_cache or node.name in session.graph.given
        if not wanted or not key.cacheable:
            return None
        found = session.store.metadata.find_cached_step(key.digest)
        if found is None or _too_old(node, found) or not self._has_bytes(found):
            return None
        cached = replace(
            started,
            state=StepState.CACHED,
            ended_at=now(),
            outputs=found.outputs,
            addresses={**started.addresses, **_addresses_of(found)},
            cached_from=found.step_run_id,
            facts={**found.facts, **started.facts},
        )
        return Plan(node, cached)

    def _still_holds(self, earlier: StepRunRecord, key: StepKey) -> bool:
        known = earlier.key or earlier.facts.get("key")
        if earlier.state not in GOOD_STATES or known != key.digest:
            return False
        try:
            for address in _addresses_of(earlier).values():
                self._session.store.metadata.get_artifact(address)
        except NotFoundError:
            return False
        return self._has_bytes(earlier)

    def _has_bytes(self, record: StepRunRecord) -> bool:
        exists = self._session.store.artifacts.exists
        return all(exists(digest) for digest in record.facts.get("stored", ()))


def _unknown(node: Node, key: StepKey) -> str:
    """Say why a step that is not among those asked for cannot give its earlier result."""
    if key.cacheable:
        return (
            f"{node.name!r} is not among the steps asked for, and no earlier run gave its result"
            " with this code, these parameters and this seed; run it once, or ask for it too"
        )
    return f"{node.name!r} is not among the steps asked for, and its result is never reused"


def _too_old(node: Node, found: StepRunRecord) -> bool:
    lasts, made = node.step.cache_for, found.ended_at
    return lasts is not None and (made is None or now() - made > lasts)


def _ended(node: Node, record: StepRunRecord, state: StepState, why: str) -> Plan:
    return Plan(node, replace(record, state=state, ended_at=now(), error=why))


def _addresses_of(record: StepRunRecord) -> dict[str, str]:
    return {digest: record.addresses.get(digest, digest) for digest in record.outputs.values()}
