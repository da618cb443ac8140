from typing import Any

import pytest

from penstock.core import (
    ConflictError,
    DeploymentState,
    GateError,
    GateResult,
    GateState,
    NotFoundError,
    ParameterError,
    SerializationError,
    Stage,
)
from penstock.models import Model, Signature
from penstock.serving import (
    RolloutRules,
    deploy,
    ensure_deployment,
    production_version,
    stop_rollout,
)
from penstock.testing._records import a_version

MODEL = "big-tips"


def test_all_traffic_goes_to_the_production_version(served: Any) -> None:
    record = deploy(MODEL, actor="ann", store=served.store)
    assert record.weights == {1: 1.0}
    assert record.control == 1
    assert record.state is DeploymentState.PENDING
    assert served.events() == ["deployed"]


def test_deploying_another_version_at_once_promotes_it(served: Any) -> None:
    served.register(0.5)
    record = deploy(MODEL, version=2, actor="ann", store=served.store)
    assert record.weights == {2: 1.0}
    assert production_version(MODEL, store=served.store) == 2
    assert served.registry.get(MODEL, 1).stage is Stage.ARCHIVED


def test_deploying_a_version_whose_gate_failed_is_refused(served: Any) -> None:
    served.register(0.5)
    failed = GateResult("roc_auc >= 0.99", GateState.FAILED, "It is 0.9.")
    served.registry.record_gates(MODEL, 2, [failed])
    with pytest.raises(GateError):
        deploy(MODEL, version=2, store=served.store)
    assert served.store.metadata.deployments.list() == []


@pytest.mark.parametrize("canary", [None, (5, 100)])
def test_files_that_mlflow_registered_get_no_traffic(served: Any, canary: Any) -> None:
    stored = served.store.put({"mlflow": {"source": "models:/m-1", "files": {}}})
    served.store.metadata.models.create_version(
        a_version(model=MODEL, artifact=stored.digest, content_digest=stored.content_digest),
        actor="ada",
    )
    with pytest.raises(SerializationError, match=rf"{MODEL}@2 was registered by an MLflow client"):
        deploy(MODEL, version=2, canary=canary, store=served.store)
    assert served.registry.get(MODEL, 2).stage is Stage.NONE
    assert production_version(MODEL, store=served.store) == 1
    assert served.store.metadata.deployments.list() == []


def test_canary_gives_the_newest_version_the_first_share(served: Any) -> None:
    served.register(0.5)
    record = deploy(
        MODEL, canary=(5, 25, 100), rules=RolloutRules(step_requests=7), store=served.store
    )
    assert record.weights == {1: 0.95, 2: 0.05}
    rollout = record.rollout
    assert rollout is not None
    assert (rollout.version, rollout.control, rollout.rules.step_requests) == (2, 1, 7)
    assert production_version(MODEL, store=served.store) == 1


def test_a_second_rollout_waits_for_the_first(served: Any) -> None:
    served.register(0.5)
    deploy(MODEL, canary=(5, 100), store=served.store)
    with pytest.raises(ConflictError, match="is rolling out version 2"):
        deploy(MODEL, version=2, canary=(50, 100), store=served.store)


def test_a_stopped_rollout_gives_all_traffic_back(served: Any) -> None:
    served.register(0.5)
    deploy(MODEL, canary=(5, 100), store=served.store)
    record = stop_rollout(MODEL, reason="Wrong columns.", actor="bob", store=served.store)
    assert record.weights == {1: 1.0}
    assert record.rollout is not None
    assert record.rollout.reason == "Stopped by bob: Wrong columns."
    assert "Wrong columns" in served.registry.get(MODEL, 2).note
    with pytest.raises(ConflictError, match="no running rollout"):
        stop_rollout(MODEL, reason="Again.", actor="bob", store=served.store)


def test_a_rollout_does_not_watch_a_metric_of_a_class_that_nobody_declared(served: Any) -> None:
    from dataclasses import replace

    from penstock.serving._deploy import _require_positive

    record = served.registry.get(MODEL, 1)
    signature = {**record.signature, "classes": ["cat", "dog"], "positive": None}
    unknown = replace(record, signature=signature)
    with pytest.raises(ParameterError, match="'cat' and 'dog'"):
        _require_positive(RolloutRules(metric=("recall", -0.1)), unknown)
    _require_positive(RolloutRules(metric=("accuracy", -0.1)), unknown)
    _require_positive(
        RolloutRules(metric=("recall", -0.1)),
        replace(record, signature={**signature, "positive": "cat"}),
    )


