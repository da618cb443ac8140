"""POLICIES: every policy by the name in the record; the only place that knows which there are."""

from collections.abc import Mapping

from penstock.core import NotFoundError, RolloutRecord, did_you_mean
from penstock.serving.policies._canary import Canary
from penstock.serving.policies._policy import TrafficPolicy

POLICIES: Mapping[str, TrafficPolicy] = {policy.name: policy for policy in (Canary(),)}


def policy_of(rollout: RolloutRecord) -> TrafficPolicy:
    """Return the policy of a rollout.

    Raises:
        NotFoundError: If this version of penstock does not know the policy.
    """
    policy = POLICIES.get(rollout.policy)
    if policy is None:
        raise NotFoundError(
            what=f"The rollout of version {rollout.version} has the unknown policy "
            f"{rollout.policy!r}.",
            why="Only its policy can decide when the rollout advances or is rolled back.",
            fix=f"Update penstock. {did_you_mean(rollout.policy, POLICIES)}".strip(),
            policy=rollout.policy,
        )
    return policy
