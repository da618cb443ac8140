from dataclasses import replace

import pytest

from penstock.core import NotFoundError
from penstock.serving import Canary
from penstock.serving.policies import POLICIES, policy_of


def test_every_policy_is_found_by_its_name() -> None:
    for name, policy in POLICIES.items():
        assert policy.name == name
        assert policy_of(policy.start(2, 1)) is policy


def test_a_rollout_of_an_unknown_policy_is_refused_and_not_guessed() -> None:
    foreign = replace(Canary().start(2, 1), policy="canari")
    with pytest.raises(NotFoundError, match=r"unknown policy 'canari'(?s:.*)Did you mean 'canary'"):
        policy_of(foreign)