def test_canary_of_the_production_version_is_refused(served: Any) -> None:
    with pytest.raises(ConflictError, match="in production already"):
        deploy(MODEL, version=1, canary=(5, 100), store=served.store)
    with pytest.raises(NotFoundError, match="no version that could still come into production"):
        deploy(MODEL, canary=(5, 100), store=served.store)


def test_the_version_that_is_chosen_is_the_one_that_is_judged(served: Any) -> None:
    served.register(0.5)
    served.register(0.1)
    failed = GateResult("roc_auc >= 0.99", GateState.FAILED, "It is 0.9.")
    served.registry.record_gates(MODEL, 2, [failed])
    served.promote(3)
    # The newest that is not settled is version 2, whose gate failed.
    with pytest.raises(GateError, match="big-tips@2 may not go to production"):
        deploy(MODEL, canary=(5, 100), store=served.store)
    assert served.store.metadata.deployments.list() == []


def test_canary_of_an_archived_former_champion_is_refused(served: Any) -> None:
    served.register(0.5)
    served.promote(2)
    with pytest.raises(ConflictError, match="penstock rollback big-tips --to 1"):
        deploy(MODEL, version=1, canary=(30, 100), store=served.store)


def test_a_version_that_breaks_callers_needs_a_reason(served: Any) -> None:
    first = served.registry.get(MODEL, 1)
    form = {**first.signature, "inputs": [{**first.signature["inputs"][0], "name": "km"}]}
    estimator = served.store.get(first.artifact)
    model = Model(estimator, Signature.from_json(form))
    served.registry.register(MODEL, model, actor="ann", run_id=None)
    for canary in (None, (5, 100)):
        with pytest.raises(GateError, match="'km' is new and required") as told:
            deploy(MODEL, version=2, canary=canary, store=served.store)
        assert "'hour' is gone" in str(told.value)
    record = deploy(
        MODEL, version=2, canary=(5, 100), accept_changes="All moved.", store=served.store
    )
    assert record.rollout.rules.accepted_changes == "All moved."
    started = served.store.metadata.deployments.list_events(MODEL)[-1]
    assert "For callers: The column 'km' is new and required." in started.message


def test_canary_of_a_rejected_version_is_refused(served: Any) -> None:
    served.register(0.5)
    served.registry.reject(MODEL, 2, reason="Unfair.", actor="ann")
    with pytest.raises(ConflictError, match="rejected"):
        deploy(MODEL, version=2, canary=(5, 100), store=served.store)


def test_steps_are_checked_before_anything_is_written(served: Any) -> None:
    served.register(0.5)
    with pytest.raises(ParameterError):
        deploy(MODEL, canary=(5, 25), store=served.store)
    assert served.store.metadata.deployments.list() == []


@pytest.mark.parametrize("canary", [None, (5, 100)])
def test_without_a_production_version_the_remedy_is_named(world: Any, canary: Any) -> None:
    world.register()
    with pytest.raises(NotFoundError, match=f"penstock promote {MODEL}"):
        deploy(MODEL, canary=canary, store=world.store)


def test_an_unknown_model_is_guessed(served: Any) -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'big-tips'"):
        deploy("big-tip", store=served.store)
    with pytest.raises(NotFoundError, match="Did you mean 'big-tips'"):
        ensure_deployment("bigtips", store=served.store)


def test_a_deployment_keeps_its_model(served: Any) -> None:
    deploy(MODEL, name="tips", store=served.store)
    served.store.metadata.deployments.get("tips")
    frame_model = served.registry.get(MODEL, 1)
    model = Model.load(frame_model, store=served.store)
    served.registry.register("other", model, actor="ann")
    served.registry.promote("other", 1, actor="ann", reason="It is good.")
    with pytest.raises(ConflictError, match="serves the model 'big-tips'"):
        deploy("other", name="tips", store=served.store)


def test_ensuring_a_deployment_twice_gives_the_same_one(served: Any) -> None:
    one = ensure_deployment(MODEL, store=served.store)
    assert ensure_deployment(MODEL, store=served.store) == one
