"""prove_version, promote, deploy: run what a version's gates leave open, judge them, then act."""

from collections.abc import Callable, Sequence

from penstock.core import DeploymentRecord, ModelVersionRecord, Stage
from penstock.proofs._verify import verify
from penstock.registry import Registry, judge_version, needs_proof
from penstock.serving import RolloutRules
from penstock.serving import deploy as send_traffic
from penstock.stores import Store, open_store

# Nothing is proved for a version that is there already or that is refused for good.
_SETTLED = {Stage.PRODUCTION, Stage.REJECTED}


def prove_version(
    model: str, version: int | str | None = None, *, store: Store | None = None
) -> ModelVersionRecord:
    """Run the proofs that a version's gates ask for, and judge the gates as of today.

    Args:
        model: The model's name.
        version: Number, ``"challenger"``, …; by default the newest that is not rejected.
        store: Where the registry is; by default the project's store.

    Returns:
        The version with its new answers, already stored.

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
    """Move a version towards production, after proving what its gates ask for.

    Gates are judged twice: at registration, and here again against the champion of today. A
    pending ``verified`` gate is run here.

    Args:
        model: The model's name.
        version: Number, ``"challenger"``, …; by default the newest that is not rejected.
        to: Stage to move to.
        actor: Who promotes; by default the user of this machine.
        reason: Why; kept in the history.
        accept_changes: Why the version may refuse requests that the production version answers.
        store: Where the registry is; by default the project's store.
        tell: Called with a sentence when something begins that takes long.

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
    """Send a deployment's traffic to a version, after proving what its gates ask for.

    At once (the version becomes the production version), or in canary steps beside the production
    version, which move on or go back by themselves and promote at the end.

    Args:
        store: Where the model is registered.
        model: The model's name.
        version: The version's number; None for the production version, or with ``canary`` for the
            newest version that may still be promoted.
        name: The deployment's name; by default the model's.
        canary: Percent of units per step, rising to 100; None for all at once.
        rules: When the rollout moves on and when it goes back.
        accept_changes: Why the version may refuse requests that the production version answers.
        actor: Who does it.

    Raises:
        NotFoundError: If the model or version does not exist, or nothing is in production.
        ConflictError: If a rollout is running, or the version was rejected.
        GateError: If the version may not be promoted: a gate does not pass, or nobody approved it.
    """
    registry = Registry(store)
    if canary is not None and version is None:
        version = registry.newest_candidate(model).version
    if version is not None:
        record = registry.get(model, version)
        if record.stage not in _SETTLED:
            # A rollout ends in production: what could not get there gets no traffic at all.
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
    """Execute a version's run again if a gate asks for it and nobody has yet."""
    if needs_proof(record) and record.run_id and not _is_proved(store, record.run_id):
        if tell is not None:
            tell("Executing the recorded run again …")
        verify(record.run_id, store=store)


def _is_proved(store: Store, run_id: str) -> bool:
    return any(proof.kind == "verified" for proof in store.metadata.artifacts.list_proofs(run_id))
