"""The doors of the registry, one behaviour each."""

from dataclasses import dataclass
from datetime import timedelta

import polars as pl
import pytest

from penstock.core import (
    ConflictError,
    DeploymentRecord,
    DeploymentState,
    Edge,
    GateError,
    GateResult,
    GateState,
    NotFoundError,
    ParameterError,
    RolloutRecord,
    RolloutRules,
    RolloutState,
    RunRecord,
    RunState,
    SerializationError,
    Stage,
    now,
    set_clock,
)
from penstock.models import Model
from penstock.registry._changing import change_version

PASSED = GateResult("roc_auc >= 0.7", GateState.PASSED, "roc_auc is 0.81")
FAILED = GateResult("gap(recall, company) <= 0.15", GateState.FAILED, "gap is 0.22.")
PENDING = GateResult("verified", GateState.PENDING, "run run7 has not been executed again")


def make_run(store, run_id="run7", **options):
    run = RunRecord(
        run_id, "first", "default", "big_tips", "tips.py:big_tips", RunState.RUNNING, 0, now(),
        user="ada", **options,
    )  # fmt: skip
    store.metadata.runs.create(run)
    return run_id


def stages(registry, model="tips"):
    return {version.version: version.stage for version in registry.list(model)}


def test_versions_are_numbered_from_one(registry, add):
    assert [add().version, add().version, add("other").version] == [1, 2, 1]
    assert [version.ref for version in registry.list()] == ["other@1", "tips@1", "tips@2"]
    assert registry.list("tips")[0].stage is Stage.NONE


def test_the_same_model_of_the_same_run_is_registered_once(store, registry, add):
    run_id = make_run(store)
    first = add(run_id=run_id)
    assert add(run_id=run_id) == first
    assert len(registry.list("tips")) == 1


def test_the_trainer_is_the_runs_user_else_who_registers(store, add):
    run_id = make_run(store)
    assert add(run_id=run_id, trained_by=None, actor="ci").trained_by == "ada"
    assert add(trained_by=None, actor="ci").trained_by == "ci"


def test_a_model_of_a_run_that_does_not_exist_is_refused(add):
    with pytest.raises(NotFoundError):
        add(run_id="nothing", trained_by=None)


class Homemade:
    def predict(self, frame):
        return [1] * len(frame)


@pytest.mark.parametrize("value", [Homemade(), {"a": 1}, pl.DataFrame({"a": [1]})])
def test_what_is_no_safe_model_is_refused_and_takes_no_number(store, registry, signature, value):
    with pytest.raises(SerializationError, match=r"pickle|is no model"):
        registry.register("tips", Model(value, signature))
    assert store.metadata.models.list() == []


def test_an_illegal_name_is_refused_with_a_proposal(add):
    with pytest.raises(ParameterError, match="big-tips"):
        add("big tips")


@dataclass(frozen=True)
class Estimate:
    value: float


class Report:
    def __init__(self):
        self.metrics = {"rmse": Estimate(2.5), "mape": Estimate(float("nan"))}

    def to_json(self):
        return {"task": "regression", "metrics": {"rmse": {"value": 2.5, "low": 2.0, "high": 3.0}}}


def test_metrics_come_from_the_report_and_must_be_finite(store, add):
    version = add(report=Report())
    assert version.metrics == {"rmse": 2.5}
    assert store.get(version.report)["task"] == "regression"
    assert add(metrics={"mae": 1}).metrics == {"mae": 1.0}


def test_the_card_tells_what_is_recorded(store, registry, add):
    run_id = make_run(store)
    version = add(run_id=run_id, report=Report(), gates=[PASSED], note="For tips.")
    card = registry.card("tips", 1)
    assert card.startswith("# Model card: tips, version 1\n")
    for line in (
        "| rmse | 2.5 | 2 to 3 | not recorded |",
        "For tips.",
        "| Pipeline | big_tips |",
        "| age | integer | Int64 | 20 to 40 | no |",
        "| roc_auc &gt;= 0.7 | passed | roc_auc is 0.81 |",
    ):
        assert line in card.splitlines()
    assert version.card is not None


