import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.core import GateError, GateResult, GateState, Stage, StoreError, set_clock
from penstock.serving import RolloutController, RolloutRules, deploy, production_version

MODEL = "big-tips"


@pytest.fixture
def rolling(served: Any) -> Any:
    served.register(0.5)
    deploy(
        MODEL,
        canary=(5, 25, 100),
        rules=RolloutRules(step_requests=20, max_error_rate_increase=0.25),
        store=served.store,
    )
    return served


def record_of(world: Any) -> Any:
    return world.store.metadata.deployments.get(MODEL)


def test_a_good_version_passes_all_steps_and_is_promoted(rolling: Any) -> None:
    controller = RolloutController(MODEL, store=rolling.store)
    shares = []
    for _ in range(3):
        rolling.add_predictions(1, 60)
        rolling.add_predictions(2, 20)
        shares.append(controller.tick().weights.get(2))
    assert shares == [0.25, 1.0, 1.0]
    record = record_of(rolling)
    assert record.control == 2
    assert record.weights == {2: 1.0}
    assert record.rollout.state == "promoted"
    assert [step.requests for step in record.rollout.passed] == [20, 20]
    assert production_version(MODEL, store=rolling.store) == 2
    assert rolling.registry.history(MODEL)[-1].actor == "rollout"
    assert rolling.events().count("rollout_step") == 2
    assert "promoted" in rolling.events()


def test_requests_of_an_earlier_step_do_not_pass_the_next(rolling: Any) -> None:
    controller = RolloutController(MODEL, store=rolling.store)
    rolling.add_predictions(2, 500)
    assert controller.tick().weights[2] == 0.25
    assert controller.tick().weights[2] == 0.25


def test_a_failing_version_goes_back_with_its_reason(rolling: Any) -> None:
    rolling.add_predictions(1, 300)
    rolling.add_predictions(2, 30, errors=25)
    record = RolloutController(MODEL, store=rolling.store).tick()
    assert record.weights == {1: 1.0}
    assert record.rollout.state == "rolled_back"
    assert "failed 25 of 30 requests" in record.rollout.reason
    assert rolling.registry.get(MODEL, 2).stage is Stage.NONE
    assert "failed 25 of 30" in rolling.registry.get(MODEL, 2).note
    assert production_version(MODEL, store=rolling.store) == 1


def test_a_finished_rollout_is_left_alone(rolling: Any) -> None:
    controller = RolloutController(MODEL, store=rolling.store)
    controller.fault(2, "It is broken.")
    after = controller.tick()
    assert controller.tick() == after


def test_another_process_goes_on_where_a_killed_one_stood(rolling: Any) -> None:
    rolling.add_predictions(2, 20)
    RolloutController(MODEL, store=rolling.store).tick()
    rolling.add_predictions(2, 19)
    assert RolloutController(MODEL, store=rolling.store).tick().weights[2] == 0.25
    rolling.add_predictions(2, 1)
    assert RolloutController(MODEL, store=rolling.store).tick().weights[2] == 1.0


def test_of_two_controllers_one_moves(rolling: Any) -> None:
    one, two = (RolloutController(MODEL, store=rolling.store) for _ in range(2))
    rolling.add_predictions(2, 20)
    one.tick()
    two.tick()
    assert rolling.events().count("rollout_step") == 1


def test_a_worse_metric_on_posted_truth_goes_back(served: Any) -> None:
    served.register(0.5)
    rules = RolloutRules(step_requests=10_000, metric=("accuracy", -0.02))
    deploy(MODEL, canary=(50, 100), rules=rules, store=served.store)
    served.add_predictions(1, 400, truth=lambda _place: ("yes", "yes"))
    served.add_predictions(2, 400, truth=lambda place: ("yes", "yes" if place % 3 else "no"))
    record = RolloutController(MODEL, store=served.store).tick()
    assert record.rollout.state == "rolled_back"
    assert "accuracy of version 2 is 0.66" in record.rollout.reason


def test_promotion_is_asked_of_the_callable(rolling: Any) -> None:
    asked = []

    def promote(model: str, version: int, reason: str) -> None:
        asked.append((model, version))
        rolling.promote(version)

    controller = RolloutController(MODEL, on_promote=promote, store=rolling.store)
    for _ in range(3):
        rolling.add_predictions(2, 20)
        controller.tick()
    assert asked == [(MODEL, 2)]


def test_a_refused_promotion_gives_the_traffic_back(rolling: Any) -> None:
    def promote(_model: str, _version: int, _reason: str) -> None:
        raise GateError(what="Nobody approved it.", fix="Run: penstock approve")

    controller = RolloutController(MODEL, on_promote=promote, store=rolling.store)
    for _ in range(3):
        rolling.add_predictions(2, 20)
        record = controller.tick()
    assert record.rollout.state == "rolled_back"
    assert record.weights == {1: 1.0}
    assert "Version 2 may not be promoted: Nobody approved it." in record.rollout.reason


