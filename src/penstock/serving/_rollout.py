"""RolloutController: moves a deployment's traffic in steps, or back; apart as the only mover."""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from penstock.core import (
    ConflictError,
    DeploymentEvent,
    DeploymentRecord,
    PenstockError,
    RolloutState,
    now,
)
from penstock.registry import Registry
from penstock.serving._evidence import Counts, Seen
from penstock.serving._judge import Decision, Move, judge
from penstock.serving._outcomes import Outcome, outcome
from penstock.serving._production import production_version
from penstock.serving._rules import Rollout
from penstock.stores import Store

_log = logging.getLogger("penstock.serving")
_SETTLE_AFTER = timedelta(seconds=10)
_LATEST = timedelta(seconds=5)  # a record may be written this much after its time
_OUTCOME_ROWS = 20_000
_RETRY_PROMOTION_S = 5.0

OnPromote = Callable[[str, int, str], None]


class RolloutController:
    """Decides about one deployment's rollout each time ``tick`` is called.

    All state that matters is in the store, so that a killed server's successor goes on; any number
    of controllers may tick one deployment, the store lets one of them win.

    Threads: one thread at a time may call ``tick``; ``fault`` may be called from any thread.

    Args:
        store: Where the deployment and its predictions are.
        name: The deployment.
        on_promote: Called with model, version and reason when the last step is passed; by default
            the registry's promote with the actor ``rollout``.
    """

    def __init__(self, store: Store, name: str, *, on_promote: OnPromote | None = None) -> None:
        self._store, self._name = store, name
        self._promote = on_promote or self._promote_in_registry
        self._faults: dict[int, str] = {}
        self._watch: _Watch | None = None
        self._next_try = 0.0

    def fault(self, version: int, reason: str) -> None:
        """Report a hard fault of a version; the next tick rolls back if it is the new one.

        Args:
            version: The version at fault.
            reason: What happened, as a sentence.
        """
        self._faults.setdefault(version, reason)

    def tick(self) -> DeploymentRecord:
        """Look at what was seen and make the next move, if there is one.

        Returns:
            The deployment as it is now.

        Raises:
            NotFoundError: If the deployment does not exist.
        """
        record = self._store.metadata.get_deployment(self._name)
        rollout = Rollout.from_json(record.rollout)
        if rollout is None or not rollout.is_open:
            self._watch = None
            return record
        try:
            return self._move(record, rollout, self._decide(record, rollout))
        except ConflictError:
            # Another process was first; what it did is read at the next tick.
            return self._store.metadata.get_deployment(self._name)

    def _decide(self, record: DeploymentRecord, rollout: Rollout) -> Decision:
        production = production_version(self._store, record.model)
        if production == rollout.version:
            return Decision(Move.PROMOTE, f"Version {rollout.version} is in production.")
        if production is not None and production != rollout.control:
            return Decision(Move.ROLL_BACK, f"Version {production} came into production meanwhile.")
        if self._watch is None or self._watch.started_at != rollout.started_at:
            self._watch = _Watch(self._store, record, rollout)
        return judge(rollout, self._watch.look(rollout, self._faults.get(rollout.version, "")))

    def _move(
        self, record: DeploymentRecord, rollout: Rollout, decision: Decision
    ) -> DeploymentRecord:
        match decision.move:
            case Move.STAY:
                return record
            case Move.ADVANCE:
                return self._advance(record, rollout, decision.reason)
            case Move.PROMOTE:
                return self._finish(record, rollout, decision.reason)
            case Move.ROLL_BACK:
                return roll_back(self._store, record, rollout, decision.reason)
            case Move.PAUSE | Move.RESUME:
                return self._pause(record, rollout, decision)

    def _advance(self, record: DeploymentRecord, rollout: Rollout, reason: str) -> DeploymentRecord:
        facts = self._watch.facts(rollout) if self._watch else {}
        following = rollout.next_step(facts)
        self._watch = None
        return save(
            self._store,
            record,
            following,
            weights=following.weights,
            kind="rollout_step",
            message=f"{reason} Version {rollout.version} now gets {following.percent} %.",
            facts=facts,
        )

    def _pause(
        self, record: DeploymentRecord, rollout: Rollout, decision: Decision
    ) -> DeploymentRecord:
        paused = decision.move is Move.PAUSE
        return save(
            self._store,
            record,
            replace(
                rollout,
                state=RolloutState.PAUSED if paused else RolloutState.RUNNING,
                reason=decision.reason if paused else "",
            ),
            weights=record.weights,
            kind="rollout_paused" if paused else "rollout_resumed",
            message=decision.reason,
        )

    def _finish(self, record: DeploymentRecord, rollout: Rollout, reason: str) -> DeploymentRecord:
        if production_version(self._store, record.model) != rollout.version:
            if time.monotonic() < self._next_try:
                return record
            self._next_try = time.monotonic() + _RETRY_PROMOTION_S
            try:
                self._promote(record.model, rollout.version, reason)
            except PenstockError as error:
                return self._refused(record, rollout, str(error))
        return save(
            self._store,
            record,
            replace(rollout, state=RolloutState.PROMOTED, reason=reason),
            weights={rollout.version: 1.0},
            control=rollout.version,
            kind="promoted",
            message=f"{reason} Version {rollout.version} answers all requests.",
            facts=self._watch.facts(rollout) if self._watch else {},
        )

    def _refused(self, record: DeploymentRecord, rollout: Rollout, why: str) -> DeploymentRecord:
        """Wait at the last step: what the registry misses can still be given."""
        reason = f"All steps passed, but version {rollout.version} may not be promoted: {why}"
        if rollout.state is RolloutState.PAUSED and rollout.reason == reason:
            return record
        return save(
            self._store,
            record,
            replace(rollout, state=RolloutState.PAUSED, reason=reason),
            weights=record.weights,
            kind="rollout_paused",
            message=reason,
        )

    def _promote_in_registry(self, model: str, version: int, reason: str) -> None:
        Registry(self._store).promote(model, version, actor="rollout", reason=reason)


