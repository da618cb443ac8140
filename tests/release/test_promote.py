"""promote and prove_version run what is pending, judge again, and refuse what does not pass."""

import getpass

import pytest

import penstock as ps
from penstock.core import (
    ConflictError,
    GateError,
    GateState,
    NotFoundError,
    Stage,
    Verdict,
)
from penstock.release import prove_version


def gate(store, version, name):
    record = ps.Registry(store=store).get("fraud", version)
    return next(each for each in record.gates if each.gate == name)


@pytest.mark.slow
def test_a_pending_proof_is_run_for_real_and_the_version_is_promoted(train):
    version = train("roc_auc >= 0.5", "verified")
    assert gate(train.store, 1, "verified").state is GateState.PENDING
    promoted = ps.promote("fraud", reason="good", store=train.store)
    assert promoted.stage is Stage.PRODUCTION
    assert gate(train.store, 1, "verified").state is GateState.PASSED
    [proof] = train.store.metadata.artifacts.list_proofs(version.run_id)
    assert proof.verdict is Verdict.BITWISE


def test_a_proof_that_is_there_is_not_run_again(train, proofs):
    train("verified")
    prove_version("fraud", store=train.store)
    ps.promote("fraud", 1, store=train.store)
    assert len(proofs) == 1


def test_no_proof_is_run_where_no_gate_asks_for_one(train, proofs):
    train("roc_auc >= 0.5")
    train()
    ps.promote("fraud", 1, store=train.store)
    ps.promote("fraud", 2, store=train.store)
    assert proofs == []


@pytest.mark.parametrize("verdict", [Verdict.DIFFERS, Verdict.CANNOT_VERIFY])
def test_a_proof_that_fails_refuses_the_promotion_with_its_reason(train, proofs, verdict):
    proofs.verdict = verdict
    train("verified")
    with pytest.raises(GateError) as refused:
        ps.promote("fraud", store=train.store)
    assert "fraud@1 may not go to production" in str(refused.value)
    assert gate(train.store, 1, "verified").state is not GateState.PASSED
    assert ps.Registry(store=train.store).champion("fraud") is None


def test_a_failed_gate_refuses_with_every_reason(train, proofs):
    train("roc_auc >= 0.999", "accuracy >= 0.5", "brier <= 0.0001")
    with pytest.raises(GateError) as refused:
        ps.promote("fraud", store=train.store)
    assert "roc_auc >= 0.999" in str(refused.value)
    assert "brier <= 0.0001" in str(refused.value)
    assert "accuracy >= 0.5" not in str(refused.value)
    assert {each.gate for each in refused.value.gates} == {"roc_auc >= 0.999", "brier <= 0.0001"}


def test_gates_are_judged_again_against_the_champion_of_today(train, proofs):
    weak = train("roc_auc >= champion.roc_auc + 0.0001", strength=0.001)
    assert gate(train.store, 1, weak.gates[0].gate).reason.startswith(
        "no champion yet; positive class "
    )
    train("roc_auc >= champion.roc_auc + 0.0001", strength=1.0)
    ps.promote("fraud", 2, store=train.store)
    with pytest.raises(GateError, match="fraud@1"):
        ps.promote("fraud", 1, store=train.store)
    assert gate(train.store, 1, weak.gates[0].gate).state is GateState.FAILED


def test_staging_asks_for_nothing(train, proofs):
    train("roc_auc >= 0.999", "verified")
    staged = ps.promote("fraud", to=Stage.STAGING, store=train.store)
    assert staged.stage is Stage.STAGING
    assert proofs == []
    assert prove_version("fraud", "challenger", store=train.store).version == 1


def test_the_actor_and_the_reason_are_in_the_history(train, proofs):
    train()
    ps.promote("fraud", actor="ada", reason="first", store=train.store)
    event = ps.Registry(store=train.store).history("fraud")[-1]
    assert (event.actor, event.reason) == ("ada", "first")
    with pytest.raises(ConflictError, match="in production already"):
        ps.promote("fraud", 1, store=train.store)
    with pytest.raises(NotFoundError, match="no version 7"):
        ps.promote("fraud", 7, store=train.store)


def test_in_a_team_the_trainers_yes_is_not_enough(train, proofs):
    train()
    train.store.metadata.settings.set("single_user", "false")
    with pytest.raises(GateError, match=f"no one other than {getpass.getuser()}"):
        ps.promote("fraud", store=train.store)
    ps.Registry(store=train.store).approve("fraud", 1, actor="ada", reason="looked at it")
    assert ps.promote("fraud", store=train.store).stage is Stage.PRODUCTION


def test_the_projects_store_is_used_where_none_is_named(train, proofs):
    train()
    assert prove_version("fraud").version == 1
    assert ps.promote("fraud").ref == "fraud@1"