@dataclass(frozen=True)
class Snapshot:
    rows: int = 3


def test_the_card_names_the_data_by_lineage(store, registry, add, estimator):
    manifest = {"code": {"commit": "abc", "dirty": False}, "environment": {"python": "3.11.7"}}
    run_id = make_run(store, provenance=store.put(manifest).digest)
    data = store.put("snapshot")
    model = store.put(estimator).content_digest
    store.metadata.artifacts.add_edges(
        [
            Edge("source:rides", f"artifact:{data.content_digest}", "read"),
            Edge("source:gone", "artifact:sha256:00", "read"),
            Edge(f"artifact:{data.content_digest}", "step:s1", "input"),
            Edge("artifact:sha256:00", "step:s1", "input"),
            Edge("step:s1", f"artifact:{model}", "output"),
        ]
    )
    add(run_id=run_id)
    lines = registry.card("tips").splitlines()
    assert "| rides |" + " not recorded |" * 5 in lines
    assert "| gone |" + " not recorded |" * 5 in lines
    assert "| Commit | abc |" in lines
    assert "| Uncommitted changes | no |" in lines


def test_a_card_of_ones_own_is_kept(registry, add):
    add(card="# Mine\n")
    assert registry.card("tips", 1) == "# Mine\n"


def test_registering_draws_lineage(store, add):
    version = add(report=Report())
    edges = store.metadata.artifacts.list_edges("version:tips@1", direction="up")
    assert {edge.role for edge in edges} == {"model", "report"}
    assert f"artifact:{version.content_digest}" in {edge.source for edge in edges}


def test_an_unknown_model_is_told_with_did_you_mean(registry, add):
    add("big-tips")
    for ask in (registry.get, registry.list, registry.history, registry.verify_history):
        with pytest.raises(NotFoundError, match=r"no model 'big-tip'.*Did you mean 'big-tips'"):
            ask("big-tip")
    assert registry.champion("big-tip") is None
    assert registry.challenger("big-tip") is None


def test_promote_moves_to_production_and_archives_the_old_one(registry, add):
    add(), add()
    registry.promote("tips", 1, actor="ada", reason="First.")
    promoted = registry.promote("tips", actor="ada", reason="Better.")
    assert (promoted.version, promoted.stage) == (2, Stage.PRODUCTION)
    assert stages(registry) == {1: Stage.ARCHIVED, 2: Stage.PRODUCTION}
    assert registry.champion("tips").version == 2
    last = registry.history("tips")[-2:]
    assert [(event.version, event.reason) for event in last] == [
        (1, "Replaced by tips@2."),
        (2, "Better."),
    ]


def test_staging_asks_nothing_and_makes_the_challenger(registry, add):
    add(gates=[FAILED])
    registry.promote("tips", 1, to=Stage.STAGING, actor="ada")
    assert registry.challenger("tips").version == 1
    with pytest.raises(ConflictError, match="tips@1 is in staging already"):
        registry.promote("tips", 1, to="staging")


def test_promote_refuses_with_every_reason_and_command(team, add):
    add(gates=[PASSED, FAILED, PENDING], run_id=None)
    with pytest.raises(GateError) as caught:
        team.promote("tips", 1, actor="ada")
    error = caught.value
    assert [gate.gate for gate in error.gates] == [FAILED.gate, PENDING.gate]
    assert "gate 'gap(recall, company) <= 0.15' failed: gap is 0.22. Train a" in error.reasons[0]
    assert "register it from a pipeline" in error.reasons[1]
    assert "no one other than ada has approved it" in error.reasons[2]
    assert "penstock approve tips@1 --actor NAME --reason WHY" in error.reasons[2]
    assert error.fix == "Then run: penstock promote tips@1"
    assert team.champion("tips") is None


def test_a_pending_gate_names_the_command_that_runs_it(store, registry, add):
    run_id = make_run(store)
    add(gates=[PENDING], run_id=run_id)
    with pytest.raises(GateError, match="Run: penstock verify run7"):
        registry.promote("tips", 1)
    registry.record_gates("tips", 1, [GateResult("verified", GateState.PASSED, "bitwise")])
    assert registry.promote("tips", 1).stage is Stage.PRODUCTION


