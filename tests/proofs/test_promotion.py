"""promote, prove_version and deploy run what is pending, judge again, and refuse what does not pass."""

import getpass
import sys

import pytest

import penstock as ps
from penstock.core import (
    ConflictError,
    DeploymentState,
    GateError,
    GateState,
    NotFoundError,
    ProofRecord,
    Stage,
    Verdict,
    now,
)
from penstock.demo import simulate_day
from penstock.execution import QuietReporter
from penstock.proofs import _promotion, prove_version
from penstock.stores import open_store

JOB = """
import random

import penstock as ps
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

payments = ps.FileSource("payments.csv")


@ps.step
def train(split: ps.Split, strength: float) -> Pipeline:
    columns = ps.table_transformer(split.schema, scale=True)
    model = LogisticRegression(C=strength, max_iter=200)
    return make_pipeline(columns, model).fit(split.train.X, split.train.y)


@ps.pipeline
def fraud(gates: list[str], strength: float = 1.0) -> ps.ModelVersion:
    rows = ps.steps.ingest(payments)
    split = ps.steps.split(rows, target="fraud", test=0.4, drop=["payment_id", "merchant", "time"])
    report = ps.steps.evaluate(train(split, strength), split, resamples=20)
    return ps.steps.register("fraud", train(split, strength), report, gates=gates)
"""


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Train a version with gates; ``train.store`` is where it is registered."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "job.py").write_text(JOB)
    simulate_day(0, rows=700).labelled().write_csv(tmp_path / "payments.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    store = open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db")

    def call(*gates, **params):
        pipeline = ps.load_pipeline("job.py")
        result = ps.run(
            pipeline, gates=list(gates), store=store, reporter=QuietReporter(), **params
        )
        assert result.ok, result.error
        return store.metadata.models.list_versions("fraud")[-1]

    call.store = store
    yield call
    store.close()


@pytest.fixture
def proofs(train, monkeypatch):
    """Proofs that take no process: the verdict that is set here is recorded."""
    asked = []

    def verify(run_id, *, store):
        asked.append(run_id)
        store.metadata.artifacts.add_proof(
            ProofRecord(run_id, "verified", asked.verdict, now(), {})
        )

    class Asked(list):
        verdict = Verdict.BITWISE

    asked = Asked()
    monkeypatch.setattr(_promotion, "verify", verify)
    return asked


def gate(store, version, name):
    record = ps.Registry(store).get("fraud", version)
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
    assert ps.Registry(train.store).champion("fraud") is None


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
    event = ps.Registry(train.store).history("fraud")[-1]
    assert (event.actor, event.reason) == ("ada", "first")
    with pytest.raises(ConflictError, match="in production already"):
        ps.promote("fraud", 1, store=train.store)
    with pytest.raises(NotFoundError, match="no version 7"):
        ps.promote("fraud", 7, store=train.store)


def test_in_a_team_the_trainers_yes_is_not_enough(train, proofs):
    train()
    train.store.metadata.settings.set("single_user", "false")
    with pytest.raises(GateError, match=f"nobody other than {getpass.getuser()}"):
        ps.promote("fraud", store=train.store)
    ps.Registry(train.store).approve("fraud", 1, approver="ada", reason="looked at it")
    assert ps.promote("fraud", store=train.store).stage is Stage.PRODUCTION


def test_the_projects_store_is_used_where_none_is_named(train, proofs):
    train()
    assert prove_version("fraud").version == 1
    assert ps.promote("fraud").ref == "fraud@1"


def test_deploying_the_production_version_judges_nothing_again(train, proofs):
    train("verified")
    ps.promote("fraud", store=train.store)
    record = ps.deploy(train.store, "fraud")
    assert (record.control, record.state) == (1, DeploymentState.PENDING)
    assert ps.deploy(train.store, "fraud", version=1).weights == {1: 1.0}
    assert len(proofs) == 1


def test_deploying_a_version_at_once_proves_and_promotes_it(train, proofs):
    train()
    ps.promote("fraud", store=train.store)
    second = train("verified", strength=0.5)
    record = ps.deploy(train.store, "fraud", version=2, actor="ada")
    assert record.weights == {2: 1.0}
    assert ps.Registry(train.store).champion("fraud").version == 2
    assert proofs == [second.run_id]


def test_a_canary_is_proved_before_it_gets_traffic(train, proofs):
    train()
    ps.promote("fraud", store=train.store)
    second = train("verified", strength=0.5)
    record = ps.deploy(train.store, "fraud", canary=(10, 100))
    assert record.weights == {1: 0.9, 2: 0.1}
    assert proofs == [second.run_id]
    assert ps.Registry(train.store).champion("fraud").version == 1


@pytest.mark.parametrize("canary", [None, (10, 100)])
def test_a_version_whose_gates_fail_gets_no_traffic(train, proofs, canary):
    train()
    ps.promote("fraud", store=train.store)
    ps.deploy(train.store, "fraud")
    train("roc_auc >= 0.999", "verified", strength=0.5)
    with pytest.raises(GateError) as refused:
        ps.deploy(train.store, "fraud", version=2, canary=canary)
    assert "roc_auc >= 0.999" in str(refused.value)
    deployed = train.store.metadata.deployments.get("fraud")
    assert (dict(deployed.weights), deployed.rollout) == ({1: 1.0}, None)


def test_in_a_team_an_unapproved_canary_gets_no_traffic(train, proofs):
    train()
    ps.promote("fraud", store=train.store)
    train(strength=0.5)
    train.store.metadata.settings.set("single_user", "false")
    with pytest.raises(GateError, match="nobody other than"):
        ps.deploy(train.store, "fraud", canary=(10, 100))
    ps.Registry(train.store).approve("fraud", 2, approver="ada", reason="looked at it")
    assert ps.deploy(train.store, "fraud", canary=(10, 100)).weights[2] == 0.1


def test_a_rejected_version_is_refused_before_anything_is_proved(train, proofs):
    train()
    ps.promote("fraud", store=train.store)
    train("verified", strength=0.5)
    ps.Registry(train.store).reject("fraud", 2, reason="unfair")
    for act in (
        lambda: ps.promote("fraud", 2, store=train.store),
        lambda: ps.deploy(train.store, "fraud", version=2),
        lambda: ps.deploy(train.store, "fraud", version=2, canary=(10, 100)),
    ):
        with pytest.raises(ConflictError, match="rejected"):
            act()
    assert proofs == []
    assert gate(train.store, 2, "verified").state is GateState.PENDING
