"""The canary's steps; its judgement is tested in tests/serving/policies/test_judge.py."""

import pytest

from penstock.core import ParameterError, PassedStep, RolloutRules
from penstock.serving import Canary, TrafficPolicy
from penstock.testing import TrafficPolicyContract


class TestCanary(TrafficPolicyContract):
    @pytest.fixture(params=[(5, 25, 100), (100,)], ids=["in steps", "alone"])
    def policy(self, request: pytest.FixtureRequest) -> TrafficPolicy:
        return Canary(request.param, RolloutRules(step_requests=50, max_error_rate_increase=0.02))


@pytest.mark.parametrize("steps", [(), (5, 25), (25, 5, 100), (0, 100), (50, 50, 100), (5, 101)])
def test_steps_that_do_not_rise_to_100_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="do not rise to 100"):
        Canary(steps).start(2, 1)


def test_each_step_gives_the_new_version_its_percent() -> None:
    canary = Canary((5, 25, 100))
    rollout = canary.start(2, 1)
    shares = []
    for _ in range(3):
        shares.append(canary.weights(rollout))
        if not rollout.is_at_last_step:
            rollout = canary.next_step(rollout, PassedStep(rollout.percent))
    assert shares == [{1: 0.95, 2: 0.05}, {1: 0.75, 2: 0.25}, {1: 0.0, 2: 1.0}]
    assert [passed.percent for passed in rollout.passed] == [5, 25]