def roll_back(
    store: Store, record: DeploymentRecord, rollout: Rollout, reason: str
) -> DeploymentRecord:
    """Give all traffic back to the control, or to what is in production now.

    Args:
        store: Where the deployment is.
        record: The deployment as it was read.
        rollout: Its open rollout.
        reason: Why, as a sentence.

    Raises:
        ConflictError: If the deployment changed meanwhile.
    """
    production = production_version(store, record.model)
    back_to = production if production not in {None, rollout.version} else rollout.control
    assert back_to is not None
    saved = save(
        store,
        record,
        replace(rollout, state=RolloutState.ROLLED_BACK, reason=reason),
        weights={back_to: 1.0},
        control=back_to,
        kind="rolled_back",
        message=f"{reason} Version {back_to} answers all requests.",
        facts={"version": rollout.version, "percent": rollout.percent},
    )
    _log.warning("Deployment %s rolled back to version %d: %s", record.name, back_to, reason)
    _note(store, record, rollout.version, reason)
    return saved


def _note(store: Store, record: DeploymentRecord, version: int, reason: str) -> None:
    """Leave the reason on the version, where the one who tries it next will look."""
    found = store.metadata.get_model_version(record.model, version)
    told = f"Rolled back from deployment {record.name} at {now():%Y-%m-%d %H:%M} UTC: {reason}"
    with contextlib.suppress(ConflictError):
        store.metadata.update_model_version(
            record.model,
            version,
            expected_revision=found.revision,
            note=f"{found.note}\n\n{told}".strip(),
        )


def save(
    store: Store,
    record: DeploymentRecord,
    rollout: Rollout | None,
    *,
    weights: Mapping[int, float],
    kind: str,
    message: str,
    control: int | None = None,
    facts: Mapping[str, Any] | None = None,
) -> DeploymentRecord:
    """Write a deployment's next generation with its event, in one transaction.

    Raises:
        ConflictError: If the deployment changed since it was read.
    """
    time_now = now()
    return store.metadata.save_deployment(
        replace(
            record,
            weights=dict(weights),
            control=record.control if control is None else control,
            rollout=rollout.to_json() if rollout else None,
            updated_at=time_now,
        ),
        expected_generation=record.generation,
        event=DeploymentEvent(record.name, kind, message, time_now, facts or {}),
    )


