"""Judgement of a deployment that a client sends to a server: no traffic past the gates."""

from penstock.core import ConflictError, DeploymentRecord
from penstock.registry import require_servable
from penstock.serving._traffic import require_shares
from penstock.stores import Store


def judge_deployment(deployment: DeploymentRecord, *, store: Store) -> None:
    """Check that every version that gets more traffic than before may answer requests.

    A version may if it is in production, was there before, or could be promoted now. Less traffic
    needs no judgement: taking a version out has to work always.

    Args:
        deployment: The deployment as it is to be.
        store: Store of the deployment and its model.

    Raises:
        GateError: If a gate of a version did not pass, an approval is missing, or callers would
            break.
        ConflictError: If the deployment serves another model, or a version cannot go to production.
        NotFoundError: If there is no such version.
        ParameterError: If the shares of traffic are no shares: NaN is more than nothing to nobody.
    """
    require_shares(deployment.weights)
    known = {each.name: each for each in store.metadata.deployments.list()}
    before = known.get(deployment.name)
    if before is not None and before.model != deployment.model:
        raise ConflictError(
            what=f"Deployment {deployment.name!r} serves the model {before.model!r}.",
            why="A deployment keeps its model, so that its callers keep their columns.",
            fix=f"Choose another name for {deployment.model!r}.",
            name=deployment.name,
        )
    rollout = deployment.rollout
    accepts = rollout is not None and bool(rollout.rules.accepted_changes)
    for version in sorted(_gaining(deployment, before)):
        require_servable(deployment.model, version, accepts_changes=accepts, store=store)


def _gaining(deployment: DeploymentRecord, before: DeploymentRecord | None) -> set[int]:
    """Return the versions that get more traffic than before, now or when a rollout goes on."""
    had = dict(before.weights) if before is not None else {}
    gaining = {each for each, share in deployment.weights.items() if share > had.get(each, 0.0)}
    if before is None or before.control != deployment.control:
        gaining.add(deployment.control)
    rollout = deployment.rollout
    if rollout is not None and rollout.is_open:
        last = before.rollout if before is not None else None
        if last is None or not last.is_open or last.version != rollout.version:
            gaining.add(rollout.version)
    return gaining
