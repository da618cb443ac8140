"""What a raw operation cannot do: every way past a gate is judged by the server (decision 0068)."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import httpx
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from tests.server.serving import serving

from penstock.core import (
    AccessError,
    ApprovalRecord,
    DecisionRecord,
    DeploymentRecord,
    DeploymentState,
    GateError,
    GateResult,
    GateState,
    HookRecord,
    Identity,
    ModelVersionRecord,
    Permission,
    RunRecord,
    Stage,
    StageEvent,
    StepState,
    now,
    tls_context,
    use_identity,
)
from penstock.data import split_table
from penstock.evaluation import evaluate
from penstock.hooks import Webhooks
from penstock.models import Model, infer_signature
from penstock.people import Projects, Tokens, Users
from penstock.registry import Registry
from penstock.server._app import users_of
from penstock.stores import open_store
from penstock.stores.rest._wire import wire_of
from penstock.testing._records import a_prediction, a_rollout, a_run, a_step

PEOPLE = {
    "ada": ("trainer",),
    "bob": ("approver",),
    "opa": ("operator",),
    "max": ("trainer", "approver", "operator"),
    "root": ("admin",),
}


@pytest.fixture(scope="module")
def trained():
    """A fitted model, its signature, and a report with accuracy 1.0 on rows that it tells apart."""
    rows = pl.DataFrame({"first": [-2.0, 2.0] * 60, "label": ["no", "yes"] * 60})
    split = split_table(rows, target="label")
    model = LogisticRegression().fit(split.train.X, split.train.y)
    return (
        Model(model, infer_signature(model, split.test.X, split.test.y)),
        evaluate(model, split, resamples=5),
    )


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        yield store


@pytest.fixture
def ask(store):
    """Send a raw operation as someone: ``ask("opa", "models/move-stages", moves=…)``."""
    users, tokens, keys = Users(store=store), Tokens(store=store), {}
    Projects(store=store).add("tips")
    users.add("first", role="admin")
    for name, roles in PEOPLE.items():
        users.add(name)
        for role in roles:
            users.grant(name, role)
        keys[name] = tokens.create(name).secret.reveal()
    with (
        serving(store, authenticate=users_of(store)) as url,
        httpx.Client(base_url=f"{url}/api/v1/", verify=tls_context(url)) as client,
    ):

        def send(who, path, key="", **arguments):
            body = {name: plain(value) for name, value in arguments.items()}
            headers = {"authorization": f"Bearer {keys[who]}"} | (
                {"idempotency-key": key} if key else {}
            )
            return client.post(path, json=body, headers=headers)

        yield send


def plain(value):
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return wire_of(type(value)).write(value) if hasattr(value, "__dataclass_fields__") else value


@pytest.fixture
def register(store, trained):
    """Register a version of tips that ada trained: ``register("accuracy >= 0.9")``."""
    store.metadata.runs.create(a_run(run_id="r1", user="ada"))
    (model, report), strengths = trained, count(1)

    def make(*gates, **options):
        given = {"report": report, "run_id": "r1", "actor": "ada", "onnx": False} | options
        claimed = [GateResult(each, GateState.PASSED, "because I say so") for each in gates]
        # Each has a model of its own: the same one of the same run is one version.
        estimator = LogisticRegression(C=next(strengths))
        frame = pl.DataFrame({"first": [-2.0, 2.0]})
        own = Model(estimator.fit(frame, ["no", "yes"]), model.signature)
        return Registry(store=store).register("tips", own, gates=claimed, **given)

    return make


def a_move(version, to, **changes):
    move = StageEvent("tips", version.version, version.stage, to, "nobody", "raw", now())
    return replace(move, **changes)


def move(ask, who, version, to, **more):
    revision = {str(version.version): version.revision}
    return ask(who, "models/move-stages", moves=[a_move(version, to)], expected=revision, **more)


def approve(store, version, who="bob"):
    identity = Identity(who, {"*": frozenset({Permission.APPROVE})}, attested="token pst_x")
    with use_identity(identity):
        return Registry(store=store).approve("tips", version.version, reason="Seen.")


def refused(answer, words, kind="GateError"):
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (409, kind), answer.text
    assert words in str(error), error
    return True


def stage(store, number=1):
    return store.metadata.models.get_version("tips", number).stage


# Moves


def test_a_raw_move_passes_no_gate_that_failed_whatever_results_it_brings(ask, store, register):
    version = register("accuracy >= 2")
    approve(store, version)
    fresh = store.metadata.models.get_version("tips", 1)
    claim = [GateResult("accuracy >= 2", GateState.PASSED, "trust me")]
    assert refused(
        move(ask, "opa", fresh, Stage.PRODUCTION, gates={"1": plain(claim)}), "accuracy >= 2"
    )
    assert stage(store) is Stage.NONE


def test_a_raw_move_passes_no_missing_approval(ask, store, register):
    version = register("accuracy >= 0.9")
    assert refused(move(ask, "opa", version, Stage.PRODUCTION), "approved")
    # Nor with an approval that is sent along: opa does not approve, and max registered nothing.
    yes = ApprovalRecord("tips", 1, "bob", True, "fine", now(), attested="token pst_bob")
    assert move(ask, "opa", version, Stage.PRODUCTION, approvals=[yes]).status_code == 403
    assert refused(move(ask, "max", version, Stage.PRODUCTION, approvals=[yes]), "approved")
    assert (stage(store), store.metadata.models.list_approvals("tips", 1)) == (Stage.NONE, [])


def test_a_judged_move_has_the_servers_results_time_and_actor(ask, store, register):
    version = register("accuracy >= 0.9")
    approve(store, version)
    old = now() - timedelta(days=400)
    sent = a_move(version, Stage.PRODUCTION, at=old, actor="eve")
    answer = ask("opa", "models/move-stages", moves=[sent], expected={"1": version.revision})
    assert answer.status_code == 200, answer.text
    [gate] = store.metadata.models.get_version("tips", 1).gates
    assert gate.state is GateState.PASSED
    assert "1.0" in gate.reason
    event = store.metadata.models.list_stage_events("tips")[-1]
    assert (event.actor, event.to_stage) == ("opa", Stage.PRODUCTION)
    assert now() - event.at < timedelta(minutes=5)


def test_only_an_admin_forces_and_the_audit_trail_has_it(ask, store, register):
    version = register("accuracy >= 2")
    approve(store, version)
    version = store.metadata.models.get_version("tips", 1)
    assert move(ask, "max", version, Stage.PRODUCTION, forced=True).status_code == 403
    assert move(ask, "root", version, Stage.PRODUCTION, forced=True).status_code == 200
    record = store.metadata.audit.list()[0]
    assert (record.actor, record.action, record.subject) == ("root", "version.force", "tips@1")
    assert record.facts["gates"] == ["accuracy >= 2"]


def test_no_force_replaces_an_approval(ask, store, register):
    version = register("accuracy >= 2")
    assert refused(move(ask, "root", version, Stage.PRODUCTION, forced=True), "approved")


def test_an_operator_with_an_identity_does_not_force_in_python_either(store, register):
    register("accuracy >= 2")
    opa = Identity("opa", {"*": frozenset({Permission.OPERATE})}, attested="session pss_1")
    with use_identity(opa), pytest.raises(AccessError, match="admin"):
        Registry(store=store).promote("tips", 1, force_reason="Now.")


def test_a_rollback_needs_no_gate_and_reaches_only_what_was_in_production(ask, store, register):
    register()
    register("accuracy >= 2")
    registry = Registry(store=store)
    for number in (1, 2):
        approve(store, registry.get("tips", number))
        registry.promote("tips", number, force_reason="For this test.")
    registry.archive("tips", register().version)
    one, two, three = registry.list("tips")
    # Never in production: archived or not, it is judged as a promotion.
    assert refused(move(ask, "opa", three, Stage.PRODUCTION), "approved")
    moves = [a_move(two, Stage.ARCHIVED), a_move(one, Stage.PRODUCTION)]
    expected = {"1": one.revision, "2": two.revision}
    answer = ask("opa", "models/move-stages", moves=moves, expected=expected)
    assert answer.status_code == 200, answer.text
    one, two, _ = registry.list("tips")
    moves = [a_move(one, Stage.ARCHIVED), a_move(two, Stage.PRODUCTION)]
    expected = {"1": one.revision, "2": two.revision}
    assert ask("opa", "models/move-stages", moves=moves, expected=expected).status_code == 200
    assert registry.champion("tips").version == 2


def test_a_repeated_move_gets_its_first_answer_although_it_is_possible_no_more(
    ask, store, register
):
    version = register()
    approve(store, version)
    sent = a_move(version, Stage.PRODUCTION)
    for _ in range(3):
        answer = ask(
            "opa",
            "models/move-stages",
            key="k1",
            moves=[sent],
            expected={"1": version.revision},
        )
        assert (answer.status_code, answer.json()) == (200, {"result": None})
    entries = [each for each in store.metadata.models.list_stage_events("tips")
               if each.to_stage is Stage.PRODUCTION]  # fmt: skip
    assert len(entries) == 1
    again = ask(
        "opa", "models/move-stages", key="k2", moves=[sent], expected={"1": version.revision}
    )
    assert refused(again, "revision", "ConflictError")


def test_moves_of_two_models_or_of_none_are_refused(ask, register):
    version = register()
    other = a_move(version, Stage.STAGING, model="other")
    for moves in ([], [a_move(version, Stage.STAGING), other]):
        answer = ask("opa", "models/move-stages", moves=moves, expected={"1": version.revision})
        assert answer.status_code in {400, 403}


def test_a_rejection_ends_rollouts_though_it_says_nothing_of_them(ask, store, register):
    one, two = register(), register()
    registry = Registry(store=store)
    approve(store, one)
    registry.promote("tips", 1)
    rollout = a_rollout(version=2, control=1)
    saved = DeploymentRecord(
        "tips", "tips", DeploymentState.LIVE, {1: 0.75, 2: 0.25}, 1, now(), rollout=rollout
    )
    store.metadata.deployments.save(saved, expected_generation=None)
    two = registry.get("tips", 2)
    assert move(ask, "bob", two, Stage.REJECTED).status_code == 200
    assert store.metadata.deployments.get("tips").weights == {1: 1.0}
    # And what answers requests is not archived without a successor.
    assert refused(
        move(ask, "opa", registry.get("tips", 1), Stage.ARCHIVED), "serves it", "ConflictError"
    )


def test_a_rejection_beside_a_promotion_ends_rollouts_too(ask, store, register):
    for _ in range(3):
        approve(store, register())
    registry = Registry(store=store)
    registry.promote("tips", 1)
    rollout = a_rollout(version=3, control=1)
    saved = DeploymentRecord(
        "tips", "tips", DeploymentState.LIVE, {1: 0.75, 3: 0.25}, 1, now(), rollout=rollout
    )
    store.metadata.deployments.save(saved, expected_generation=None)
    one, two, three = registry.list("tips")
    moves = [
        a_move(one, Stage.ARCHIVED),
        a_move(two, Stage.PRODUCTION),
        a_move(three, Stage.REJECTED),
    ]
    expected = {str(each.version): each.revision for each in (one, two, three)}
    answer = ask("max", "models/move-stages", moves=moves, expected=expected)
    assert answer.status_code == 200, answer.text
    ended = store.metadata.deployments.get("tips")
    assert (ended.weights, ended.control) == ({2: 1.0}, 2)
    assert not ended.rollout.is_open


# Approvals


def test_the_trainer_approves_nothing_though_also_an_approver(ask, store, register):
    register(actor="bob")
    store.metadata.runs.create(a_run(run_id="r2", user="max"))
    register(run_id="r2", actor="bob")
    yes = ApprovalRecord("tips", 2, "bob", True, "fine", now())
    assert refused(ask("max", "models/add-approval", approval=yes), "'max' trained tips@2")


def test_whoever_registered_a_version_under_the_run_of_another_does_not_approve_it(
    ask, store, register
):
    version = register(actor="max")  # the run is ada's
    yes = ApprovalRecord("tips", 1, "max", True, "fine", now())
    assert refused(ask("max", "models/add-approval", approval=yes), "'max' registered tips@1")
    # Nor does one count that came in otherwise.
    with use_identity(Identity("max", {}, attested="token pst_1")):
        store.metadata.models.add_approval(yes)
    assert refused(move(ask, "opa", version, Stage.PRODUCTION), "they registered the version")


def test_an_approval_is_bound_by_the_server(ask, store, register):
    version = register("accuracy >= 0.9")
    far = now() + timedelta(days=9999)
    yes = ApprovalRecord("tips", 1, "eve", True, "fine", now() - timedelta(days=30), expires_at=far)
    assert ask("bob", "models/add-approval", approval=yes).status_code == 200
    [found] = store.metadata.models.list_approvals("tips", 1)
    assert (found.actor, found.attested[:10]) == ("bob", "token pst_")
    assert found.version_digest == version.content_digest
    assert found.gates_digest is not None
    assert found.expires_at - found.at == timedelta(days=14)
    assert now() - found.at < timedelta(minutes=5)


def test_an_approval_of_something_else_is_a_conflict(ask, store, register):
    version = register()
    yes = ApprovalRecord("tips", 1, "bob", True, "fine", now(), version.content_digest, "sha256:0")
    assert refused(ask("bob", "models/add-approval", approval=yes), "others", "ConflictError")
    assert store.metadata.models.list_approvals("tips", 1) == []


def test_an_approval_does_not_survive_a_change_of_the_report(ask, store, register):
    version = register("accuracy >= 0.9")
    approve(store, version)
    other = store.put({"metrics": {"accuracy": 1.0}}).digest
    version = store.metadata.models.get_version("tips", 1)
    change = {"model": "tips", "version": 1, "expected_revision": version.revision}
    assert ask("ada", "models/update-version", **change, report=other).status_code == 200
    version = store.metadata.models.get_version("tips", 1)
    answer = move(ask, "opa", version, Stage.PRODUCTION)
    assert refused(answer, "the gates or the report have changed since")
    assert "no evaluation report" in answer.text
    change["expected_revision"] = version.revision
    assert ask("ada", "models/update-version", **change, report=None).status_code == 400


def test_a_step_is_decided_by_someone_else_and_only_while_it_waits(ask, store):
    store.metadata.runs.create(a_run(run_id="r9", user="max"))
    waits = a_step("r9", "ask")
    store.metadata.steps.start(waits)
    yes = DecisionRecord("r9", "ask", True, "eve", "fine", now())
    assert refused(ask("bob", "steps/add-decision", decision=yes), "is running", "ConflictError")
    store.metadata.steps.finish(replace(waits, state=StepState.QUEUED))
    assert refused(ask("max", "steps/add-decision", decision=yes), "cannot approve it")
    assert ask("bob", "steps/add-decision", decision=yes).status_code == 200
    assert [each.actor for each in store.metadata.steps.list_decisions("r9")] == ["bob"]


# What gates and approvals rest on


def test_no_version_begins_in_production(ask, store, register):
    version = replace(register(), stage=Stage.PRODUCTION, run_id=None)
    answer = ask("ada", "models/create-version", version=version, actor="ada")
    assert answer.status_code == 400
    assert len(store.metadata.models.list_versions("tips")) == 1


def test_a_gate_without_a_report_did_not_pass_because_its_trainer_says_so(ask, store, register):
    model = register()
    passed = GateResult("safety == checked", GateState.PASSED, "by hand")
    own = ModelVersionRecord(
        "other", 0, Stage.NONE, None, "eve", model.artifact, model.content_digest, now(),
        gates=(passed,),
    )  # fmt: skip
    assert ask("ada", "models/create-version", version=own, actor="x").status_code == 200
    found = store.metadata.models.get_version("other", 1)
    assert (found.trained_by, found.gates[0].state) == ("ada", GateState.PENDING)
    assert "ada says that it passed (by hand)" in found.gates[0].reason
    change = {"model": "other", "version": 1, "gates": plain([passed])}
    ask("ada", "models/update-version", **change, expected_revision=1)
    found = store.metadata.models.get_version("other", 1)
    assert found.gates[0].state is GateState.PENDING
    answer = ask("max", "models/update-version", **change, expected_revision=found.revision)
    assert answer.json()["result"]["gates"][0]["state"] == "passed"


def test_a_run_stays_its_users_and_so_does_what_it_trained(ask, store):
    run = a_run(run_id="r3")
    form = wire_of(RunRecord).write(run)
    assert ask("max", "runs/create", run=form).status_code == 200
    assert ask("max", "runs/update", run_id="r3", user="ghost").status_code == 400
    assert store.metadata.runs.get("r3").user == "max"


def test_what_promotions_ask_for_is_for_admins(ask, store):
    for name in ("approvals_needed", "approvals_expire_s", "single_user", "unsafe_models", "new"):
        assert ask("max", "settings/set", name=name, value="0").status_code == 403
    assert ask("max", "settings/set", name="trigger:tips:x", value="0").status_code == 200
    assert ask("root", "settings/set", name="approvals_needed", value="2").status_code == 200


def test_a_report_that_is_a_pickle_is_never_loaded(ask, store, register, tmp_path):
    version = register("accuracy >= 0.9")
    canary = tmp_path / "canary"
    evil = store.put({"facts": _Touch(str(canary)), "rows": pl.DataFrame({"a": [1]})})
    assert evil.unsafe
    canary.unlink(missing_ok=True)  # storing reads it back once
    store.metadata.models.update_version(
        "tips", 1, expected_revision=version.revision, report=evil.digest
    )
    version = store.metadata.models.get_version("tips", 1)
    approve(store, version)
    assert refused(move(ask, "opa", version, Stage.PRODUCTION), "more than data")
    assert not canary.exists()


class _Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return _touch, (self.path,)


def _touch(path):
    with open(path, "w") as file:  # noqa: PTH123 - short
        file.write("ran")
    return _Touch(path)


# Traffic


def a_deployment(weights, control=1, **changes):
    return DeploymentRecord(
        "tips", "tips", DeploymentState.PENDING, weights, control, now(), **changes
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": {2: 1.0}, "control": 2},
        {"weights": {1: 0.9, 2: 0.1}},
        {"weights": {1: 1.0}, "control": 2},
        {"weights": {1: 1.0}, "rollout": a_rollout(version=2, control=1)},
    ],
    ids=["all", "some", "control", "rollout"],
)
def test_no_traffic_for_a_version_that_could_not_be_promoted(ask, store, register, changes):
    one, _ = register(), register("accuracy >= 2")
    approve(store, one)
    Registry(store=store).promote("tips", 1)
    sent = ask(
        "opa", "deployments/save", deployment=a_deployment(**changes), expected_generation=None
    )
    assert refused(sent, "accuracy >= 2")
    assert store.metadata.deployments.list() == []


@pytest.mark.parametrize("share", ["NaN", -0.5, 2.0])
def test_shares_that_are_no_shares_are_refused(ask, store, register, share):
    one, _ = register(), register("accuracy >= 2")
    approve(store, one)
    Registry(store=store).promote("tips", 1)
    sent = plain(a_deployment({1: 1.0, 2: 0.0}))
    sent["weights"] = {"1": 1.0, "2": share}
    answer = ask("opa", "deployments/save", deployment=sent, expected_generation=None)
    assert answer.status_code in {400, 409}, answer.text
    assert store.metadata.deployments.list() == []


def test_traffic_for_what_may_be_promoted_and_less_traffic_for_all(ask, store, register):
    for _ in range(2):
        approve(store, register("accuracy >= 0.9"))
    Registry(store=store).promote("tips", 1)
    canary = a_deployment({1: 0.75, 2: 0.25}, rollout=a_rollout(version=2, control=1))
    answer = ask("opa", "deployments/save", deployment=canary, expected_generation=None)
    assert answer.status_code == 200, answer.text
    two = store.metadata.models.get_version("tips", 2)
    assert move(ask, "bob", two, Stage.REJECTED).status_code == 200
    generation = store.metadata.deployments.get("tips").generation
    back = a_deployment({1: 1.0})
    answer = ask("opa", "deployments/save", deployment=back, expected_generation=generation)
    assert answer.status_code == 200, answer.text


# Without users: one person, whom the server judges all the same


def test_a_store_of_one_person_is_judged_too(store, register):
    version = register("accuracy >= 2")
    body = {"moves": [plain(a_move(version, Stage.PRODUCTION))], "expected": {"1": 1}}
    body["expected"] = {"1": version.revision}
    with serving(store) as url:
        answer = httpx.post(f"{url}/api/v1/models/move-stages", json=body, verify=tls_context(url))
        assert refused(answer, "accuracy >= 2")
        with open_store(url) as there, pytest.raises(GateError, match="accuracy >= 2"):
            Registry(store=there).promote("tips", 1)
        with open_store(url) as there:
            Registry(store=there).promote("tips", 1, force_reason="It is mine.")
    assert stage(store) is Stage.PRODUCTION


def test_a_setting_belongs_to_the_project_of_its_pipeline_deployment_or_data_set(ask, store):
    Users(store=store).add("tia")
    Users(store=store).grant("tia", "admin", project="tips")
    key = Tokens(store=store).create("tia").secret.reveal()
    names = ("partitions:{}", "trigger:{}:retrain", "accepted rows 0123 of {}")
    with (
        serving(store, authenticate=users_of(store)) as url,
        httpx.Client(base_url=f"{url}/api/v1/", verify=tls_context(url)) as client,
    ):
        client.headers["authorization"] = f"Bearer {key}"

        def status(verb, **arguments):
            return client.post(f"settings/{verb}", json=arguments).status_code

        for name in names:
            assert status("set", name=name.format("tips"), value="x") == 200
            assert status("get", name=name.format("tips-2")) == 200
            for verb in ("set", "add"):
                assert status(verb, name=name.format("fraud"), value="x") == 403
            assert status("get", name=name.format("fraud")) == 403
        # The store's own are everybody's to read, and an admin's of all projects to change.
        assert status("get", name="approvals_needed") == 200
        assert status("set", name="approvals_needed", value="1") == 403
        assert status("set", name="trigger:tips", value="1") == 403
        assert status("change-counter") == 200
    assert store.metadata.settings.get("partitions:fraud") is None


def test_the_truth_of_anothers_prediction_is_answered_as_that_of_none(ask, store):
    Projects(store=store).add("fraud")
    store.metadata.predictions.add([a_prediction("p1", deployment="tips", model="tips")])
    store.metadata.predictions.add([a_prediction("p2", deployment="fraud", model="fraud")])
    Users(store=store).add("tio")
    Users(store=store).grant("tio", "operator", project="tips")
    key = Tokens(store=store).create("tio").secret.reveal()
    with serving(store, authenticate=users_of(store)) as url:
        answers = [
            httpx.post(
                f"{url}/api/v1/predictions/add-truth",
                json={"truth": {asked: "no"}, "at": now().isoformat()},
                headers={"authorization": f"Bearer {key}"},
            )
            for asked in ("p1", "p2", "p3")
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json() for answer in answers] == [
        {"result": []},
        {"result": ["p2"]},
        {"result": ["p3"]},
    ]
    assert store.metadata.predictions.get("p2").truth is None


def test_a_hooks_secret_is_written_and_never_read(ask, store):
    hook = HookRecord("crm", "https://crm.example/hook", "openlineage", "canary-key", ("*",), now())
    form = wire_of(HookRecord).write(hook)
    assert ask("opa", "hooks/save", hook=form).status_code == 200
    for verb, arguments in (("get", {"name": "crm"}), ("list", {})):
        for who in ("opa", "root"):
            answer = ask(who, f"hooks/{verb}", **arguments)
            assert answer.status_code == 200
            assert "canary" not in answer.text
            assert '"secret":"***"' in answer.text
    shown = ask("opa", "hooks/get", name="crm").json()["result"]
    assert ask("opa", "hooks/save", hook={**shown, "events": ["run.failed"]}).status_code == 200
    kept = store.metadata.hooks.get("crm")
    assert (kept.secret, kept.events) == ("canary-key", ("run.failed",))
    # Elsewhere the key would be sent to whoever answers there.
    moved = ask("opa", "hooks/save", hook={**shown, "url": "https://evil.example/hook"})
    assert moved.status_code == 400
    assert ask("opa", "hooks/save", hook={**shown, "name": "new"}).status_code == 400
    assert store.metadata.hooks.get("crm").url == "https://crm.example/hook"


def test_an_operator_over_http_neither_delivers_nor_tests_what_only_the_server_can_sign(
    ask, store, monkeypatch
):
    store.metadata.hooks.save(
        HookRecord("crm", "https://crm.example/hook", "webhook", "whsec_canary", ("*",), now())
    )
    store.metadata.runs.create(a_run(run_id="r9"))
    key = Tokens(store=store).create("opa").secret.reveal()
    monkeypatch.setenv("PENSTOCK_TOKEN", key)
    with serving(store, authenticate=users_of(store)) as url, open_store(url) as remote:
        hooks = Webhooks(store=remote)
        assert hooks.deliver() == 0
        with pytest.raises(AccessError, match="stays with the server"):
            hooks.test("crm")
        assert hooks.pause("crm").paused_at is not None
        assert hooks.resume("crm").paused_at is None
    assert store.metadata.hooks.get("crm").secret == "whsec_canary"