def test_overruling_gates_stays_in_the_history(registry, add):
    add(gates=[FAILED])
    registry.promote("tips", 1, actor="ada", force_reason="The old one is worse.")
    assert registry.history("tips")[-1].reason == (
        "FORCED past 'gap(recall, company) <= 0.15' (failed): The old one is worse."
    )


def test_a_force_that_was_not_needed_is_no_force(registry, add):
    add(gates=[PASSED])
    registry.promote("tips", 1, force_reason="In case.")
    assert registry.history("tips")[-1].reason == "In case."


def test_force_does_not_replace_an_approval_in_a_team(team, add):
    add(gates=[FAILED])
    with pytest.raises(GateError, match="no one other than ada"):
        team.promote("tips", 1, actor="ada", force_reason="Please.")


def test_in_a_single_user_store_the_promoters_yes_is_recorded(registry, add):
    add()
    registry.promote("tips", 1, actor="ada", reason="Good.")
    assert [(a.actor, a.approved, a.reason) for a in registry.approvals("tips", 1)] == [
        ("ada", True, "Good.")
    ]


@pytest.mark.parametrize("name", ["ada", "Ada", " ADA ", "\uff21da"])
def test_in_a_team_the_trainer_may_not_approve_however_spelt(team, add, name):
    add()
    with pytest.raises(GateError, match="trained tips@1 and may not approve it"):
        team.approve("tips", 1, actor=name, reason="Mine.")
    assert team.approvals("tips", 1) == []


def test_in_a_team_another_ones_yes_opens_the_gate(team, add):
    add()
    team.approve("tips", 1, actor="bob", reason="Looked at the slices.")
    assert team.promote("tips", 1, actor="ada").stage is Stage.PRODUCTION


def test_a_yes_counts_for_its_version_only(team, add):
    add(), add()
    team.approve("tips", 1, actor="bob", reason="Good.")
    with pytest.raises(GateError, match=r"tips@2 may not go to production"):
        team.promote("tips", 2, actor="ada")


def test_a_trainers_yes_from_single_user_days_does_not_count_in_a_team(store, registry, add):
    add()
    registry.approve("tips", 1, actor="ada", reason="Mine.")
    store.metadata.settings.set("single_user", "false")
    with pytest.raises(GateError, match="no one other than ada"):
        registry.promote("tips", 1, actor="ada")


@pytest.mark.parametrize("reason", ["", "  "])
def test_approval_and_rejection_need_a_reason(registry, add, reason):
    add()
    with pytest.raises(ParameterError, match="An approval needs a reason"):
        registry.approve("tips", 1, reason=reason)
    with pytest.raises(ParameterError, match="A rejection needs a reason"):
        registry.reject("tips", 1, reason=reason)


def test_rejected_is_final(registry, add):
    add()
    rejected = registry.reject("tips", 1, actor="bob", reason="Leaks.")
    assert rejected.stage is Stage.REJECTED
    assert [(a.actor, a.approved) for a in registry.approvals("tips", 1)] == [("bob", False)]
    for move in (
        lambda: registry.promote("tips", 1),
        lambda: registry.archive("tips", 1),
        lambda: registry.approve("tips", 1, reason="Again."),
    ):
        with pytest.raises(ConflictError, match=r"tips@1 is rejected and cannot move"):
            move()
    with pytest.raises(ConflictError, match="rejected already"):
        registry.reject("tips", 1, reason="Twice.")


def test_promote_without_a_number_skips_rejected_versions(registry, add):
    add(), add()
    registry.reject("tips", 2, reason="Leaks.")
    assert registry.promote("tips").version == 1
    add()
    registry.reject("tips", 3, reason="Leaks.")
    with pytest.raises(ConflictError, match="tips@1 is in production already"):
        registry.promote("tips")


