"""deploy: run the proofs that the gates need, then send traffic to the version."""

from collections.abc import Sequence

from penstock.core import DeploymentRecord
from penstock.registry import Registry
from penstock.release._proving import SETTLED, run_proofs
from penstock.serving import DeployedForm, RolloutRules
from penstock.serving import deploy as send_traffic
from penstock.stores import Store, open_store


def deploy(
    model: str,
    *,
    version: int | None = None,
    name: str | None = None,
    canary: Sequence[int] | None = None,
    rules: RolloutRules | None = None,
    accept_changes: str | None = None,
    form: DeployedForm | None = None,
    actor: str | None = None,
    store: Store | str | None = None,
) -> DeploymentRecord:
    """Send a deployment's traffic to a version, after running the proofs for the version's gates.

    At once (the version becomes the production version), or in canary steps beside the production
    version, which advance or roll back automatically and promote the version at the end.

    Args:
        model: Name of the model.
        version: Version number; None for the production version, or with ``canary`` for the newest
            version that may still be promoted.
        name: Name of the deployment; by default the model's name.
        canary: Percent of units per step, rising to 100; None for all at once.
        rules: Conditions for the rollout to advance or roll back.
        accept_changes: Why the version may refuse requests that the production version answers.
        form: The form that answers: ``native``, ``onnx``, or ``auto`` for the form that each
            version's check decided; None leaves the deployment unchanged.
        actor: The actor.
        store: Store of the model; by default the project's.

    Raises:
        NotFoundError: If the model or version does not exist, or nothing is in production.
        ConflictError: If a rollout is running, or the version was rejected.
        GateError: If the version may not be promoted: a gate fails, or an approval is missing.
        DataError: If ``form`` is ``onnx``, and the version has no such form that agrees.
    """
    store = open_store(store)
    registry = Registry(store=store)
    if canary is not None and version is None:
        version = registry.newest_candidate(model).version
    if version is not None:
        record = registry.get(model, version)
        if record.stage not in SETTLED:
            # A rollout ends in production: a version that cannot get there gets no traffic at all.
            run_proofs(store, record)
    return send_traffic(
        model,
        version=version,
        name=name,
        canary=canary,
        rules=rules,
        accept_changes=accept_changes,
        form=form,
        actor=actor,
        store=store,
    )