def test_a_store_that_is_busy_refuses_nothing(rolling: Any) -> None:
    busy = True

    def promote(_model: str, version: int, _reason: str) -> None:
        if busy:
            raise StoreError(what="The database is locked.")
        rolling.promote(version)

    controller = RolloutController(MODEL, on_promote=promote, store=rolling.store)
    for _ in range(4):
        rolling.add_predictions(2, 20)
        record = controller.tick()
    assert (record.rollout.state, record.weights[2]) == ("running", 1.0)
    busy, controller._next_try = False, 0.0
    assert controller.tick().rollout.state == "promoted"


@pytest.mark.parametrize("steps_passed", [0, 1])
def test_a_version_whose_gate_fails_meanwhile_gets_no_more_traffic(
    rolling: Any, steps_passed: int
) -> None:
    controller = RolloutController(MODEL, store=rolling.store)
    for _ in range(steps_passed):
        rolling.add_predictions(2, 20)
        controller.tick()
    failed = GateResult("roc_auc >= 0.99", GateState.FAILED, "It is 0.9.")
    rolling.registry.record_gates(MODEL, 2, [failed])
    rolling.add_predictions(2, 20)
    record = controller.tick()
    assert record.rollout.state == "rolled_back"
    assert record.weights == {1: 1.0}
    assert "gate 'roc_auc >= 0.99' failed" in record.rollout.reason


@pytest.mark.parametrize("refuse", ["reject", "archive"])
def test_a_version_that_is_taken_out_loses_its_traffic_at_once(rolling: Any, refuse: str) -> None:
    getattr(rolling.registry, refuse)(MODEL, 2, reason="Unfair.", actor="ann")
    assert record_of(rolling).weights == {1: 1.0}
    assert record_of(rolling).rollout.state == "rolled_back"
    assert RolloutController(MODEL, store=rolling.store).tick() == record_of(rolling)


def test_a_promotion_by_hand_ends_the_rollout(rolling: Any) -> None:
    rolling.promote(2)
    record = RolloutController(MODEL, store=rolling.store).tick()
    assert record.weights == {2: 1.0}
    assert record.rollout.state == "promoted"


def test_another_production_version_ends_the_rollout_and_gets_the_traffic(rolling: Any) -> None:
    rolling.register(0.1)
    rolling.promote(3)
    record = RolloutController(MODEL, store=rolling.store).tick()
    assert record.weights == {3: 1.0}
    assert "Version 3 came into production" in record.rollout.reason


def test_silence_pauses_and_requests_resume(rolling: Any) -> None:
    start, passed = datetime.now(UTC), timedelta(0)
    set_clock(lambda: start + passed)
    try:
        controller = RolloutController(MODEL, store=rolling.store)
        controller.tick()
        passed = timedelta(minutes=61)
        assert controller.tick().rollout.state == "paused"
        rolling.add_predictions(2, 5)
        assert controller.tick().rollout.state == "running"
        passed = timedelta(minutes=61 + 121)
        assert controller.tick().rollout.state == "rolled_back"
    finally:
        set_clock(None)
    kinds = rolling.events()
    assert {"rollout_paused", "rollout_resumed", "rolled_back"} <= set(kinds)


def test_counts_stay_right_when_old_rows_are_summed_up(rolling: Any) -> None:
    start, passed = datetime.now(UTC), timedelta(0)
    set_clock(lambda: start + passed)
    try:
        controller = RolloutController(MODEL, store=rolling.store)
        for seconds in (0, 11, 22, 33):
            passed = timedelta(seconds=seconds)
            rolling.add_predictions(2, 4)
            controller.tick()
        passed = timedelta(seconds=40)
        rolling.add_predictions(2, 3)
        assert controller.tick().weights[2] == 0.05
        rolling.add_predictions(2, 1)
        assert controller.tick().weights[2] == 0.25
    finally:
        set_clock(None)


def test_a_rollout_stored_before_rollouts_had_a_form_goes_on_where_it_stood(rolling: Any) -> None:
    """The text is what the store had until form 1; one more step writes form 1."""
    old = json.loads(stored_rollout(rolling))
    del old["policy"], old["form"]
    for name in ("started_at", "step_started_at"):
        old[name] = old[name].replace("Z", "+00:00")
    with rolling.store.metadata.database.write() as transaction:
        transaction.execute("UPDATE deployments SET rollout = ?", (json.dumps(old),))
    before = record_of(rolling).rollout
    rolling.add_predictions(2, 20)
    after = RolloutController(MODEL, store=rolling.store).tick().rollout
    assert (after.position, after.started_at) == (1, before.started_at)
    assert after.rules == before.rules
    written = json.loads(stored_rollout(rolling))
    assert (written["form"], written["policy"], written["percent"]) == (1, "canary", 25)


def stored_rollout(world: Any) -> str:
    with world.store.metadata.database.read() as transaction:
        return transaction.execute("SELECT rollout FROM deployments").fetchone()[0]