def test_when_all_are_rejected_there_is_nothing_to_promote(registry, add):
    add()
    registry.reject("tips", 1, reason="Leaks.")
    with pytest.raises(NotFoundError, match="All 1 versions of 'tips' are rejected"):
        registry.promote("tips")


def test_production_cannot_be_rejected_and_the_way_out_is_named(registry, add):
    add()
    registry.promote("tips", 1)
    with pytest.raises(ConflictError, match=r"penstock rollback tips\. Then: penstock reject"):
        registry.reject("tips", 1, reason="Bad.")


def test_promoting_to_another_stage_is_refused(registry, add):
    add()
    with pytest.raises(ParameterError, match="not promoted to archived"):
        registry.promote("tips", 1, to=Stage.ARCHIVED)


def test_a_version_taken_out_of_production_comes_back_by_rollback_only(registry, add):
    add(), add()
    registry.promote("tips", 1)
    registry.promote("tips", 2)
    registry.rollback("tips", actor="ada")
    with pytest.raises(ConflictError, match="penstock rollback tips --to 2"):
        registry.promote("tips")
    assert registry.champion("tips").version == 1


def test_a_version_archived_unused_can_still_be_promoted(registry, add):
    add()
    registry.archive("tips", 1, reason="Not now.")
    assert registry.promote("tips", 1).stage is Stage.PRODUCTION


def test_rollback_twice_returns_to_the_start(registry, add):
    add(), add(), add()
    for number in (1, 2, 3):
        registry.promote("tips", number)
    before = stages(registry)
    back = registry.rollback("tips", actor="ada", reason="Errors.")
    assert (back.version, back.stage) == (2, Stage.PRODUCTION)
    assert registry.rollback("tips", expected=2).version == 3
    assert stages(registry) == before
    assert registry.history("tips")[-3].reason == "Errors."


def test_a_second_rollback_within_a_minute_names_what_is_to_go(clock, registry, add):
    for number in (1, 2):
        add()
        registry.promote("tips", number)
    registry.rollback("tips", actor="ana", reason="complaints")
    at = registry.history("tips")[-1].at
    set_clock(lambda: at + timedelta(seconds=59))
    told = r"tips@1 was brought back a moment ago by ana: complaints.*--expected 1"
    with pytest.raises(ConflictError, match=told):
        registry.rollback("tips", actor="ben", reason="complaints")
    assert registry.champion("tips").version == 1
    set_clock(lambda: at + timedelta(minutes=1))
    assert registry.rollback("tips").version == 2
    assert registry.rollback("tips", to=1).version == 1
    assert registry.rollback("tips", expected=1).version == 2


def test_rollback_to_a_version_of_choice(registry, add):
    for number in (1, 2, 3):
        add()
        registry.promote("tips", number)
    add()
    assert registry.rollback("tips", to=1).version == 1
    with pytest.raises(ConflictError, match="tips@1 is in production already"):
        registry.rollback("tips", to=1)
    with pytest.raises(ParameterError, match=r"tips@4 was never in production.*penstock promote"):
        registry.rollback("tips", to=4)
    with pytest.raises(NotFoundError, match=r"no version 9\. It was in production: 1, 2, 3\."):
        registry.rollback("tips", to=9)


def test_a_version_archived_and_brought_back_is_not_rolled_back_to_itself(registry, add):
    add()
    registry.promote("tips", 1)
    registry.archive("tips", 1)
    registry.rollback("tips")
    with pytest.raises(ConflictError, match=r"tips@1 is the first version"):
        registry.rollback("tips", expected=1)
    add()
    registry.promote("tips", 2)
    registry.archive("tips", 2)
    back = [registry.rollback("tips", expected=expected).version for expected in (None, 2, 1)]
    assert back == [2, 1, 2]


def test_there_is_nothing_to_roll_back_to(registry, add):
    add()
    with pytest.raises(ConflictError, match=r"No version of 'tips' was ever in production"):
        registry.rollback("tips")
    registry.promote("tips", 1)
    with pytest.raises(
        ConflictError, match=r"tips@1 is the first version.*penstock promote tips@VERSION"
    ):
        registry.rollback("tips")


