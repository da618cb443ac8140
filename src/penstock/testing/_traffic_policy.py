"""TrafficPolicyContract: the rollout controller's demands on every policy."""

import math
from dataclasses import replace

import pytest

from penstock.core import PassedStep, RolloutRecord, RolloutState, to_json
from penstock.serving import TrafficPolicy
from penstock.serving.policies import Evidence, Move, RequestCounts

_NEW, _CONTROL = 8, 7
_MOST_STEPS = 1_000


class TrafficPolicyContract:
    """Tests of a TrafficPolicy; subclass with a fixture ``policy``.

    ```python
    class TestCanary(TrafficPolicyContract):
        @pytest.fixture
        def policy(self):
            return Canary((10, 100))
    ```
    """

    @pytest.fixture
    def rollout(self, policy: TrafficPolicy) -> RolloutRecord:
        """A rollout at the first step."""
        return policy.start(_NEW, _CONTROL)

    def test_a_rollout_starts_open_and_names_its_policy(
        self, policy: TrafficPolicy, rollout: RolloutRecord
    ) -> None:
        assert (rollout.version, rollout.control, rollout.policy) == (_NEW, _CONTROL, policy.name)
        assert (rollout.state, rollout.position) == (RolloutState.RUNNING, 0)
        assert rollout.is_open

    def test_every_step_shares_all_units_between_the_two_versions(
        self, policy: TrafficPolicy, rollout: RolloutRecord
    ) -> None:
        for step in _steps(policy, rollout):
            weights = policy.weights(step)
            assert set(weights) <= {_NEW, _CONTROL}
            assert math.isclose(sum(weights.values()), 1, abs_tol=1e-6)

    def test_a_next_step_carries_the_figures_of_the_passed_ones(
        self, policy: TrafficPolicy, rollout: RolloutRecord
    ) -> None:
        steps = _steps(policy, rollout)
        assert [step.position for step in steps] == list(range(len(rollout.steps)))
        assert len(steps[-1].passed) == len(steps) - 1

    def test_a_rollout_survives_its_json(
        self, policy: TrafficPolicy, rollout: RolloutRecord
    ) -> None:
        for step in _steps(policy, rollout):
            assert RolloutRecord.from_json(to_json(step)) == step

    def test_a_hard_fault_rolls_back_and_names_itself(
        self, policy: TrafficPolicy, rollout: RolloutRecord
    ) -> None:
        evidence = Evidence(
            RequestCounts(), RequestCounts(), step_requests=0, fault="It cannot be loaded."
        )
        for step in _steps(policy, rollout):
            decision = policy.judge(step, evidence)
            assert (decision.move, decision.reason) == (Move.ROLL_BACK, "It cannot be loaded.")

    def test_nothing_advances_without_evidence(
        self, policy: TrafficPolicy, rollout: RolloutRecord
    ) -> None:
        nothing = Evidence(RequestCounts(), RequestCounts(), step_requests=0)
        for step in _steps(policy, rollout):
            assert policy.judge(step, nothing).move not in {Move.ADVANCE, Move.PROMOTE}
            assert policy.outlook(step, nothing)

    def test_the_last_step_is_promoted_by_enough_good_requests(
        self, policy: TrafficPolicy, rollout: RolloutRecord
    ) -> None:
        rules = replace(rollout.rules, metric=None, step_time=None)
        good = Evidence(
            RequestCounts(10**6), RequestCounts(10**6), step_requests=10**6, step_s=60.0
        )
        *earlier, last = _steps(policy, replace(rollout, rules=rules))
        assert {policy.judge(step, good).move for step in earlier} <= {Move.ADVANCE}
        assert policy.judge(last, good).move is Move.PROMOTE

    def test_a_policy_without_options_continues_any_rollout_of_its_name(
        self, policy: TrafficPolicy, rollout: RolloutRecord
    ) -> None:
        successor: TrafficPolicy = type(policy)()
        evidence = Evidence(RequestCounts(50, 5), RequestCounts(50), step_requests=50, step_s=60.0)
        for step in _steps(policy, rollout):
            assert successor.weights(step) == policy.weights(step)
            assert successor.judge(step, evidence) == policy.judge(step, evidence)


def _steps(policy: TrafficPolicy, rollout: RolloutRecord) -> list[RolloutRecord]:
    """Return the rollout at each step."""
    steps = [rollout]
    while not steps[-1].is_at_last_step and len(steps) < _MOST_STEPS:
        steps.append(policy.next_step(steps[-1], PassedStep(steps[-1].percent, requests=120)))
    return steps
