"""What changes outside of runs is told of at once: versions, deployments, alerts."""

from dataclasses import replace

import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from penstock.core import AlertRecord, now
from penstock.hooks import Courier
from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.serving import deploy


@pytest.fixture
def registry(store):
    return Registry(store=store)


def register(registry, flip=False):
    rows = pl.DataFrame({"x": [0.0, 1.0]})
    estimator = LogisticRegression().fit(rows.to_numpy(), [int(flip), int(not flip)])
    return registry.register("tips", Model(estimator, infer_signature(estimator, rows)))


def test_a_version_is_told_of_from_registration_to_the_archive(hooks, receiver, registry):
    hooks.add(receiver.url, events=["version.*"])
    first = register(registry)
    registry.approve("tips", 1, reason="Read it.", actor="bob")
    registry.promote("tips", 1, reason="The first.", actor="bob")
    register(registry, flip=True)
    registry.promote("tips", 2)
    registry.rollback("tips", to=1, reason="It was better.")
    registry.reject("tips", 2, reason="No.")
    assert receiver.types == [
        "version.registered",
        "version.approved",
        "version.production",
        "version.registered",
        "version.archived",
        "version.production",
        "version.archived",
        "version.production",
        "version.rejected",
    ]
    data = receiver.got[2].json["data"]
    told = ("model", "version", "stage", "from_stage", "actor", "reason")
    assert [data[name] for name in told] == ["tips", 1, "production", "none", "bob", "The first."]
    assert data["content_digest"] == first.content_digest


def test_a_refused_promotion_is_no_event(hooks, receiver, registry):
    hooks.add(receiver.url, events=["version.production"])
    with pytest.raises(Exception, match="no model"):
        registry.promote("tips", 1)
    assert receiver.got == []


def test_a_deployment_is_told_of(hooks, receiver, registry, store):
    register(registry)
    registry.promote("tips", 1)
    hooks.add(receiver.url, events=["deployment.*"])
    deploy("tips", store=store)
    (got,) = receiver.got
    assert got.json["type"] == "deployment.deployed"
    assert (got.json["data"]["deployment"], got.json["data"]["model"]) == ("tips", "tips")
    assert "answers all requests" in got.json["data"]["message"]


def test_alerts_are_told_of_once_when_raised_and_once_when_resolved(hooks, receiver, store):
    hooks.add(receiver.url, events=["alert.*"])
    alert = AlertRecord("a1", "tips", "tips", "errors", "model", "12 %", now(), now())
    for seen in (alert, replace(alert, count=2), replace(alert, resolved_at=now())):
        store.metadata.deployments.save_alert(seen)
    Courier(store=store).deliver()
    assert receiver.types == ["alert.raised", "alert.resolved"]
    assert receiver.got[0].json["data"]["message"] == "12 %"


def test_an_unreachable_receiver_delays_nothing_for_ever(hooks, receiver, registry, store):
    hooks.add(receiver.url, events=["version.*"])
    receiver.answer = lambda _: 503
    register(registry)
    registry.promote("tips", 1)
    assert [event.kind for event in hooks.events("webhook")] == [
        "version.registered",
        "version.production",
    ]
    receiver.answer = lambda _: 204
    hooks.retry("webhook")
    assert hooks.deliver() == 2


def test_a_rejection_that_ends_a_rollout_tells_of_both(hooks, receiver, registry, store):
    """They move in one transaction: one event each, in their order."""
    register(registry)
    registry.promote("tips", 1)
    register(registry, flip=True)
    deploy("tips", version=2, canary=[50, 100], store=store)
    hooks.add(receiver.url, events=["version.rejected", "deployment.*"])
    registry.reject("tips", 2, reason="It was worse.")
    assert receiver.types == ["version.rejected", "deployment.rolled_back"]
    found = store.metadata.deployments.list_events("tips")
    assert found[-1].message == receiver.got[1].json["data"]["message"]
