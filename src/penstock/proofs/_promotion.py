"""prove_version, promote, deploy: run the proofs that gates need, judge the gates, then act."""

from collections.abc import Callable, Sequence

from penstock.core import DeploymentRecord, ModelVersionRecord, Stage
from penstock.proofs._verify import verify
from penstock.registry import Registry, judge_version, needs_proof
from penstock.serving import RolloutRules
from penstock.serving import deploy as send_traffic
from penstock.stores import Store, open_store

# No proof is run for a version in production or one that is finally refused.
_SETTLED = {Stage.PRODUCTION, Stage.REJECTED}


def prove_version(
    model: str, version: int | str | None = None, *, store: Store | None = None
) -> ModelVersionRecord:
    """Run the proofs that a version's gates need, and judge the gates as of today.

    Args:
        model: Name of the model.
        version: Number, ``"challenger"``, …; by default the newest that is not rejected.
        store: Store of the registry; by default the project's store.

    Returns:
        The version with the new gate results, already stored.

    Raises:
        NotFoundError: If there is no such model or version.
    """
    store = store or open_store()
    record = Registry(store).get(model, version)
    _run_proofs(store, record)
    return judge_version(store, record)


def promote(
    model: str,
    version: int | str | None = None,
    *,
    to: Stage = Stage.PRODUCTION,
    actor: str | None = None,
    reason: str = "",
    accept_changes: str | None = None,
    store: Store | None = None,
    tell: Callable[[str], None] | None = None,
) -> ModelVersionRecord:
    """Promote a version, after running the proofs that its gates need.

    Gates are judged twice: at registration, and here again against the champion of today. The proof
    for a pending ``verified`` gate is run here.

    Args:
        model: Name of the model.
        version: Number, ``"challenger"``, …; by default the newest that is not rejected.
        to: Stage to move to.
        actor: The actor; by default the user of this machine.
        reason: Why; recorded in the history.
        accept_changes: Why the version may refuse requests that the production version answers.
        store: Store of the registry; by default the project's store.
        tell: Callback for progress messages, called before a long operation.

    Raises:
        GateError: If a gate does not pass, with every reason.
        ConflictError: If the move is not allowed, or an approval is missing.
        NotFoundError: If there is no such model or version.
    """
    store = store or open_store()
    record = Registry(store).get(model, version)
    if to is Stage.PRODUCTION and record.stage not in _SETTLED:
        _run_proofs(store, record, tell)
    return Registry(store).promote(
        model,
        record.version,
        to=to,
        actor=actor,
        reason=reason,
        accept_changes=accept_changes,
    )


def deploy(
    store: Store,
    model: str,
    *,
    version: int | None = None,
    name: str | None = None,
    canary: Sequence[int] | None = None,
    rules: RolloutRules | None = None,
    accept_changes: str | None = None,
    actor: str | None = None,
) -> DeploymentRecord:
    """Send a deployment's traffic to a version, after running the proofs that its gates need.

    At once (the version becomes the production version), or in canary steps beside the production
    version, which advance or roll back automatically and promote the version at the end.

    Args:
        store: Store of the model.
        model: Name of the model.
        version: Version number; None for the production version, or with ``canary`` for the newest
            version that may still be promoted.
        name: Name of the deployment; by default the model's name.
        canary: Percent of units per step, rising to 100; None for all at once.
        rules: Conditions for the rollout to advance or roll back.
        accept_changes: Why the version may refuse requests that the production version answers.
        actor: The actor.

    Raises:
        NotFoundError: If the model or version does not exist, or nothing is in production.
        ConflictError: If a rollout is running, or the version was rejected.
        GateError: If the version may not be promoted: a gate fails, or an approval is missing.
    """
    registry = Registry(store)
    if canary is not None and version is None:
        version = registry.newest_candidate(model).version
    if version is not None:
        record = registry.get(model, version)
        if record.stage not in _SETTLED:
            # A rollout ends in production: a version that cannot get there gets no traffic at all.
            _run_proofs(store, record)
    return send_traffic(
        store,
        model,
        version=version,
        name=name,
        canary=canary,
        rules=rules,
        accept_changes=accept_changes,
        actor=actor,
    )


def _run_proofs(
    store: Store, record: ModelVersionRecord, tell: Callable[[str], None] | None = None
) -> None:
    """Execute a version's run again if a gate needs it and there is no proof yet."""
    if needs_proof(record) and record.run_id and not _is_proved(store, record.run_id):
        if tell is not None:
            tell("Executing the recorded run again …")
        verify(record.run_id, store=store)


def _is_proved(store: Store, run_id: str) -> bool:
    return any(proof.kind == "verified" for proof in store.metadata.artifacts.list_proofs(run_id))
