"""ps.steps.deploy: traffic from inside a pipeline, by the same rules as by hand."""

import pytest

import penstock as ps
from penstock.core import ConflictError, GateError, NotFoundError


def test_all_at_once_the_version_becomes_the_production_version(store, model, report):
    version = ps.steps.register("fraud", model, report)
    answer = ps.steps.deploy(version)
    assert answer == {"name": "fraud", "generation": 1, "weights": {"1": 1.0}}
    assert ps.Registry(store=store).champion("fraud").version == 1


def test_a_canary_stands_beside_the_production_version(store, model, report):
    ps.steps.deploy(ps.steps.register("fraud", model, report))
    with ps.start_run(store=store):
        second = ps.steps.register("fraud", model, report)
        answer = ps.steps.deploy(second, canary=[10, 100])
        assert answer["weights"] == {"1": 0.9, "2": 0.1}
        with pytest.raises(ConflictError, match="is rolling out version 2"):
            ps.steps.deploy(second)
    assert ps.Registry(store=store).champion("fraud").version == 1


def test_a_version_with_a_failed_gate_gets_no_traffic(store, model, report):
    good = ps.steps.register("fraud", model, report)
    with ps.start_run(store=store):
        bad = ps.steps.register("fraud", model, report, gates=["roc_auc >= 0.999"])
    with pytest.raises(NotFoundError, match="no version in production"):
        ps.steps.deploy(good, canary=[10, 100])
    ps.steps.deploy(good)
    with pytest.raises(GateError, match=r"is not >= 0\.999"):
        ps.steps.deploy(bad)
    with pytest.raises(GateError, match=r"is not >= 0\.999"):
        ps.steps.deploy(bad, canary=[10, 100])
    assert store.metadata.deployments.get("fraud").rollout is None


def test_in_a_team_an_unapproved_version_gets_no_traffic(store, model, report):
    ps.steps.deploy(ps.steps.register("fraud", model, report))
    store.metadata.settings.set("single_user", "false")
    with ps.start_run(store=store):
        second = ps.steps.register("fraud", model, report)
        with pytest.raises(GateError, match="no one other than"):
            ps.steps.deploy(second, canary=[10, 100])
        ps.Registry(store=store).approve("fraud", 2, actor="someone else", reason="looked at it")
        assert ps.steps.deploy(second, canary=[10, 100])["weights"]["2"] == 0.1
