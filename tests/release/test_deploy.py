"""deploy runs what is pending, judges again, and sends no traffic to what does not pass."""

import pytest

import penstock as ps
from penstock.core import (
    ConflictError,
    DeploymentState,
    GateError,
    GateState,
)


def gate(store, version, name):
    record = ps.Registry(store=store).get("fraud", version)
    return next(each for each in record.gates if each.gate == name)


def test_deploying_the_production_version_judges_nothing_again(train, proofs):
    train("verified")
    ps.promote("fraud", store=train.store)
    record = ps.deploy("fraud", store=train.store)
    assert (record.control, record.state) == (1, DeploymentState.PENDING)
    assert ps.deploy("fraud", version=1, store=train.store).weights == {1: 1.0}
    assert len(proofs) == 1


def test_deploying_a_version_at_once_proves_and_promotes_it(train, proofs):
    train()
    ps.promote("fraud", store=train.store)
    second = train("verified", strength=0.5)
    record = ps.deploy("fraud", version=2, actor="ada", store=train.store)
    assert record.weights == {2: 1.0}
    assert ps.Registry(store=train.store).champion("fraud").version == 2
    assert proofs == [second.run_id]


def test_a_canary_is_proved_before_it_gets_traffic(train, proofs):
    train()
    ps.promote("fraud", store=train.store)
    second = train("verified", strength=0.5)
    record = ps.deploy("fraud", canary=(10, 100), store=train.store)
    assert record.weights == {1: 0.9, 2: 0.1}
    assert proofs == [second.run_id]
    assert ps.Registry(store=train.store).champion("fraud").version == 1


@pytest.mark.parametrize("canary", [None, (10, 100)])
def test_a_version_whose_gates_fail_gets_no_traffic(train, proofs, canary):
    train()
    ps.promote("fraud", store=train.store)
    ps.deploy("fraud", store=train.store)
    train("roc_auc >= 0.999", "verified", strength=0.5)
    with pytest.raises(GateError) as refused:
        ps.deploy("fraud", version=2, canary=canary, store=train.store)
    assert "roc_auc >= 0.999" in str(refused.value)
    deployed = train.store.metadata.deployments.get("fraud")
    assert (dict(deployed.weights), deployed.rollout) == ({1: 1.0}, None)


def test_in_a_team_an_unapproved_canary_gets_no_traffic(train, proofs):
    train()
    ps.promote("fraud", store=train.store)
    train(strength=0.5)
    train.store.metadata.settings.set("single_user", "false")
    with pytest.raises(GateError, match="no one other than"):
        ps.deploy("fraud", canary=(10, 100), store=train.store)
    ps.Registry(store=train.store).approve("fraud", 2, actor="ada", reason="looked at it")
    assert ps.deploy("fraud", canary=(10, 100), store=train.store).weights[2] == 0.1


def test_a_rejected_version_is_refused_before_anything_is_proved(train, proofs):
    train()
    ps.promote("fraud", store=train.store)
    train("verified", strength=0.5)
    ps.Registry(store=train.store).reject("fraud", 2, reason="unfair")
    for act in (
        lambda: ps.promote("fraud", 2, store=train.store),
        lambda: ps.deploy("fraud", version=2, store=train.store),
        lambda: ps.deploy("fraud", version=2, canary=(10, 100), store=train.store),
    ):
        with pytest.raises(ConflictError, match="rejected"):
            act()
    assert proofs == []
    assert gate(train.store, 2, "verified").state is GateState.PENDING