def test_rollback_brings_back_what_was_archived_by_hand(registry, add):
    add()
    registry.promote("tips", 1)
    registry.archive("tips", 1, actor="ada")
    assert registry.champion("tips") is None
    assert registry.rollback("tips").version == 1


def test_an_automatic_rollback_names_the_version_that_is_to_go(registry, add):
    add(), add()
    registry.promote("tips", 1)
    registry.promote("tips", 2)
    registry.rollback("tips", expected=2)
    with pytest.raises(ConflictError, match=r"tips@2 is not in production: tips@1 is"):
        registry.rollback("tips", expected=2)
    assert registry.champion("tips").version == 1


def test_rollback_asks_for_no_approval_in_a_team(team, add):
    for number in (1, 2):
        add()
        team.approve("tips", number, actor="bob", reason="Good.")
        team.promote("tips", number, actor="ada")
    assert team.rollback("tips", actor="eve").version == 1


def test_history_tells_what_was_in_production_when(clock, registry, add):
    add(), add()
    before = clock.time
    registry.promote("tips", 1, actor="bob", reason="First.")
    during = clock.time
    registry.promote("tips", 2, actor="ada")
    answer = registry.production_at("tips", during)
    assert (answer.version, answer.actor, answer.approved_by) == (1, "bob", ("bob",))
    assert answer.until == registry.history("tips")[-1].at
    assert "tips@1 was in production: put there by bob" in answer.sentence
    assert "(First); approved by bob." in answer.sentence
    assert answer.to_json()["version"] == 1
    assert registry.production_at("tips", before).version is None
    assert "no version of 'tips'" in registry.production_at("tips", before).sentence
    assert registry.production_at("tips", "2030-01-01").version == 2
    assert registry.production_at("tips", "2030-01-01").until is None
    assert len(registry.history("tips", at=before)) == 2


def test_history_at_agrees_with_the_store(clock, store, registry, add):
    add(), add()
    registry.promote("tips", 1)
    registry.promote("tips", 2)
    registry.rollback("tips")
    registry.archive("tips", 1)
    for event in registry.history("tips"):
        expected = store.metadata.models.version_at("tips", Stage.PRODUCTION, event.at)
        assert registry.production_at("tips", event.at).version == expected


def test_a_time_that_is_none_is_refused(registry, add):
    add()
    with pytest.raises(ParameterError, match="'noon' is no time"):
        registry.production_at("tips", "noon")


def test_gates_are_stored_though_someone_else_changed_the_version(store, registry, add):
    add(gates=[PENDING])
    stale = registry.get("tips", 1)
    registry.record_gates("tips", 1, [PENDING, PASSED])
    changed = change_version(store.metadata, stale, gates=(PENDING, PASSED))
    assert changed.gates == (PENDING, PASSED)
    assert changed.revision == stale.revision + 2


def test_gates_cannot_be_erased_and_every_answer_stays_in_the_history(registry, add):
    add(gates=[FAILED])
    for fewer in ([], [PASSED]):
        with pytest.raises(ParameterError, match="would be erased"):
            registry.record_gates("tips", 1, fewer)
    better = GateResult(FAILED.gate, GateState.PASSED, "measured again")
    registry.record_gates("tips", 1, [better], actor="eve")
    last = registry.history("tips")[-1]
    assert (last.actor, last.from_stage, last.to_stage) == ("eve", Stage.NONE, Stage.NONE)
    assert last.reason == f"Gates judged: '{FAILED.gate}' passed: measured again"
    assert registry.verify_history("tips") is None


def test_gates_are_not_erased_below_the_registry_either(store, registry, add):
    made = add(gates=[FAILED])
    with pytest.raises(ParameterError, match="would be erased"):
        store.metadata.models.update_version("tips", 1, expected_revision=made.revision, gates=())