class _Watch:
    """What one step of a rollout has seen, read from the prediction log."""

    def __init__(self, store: Store, record: DeploymentRecord, rollout: Rollout) -> None:
        self._store, self._record = store, record
        self.started_at = rollout.started_at
        self._whole = _Tally(store, record.name, rollout.started_at)
        self._step = _Tally(store, record.name, rollout.step_started_at)
        self._requests = -1
        self._busy_at = now()
        self._outcomes: dict[int, Outcome] = {}
        self._next_read = 0.0
        self._seen: Seen | None = None

    def look(self, rollout: Rollout, fault: str) -> Seen:
        whole, step = self._whole.read(), self._step.read()
        new = whole.get(rollout.version, Counts())
        control = whole.get(rollout.control, Counts())
        if new.requests != self._requests:
            if self._requests >= 0 or new.requests:
                self._busy_at = now()
            self._requests = new.requests
        self._seen = Seen(
            new=new,
            control=control,
            step_requests=step.get(rollout.version, Counts()).requests,
            step_errors=step.get(rollout.version, Counts()).errors,
            step_s=(now() - rollout.step_started_at).total_seconds(),
            idle_s=(now() - self._busy_at).total_seconds(),
            outcomes=self._read_outcomes(rollout),
            fault=fault,
        )
        return self._seen

    def facts(self, rollout: Rollout) -> dict[str, Any]:
        seen = self._seen
        if seen is None:
            return {}
        return {
            "percent": rollout.percent,
            "requests": seen.step_requests,
            "errors": seen.step_errors,
            "seconds": round(seen.step_s, 3),
            "metric": {
                str(version): round(result.value, 6) for version, result in seen.outcomes.items()
            },
        }

    def _read_outcomes(self, rollout: Rollout) -> dict[int, Outcome]:
        started = time.monotonic()
        if rollout.rules.metric is None or started < self._next_read:
            return self._outcomes
        signature = self._store.metadata.get_model_version(
            self._record.model, rollout.version
        ).signature
        for version in (rollout.version, rollout.control):
            records = self._store.metadata.list_predictions(
                self._record.name,
                version=version,
                since=rollout.started_at,
                with_truth=True,
                limit=_OUTCOME_ROWS,
            )
            self._outcomes[version] = outcome(
                rollout.rules.metric[0], records, positive=signature.get("positive")
            )
        # Reading many labelled rows may cost a twentieth of the time at most.
        self._next_read = time.monotonic() + 20 * (time.monotonic() - started)
        return self._outcomes


class _Tally:
    """Counts by version since a time, without counting all rows at each look.

    What is older than a few seconds can no longer change and is kept as a sum.
    """

    def __init__(self, store: Store, name: str, since: datetime) -> None:
        self._store, self._name = store, name
        self._mark, self._settled = since, dict[int, Counts]()

    def read(self) -> dict[int, Counts]:
        fresh = self._count(self._mark)
        total = _add(self._settled, fresh)
        if now() - self._mark > _SETTLE_AFTER:
            self._settle(fresh)
        return total

    def _settle(self, fresh: dict[int, Counts]) -> None:
        mark = now() - _LATEST
        newer = self._count(mark)
        # Only if nothing was written between the two counts is their difference what lies between.
        if self._count(self._mark) == fresh:
            self._settled = _add(self._settled, fresh, minus=newer)
            self._mark = mark

    def _count(self, since: datetime) -> dict[int, Counts]:
        found = self._store.metadata.count_predictions(self._name, since=since)
        return {
            version: Counts(counts["requests"], counts["errors"])
            for version, counts in found.items()
        }


def _add(
    one: Mapping[int, Counts], two: Mapping[int, Counts], minus: Mapping[int, Counts] | None = None
) -> dict[int, Counts]:
    none, result = Counts(), {}
    for version in {**one, **two}:
        a, b = one.get(version, none), two.get(version, none)
        c = (minus or {}).get(version, none)
        result[version] = Counts(
            a.requests + b.requests - c.requests,
            a.errors + b.errors - c.errors,
        )
    return result
