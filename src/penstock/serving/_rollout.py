"""RolloutController: moves a deployment's traffic in steps, or back; the only place that does."""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from penstock.core import (
    ConflictError,
    DeploymentEvent,
    DeploymentRecord,
    PassedStep,
    PenstockError,
    RolloutRecord,
    RolloutState,
    Stage,
    StoreError,
    now,
    to_json,
)
from penstock.registry import Registry
from penstock.serving._production import production_version
from penstock.serving._watch import EvidenceWatch
from penstock.serving.policies import Move, RolloutDecision, policy_of
from penstock.stores import Store

_log = logging.getLogger("penstock.serving")
_RETRY_PROMOTION_S = 5.0

OnPromote = Callable[[str, int, str], None]


class RolloutController:
    """The controller of a deployment's rollout; decides each time ``tick`` is called.

    All state that matters is in the store, so that a killed server's successor continues the
    rollout; any number of controllers may tick the same deployment, the store accepts the change of
    a single controller.

    Threads: a single thread at a time may call ``tick``; ``fault`` may be called from any thread.

    Args:
        name: The deployment.
        on_promote: Called with model, version and reason when the last step is passed; by default
            the registry's promote with the actor ``rollout``.
        store: The store of the deployment and the predictions.
    """

    def __init__(self, name: str, *, on_promote: OnPromote | None = None, store: Store) -> None:
        self._store, self._name = store, name
        self._promote = on_promote or self._promote_in_registry
        self._faults: dict[int, str] = {}
        self._watch: EvidenceWatch | None = None
        self._next_try = 0.0
        self._accepted_changes: str | None = None

    def fault(self, version: int, reason: str) -> None:
        """Report a hard fault of a version; the next tick rolls back if that is the new version.

        Args:
            version: The version at fault.
            reason: The fault, as a sentence.
        """
        self._faults.setdefault(version, reason)

    def tick(self) -> DeploymentRecord:
        """Evaluate the evidence so far and make the next move, if any.

        Returns:
            The present deployment.

        Raises:
            NotFoundError: If the deployment does not exist.
        """
        record = self._store.metadata.deployments.get(self._name)
        rollout = record.rollout
        if rollout is None or not rollout.is_open:
            self._watch = None
            return record
        try:
            return self._move(record, rollout, self._decide(record, rollout))
        except ConflictError:
            # Another process changed the deployment first; its change is read at the next tick.
            return self._store.metadata.deployments.get(self._name)

    def _decide(self, record: DeploymentRecord, rollout: RolloutRecord) -> RolloutDecision:
        production = production_version(record.model, store=self._store)
        if production == rollout.version:
            return RolloutDecision(Move.PROMOTE, f"Version {rollout.version} is in production.")
        if production is not None and production != rollout.control:
            return RolloutDecision(
                Move.ROLL_BACK, f"Version {production} came into production meanwhile."
            )
        # The registry ends the rollout of a version that it rejects; older registries did not.
        stage = self._store.metadata.models.get_version(record.model, rollout.version).stage
        if stage in {Stage.REJECTED, Stage.ARCHIVED}:
            return RolloutDecision(Move.ROLL_BACK, f"Version {rollout.version} was {stage}.")
        if self._watch is None or self._watch.started_at != rollout.started_at:
            self._watch = EvidenceWatch(self._store, record, rollout)
        evidence = self._watch.look(rollout, self._faults.get(rollout.version, ""))
        return policy_of(rollout).judge(rollout, evidence)

    def _move(
        self, record: DeploymentRecord, rollout: RolloutRecord, decision: RolloutDecision
    ) -> DeploymentRecord:
        match decision.move:
            case Move.STAY:
                return record
            case Move.ADVANCE | Move.PROMOTE:
                return self._move_on(record, rollout, decision)
            case Move.ROLL_BACK:
                return roll_back(self._store, record, rollout, decision.reason)
            case Move.PAUSE | Move.RESUME:
                return self._pause(record, rollout, decision)

    def _move_on(
        self, record: DeploymentRecord, rollout: RolloutRecord, decision: RolloutDecision
    ) -> DeploymentRecord:
        """Increase the version's share, or promote; roll back if promotion is no longer allowed."""
        if time.monotonic() < self._next_try:
            return record
        try:
            if decision.move is Move.PROMOTE:
                return self._finish(record, rollout, decision.reason)
            Registry(store=self._store).require_promotable(
                record.model,
                rollout.version,
                accept_changes=bool(rollout.rules.accepted_changes),
            )
            return self._advance(record, rollout, decision.reason)
        except ConflictError:
            raise  # another process was first
        except StoreError as error:
            # Neither an approval nor a rejection: the version keeps its share, and promotion is
            # retried.
            self._next_try = time.monotonic() + _RETRY_PROMOTION_S
            _log.warning("Deployment %s cannot move on now: %s", record.name, error.what)
            return record
        except PenstockError as error:
            reason = f"Version {rollout.version} may not be promoted: {_one_line(error)}"
            return roll_back(self._store, record, rollout, reason)

    def _advance(
        self, record: DeploymentRecord, rollout: RolloutRecord, reason: str
    ) -> DeploymentRecord:
        passed = self._watch.figures(rollout) if self._watch else PassedStep(rollout.percent)
        policy = policy_of(rollout)
        following = policy.next_step(rollout, passed)
        self._watch = None
        return save(
            self._store,
            record,
            following,
            weights=policy.weights(following),
            kind="rollout_step",
            message=f"{reason} Version {rollout.version} now gets {following.percent} %.",
            facts=to_json(passed),
        )

    def _pause(
        self, record: DeploymentRecord, rollout: RolloutRecord, decision: RolloutDecision
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

    def _finish(
        self, record: DeploymentRecord, rollout: RolloutRecord, reason: str
    ) -> DeploymentRecord:
        if production_version(record.model, store=self._store) != rollout.version:
            self._accepted_changes = rollout.rules.accepted_changes
            self._promote(record.model, rollout.version, reason)
        return save(
            self._store,
            record,
            replace(rollout, state=RolloutState.PROMOTED, reason=reason),
            weights={rollout.version: 1.0},
            control=rollout.version,
            kind="promoted",
            message=f"{reason} Version {rollout.version} answers all requests.",
            facts=to_json(self._watch.figures(rollout)) if self._watch else {},
        )

    def _promote_in_registry(self, model: str, version: int, reason: str) -> None:
        Registry(store=self._store).promote(
            model,
            version,
            actor="rollout",
            reason=reason,
            accept_changes=self._accepted_changes,
        )


def roll_back(
    store: Store, record: DeploymentRecord, rollout: RolloutRecord, reason: str
) -> DeploymentRecord:
    """Return all traffic to the control, or to the version in production now.

    Args:
        store: The store of the deployment.
        record: The deployment as read.
        rollout: The deployment's open rollout.
        reason: Why, as a sentence.

    Raises:
        ConflictError: If the deployment changed meanwhile.
    """
    # A third version may be in production by now; the old control must not replace it.
    production = production_version(record.model, store=store)
    back_to = production if production not in {None, rollout.version} else rollout.control
    assert back_to is not None
    saved = save(
        store,
        record,
        replace(rollout, state=RolloutState.ROLLED_BACK, reason=reason),
        weights={back_to: 1.0},
        control=back_to,
        kind="rolled_back",
        message=f"{reason.rstrip('. ')}. Version {back_to} answers all requests.",
        facts={"version": rollout.version, "percent": rollout.percent},
    )
    _log.warning("Deployment %s rolled back to version %d: %s", record.name, back_to, reason)
    _note(store, record, rollout.version, reason)
    return saved


def _one_line(error: PenstockError) -> str:
    return " ".join(str(error).split())[:500]


def _note(store: Store, record: DeploymentRecord, version: int, reason: str) -> None:
    """Record the reason on the version, to be read before the next deployment of that version."""
    candidate = store.metadata.models.get_version(record.model, version)
    text = f"Rolled back from deployment {record.name} at {now():%Y-%m-%d %H:%M} UTC: {reason}"
    with contextlib.suppress(ConflictError):
        store.metadata.models.update_version(
            record.model,
            version,
            expected_revision=candidate.revision,
            note=f"{candidate.note}\n\n{text}".strip(),
        )


def save(
    store: Store,
    record: DeploymentRecord,
    rollout: RolloutRecord | None,
    *,
    weights: Mapping[int, float],
    kind: str,
    message: str,
    control: int | None = None,
    facts: Mapping[str, Any] | None = None,
) -> DeploymentRecord:
    """Write a deployment's next generation with the event, in a single transaction.

    Raises:
        ConflictError: If the deployment changed since the read.
    """
    time_now = now()
    return store.metadata.deployments.save(
        replace(
            record,
            weights=dict(weights),
            control=record.control if control is None else control,
            rollout=rollout,
            updated_at=time_now,
        ),
        expected_generation=record.generation,
        event=DeploymentEvent(record.name, kind, message, time_now, facts or {}),
    )