def test_approvals_and_the_stores_users_stand_in_the_audited_history(store, team, add):
    add()
    team.approve("tips", 1, actor="bob", reason="Looked at it.")
    assert [(e.actor, e.reason) for e in team.history("tips")][1:] == [
        ("bob", "Approved: Looked at it.")
    ]
    store.metadata.settings.set("single_user", "true", actor="eve")
    store.metadata.settings.set("single_user", "true", actor="eve")
    assert [(e.actor, e.reason) for e in team.store_history()][1:] == [
        ("eve", "Setting single_user: false -> true")
    ]
    assert team.verify_history("tips") is None


def test_remarks_do_not_change_who_put_a_version_into_production(clock, store, registry, add):
    add(gates=[PASSED])
    promoted = registry.promote("tips", 1, actor="ada")
    at = registry.history("tips")[-1].at
    registry.approve("tips", 1, actor="bob", reason="Late.")
    found = registry.production_at("tips", clock())
    assert (found.version, found.actor, found.since) == (promoted.version, "ada", at)
    assert store.metadata.models.version_at("tips", Stage.PRODUCTION, clock()) == 1


def test_a_bad_former_champion_is_rejected_and_no_rollback_brings_it_back(registry, add):
    for number in (1, 2, 3):
        add()
        registry.promote("tips", number)
    registry.rollback("tips", expected=3)
    registry.reject("tips", 3, reason="Answers nonsense.")
    assert registry.rollback("tips", expected=2).version == 1
    with pytest.raises(ConflictError, match=r"tips@3 is rejected"):
        registry.rollback("tips", to=3)
    registry.reject("tips", 2, reason="Worse.")
    with pytest.raises(ConflictError, match=r"Every other version .* is rejected: 2, 3"):
        registry.rollback("tips", expected=1)


def a_rollout(store, version, control, state="running"):
    rollout = RolloutRecord(
        RolloutState(state),
        version,
        control,
        steps=(30, 100),
        rules=RolloutRules(),
        started_at=now(),
        step_started_at=now(),
    )
    weights = {version: 0.3, control: 0.7}
    record = DeploymentRecord(
        "tips", "tips", DeploymentState.LIVE, weights, control, now(), rollout=rollout
    )
    return store.metadata.deployments.save(record, expected_generation=None)


@pytest.mark.parametrize("way", ["reject", "archive"])
@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_version_taken_out_loses_its_traffic_in_the_same_transaction(
    store, registry, add, way, state
):
    add(), add()
    registry.promote("tips", 1)
    before = a_rollout(store, 2, 1, state)
    seen = store.metadata.settings.change_counter()
    getattr(registry, way)("tips", 2, reason="Bad.", actor="ana")
    after = store.metadata.deployments.get("tips")
    assert dict(after.weights) == {1: 1.0}
    assert (after.rollout.state, after.generation) == ("rolled_back", before.generation + 1)
    assert store.metadata.settings.change_counter() > seen
    (event,) = store.metadata.deployments.list_events("tips")
    assert event.kind == "rolled_back"
    assert "by ana: Bad." in event.message


def test_another_versions_rollout_is_left_alone(store, registry, add):
    for _ in range(3):
        add()
    registry.promote("tips", 1)
    before = a_rollout(store, 2, 1)
    registry.reject("tips", 3, reason="Bad.")
    assert store.metadata.deployments.get("tips") == before


def test_a_production_version_that_answers_requests_is_not_archived(store, registry, add):
    add()
    registry.promote("tips", 1)
    a_rollout(store, 2, 1, "rolled_back")
    with pytest.raises(ConflictError, match="deployment 'tips' serves it"):
        registry.archive("tips", 1)
    assert registry.champion("tips").version == 1


def test_a_version_may_be_asked_whether_it_could_be_promoted(team, add):
    add(gates=[PASSED]), add(gates=[FAILED])
    with pytest.raises(GateError, match=r"tips@2 may not go to production"):
        team.require_promotable("tips")
    with pytest.raises(GateError, match="no one other than ada"):
        team.require_promotable("tips", 1)
    team.approve("tips", 1, actor="bob", reason="Good.")
    assert team.require_promotable("tips", 1).version == 1
    team.promote("tips", 1)
    with pytest.raises(ConflictError, match="in production already"):
        team.require_promotable("tips", 1)
