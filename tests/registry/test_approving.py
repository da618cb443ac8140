"""Approvals: N people other than the trainer, bound to what they saw, for a time, by identity."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from penstock.core import (
    AccessError,
    GateError,
    GateResult,
    GateState,
    ModelVersionRecord,
    ParameterError,
    SignInError,
    Stage,
    use_identity,
)
from penstock.people import TOKEN_VARIABLE, Authenticator, Projects, Tokens, Users
from penstock.registry import (
    ApprovalRules,
    Registry,
    get_approval_rules,
    judge_approvals,
    set_approval_rules,
)
from penstock.registry._approving import new_approval
from penstock.stores import open_store
from penstock.testing._records import a_version

AT = datetime(2026, 1, 31, tzinfo=UTC)
RULES = ApprovalRules()


def version(**changes) -> ModelVersionRecord:
    gates = (GateResult("auc >= 0.7", GateState.PASSED, ""),)
    return replace(a_version(), trained_by="ada", gates=gates, report="r1", **changes)


def approved(*actors, of=None, rules=RULES, attested=""):
    return [new_approval(of or version(), who, "ok", rules, attested=attested) for who in actors]


def test_people_count_once_and_the_trainer_never():
    given = approved("bob", "ada", "Bob ", "ÀDA", "eve", "ada")
    state = judge_approvals(version(), given, replace(RULES, needed=2))
    assert [each.actor for each in state.counted] == ["Bob ", "ÀDA", "eve"]
    assert state.is_enough
    assert state.refused == ("The approval by ada does not count: the version is theirs.",)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"content_digest": "other"}, "another content"),
        ({"report": "r2"}, "gates or the report have changed"),
        ({"gates": ()}, "gates or the report have changed"),
        (
            {"gates": (GateResult("auc >= 0.6", GateState.PASSED, ""),)},
            "gates or the report have changed",
        ),
    ],
)
def test_what_changes_after_an_approval_voids_it(change, why):
    state = judge_approvals(replace(version(), **change), approved("bob"), RULES)
    assert state.counted == ()
    assert why in state.refused[0]


def test_a_gate_that_was_pending_and_passes_voids_nothing():
    pending = version()
    pending = replace(pending, gates=(replace(pending.gates[0], state=GateState.PENDING),))
    assert judge_approvals(version(), approved("bob", of=pending), RULES).is_enough


def test_an_approval_expires():
    given = approved("bob", rules=replace(RULES, expires_after=timedelta(days=1)))
    before, after = (given[0].at + timedelta(days=days) for days in (0.9, 1.1))
    assert judge_approvals(version(), given, RULES, at=before).is_enough
    state = judge_approvals(version(), given, RULES, at=after)
    assert "has expired on" in state.refused[0]


def test_an_approval_of_before_these_rules_counts():
    old = replace(approved("bob")[0], version_digest=None, gates_digest=None, expires_at=None)
    assert judge_approvals(version(), [old], RULES).is_enough


def test_with_users_a_name_alone_does_not_count():
    given = approved("bob") + approved("eve", attested="token pst_1")
    state = judge_approvals(version(), given, RULES, attested_only=True)
    assert [each.actor for each in state.counted] == ["eve"]
    assert state.refused == ("The approval by bob does not count: nobody checked who gave it.",)


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@pytest.fixture
def team(store):
    """A version of ada's; bob and eve approve, pat approves another team's models."""
    store.metadata.models.create_version(a_version("big-tips"), actor="ada")
    Projects(store=store).add("tips", names=["big-*"])
    Projects(store=store).add("other")
    users = Users(store=store)
    users.add("root", role="admin")
    for name, role, project in (
        ("ada", "trainer", "tips"),
        ("bob", "approver", "tips"),
        ("eve", "approver", "tips"),
        ("pat", "approver", "other"),
    ):
        users.add(name, role=role, project=project)
    return store


def signed_in(store, name):
    return use_identity(
        Authenticator(store=store).of_token(Tokens(store=store).create(name).secret)
    )


def test_with_users_an_approval_is_of_who_has_signed_in(team):
    registry = Registry(store=team)
    with pytest.raises(SignInError, match="nobody has signed in"):
        registry.approve("big-tips", 1, actor="bob", reason="ok")
    for who in ("ada", "pat"):
        with signed_in(team, who), pytest.raises(AccessError, match="no permission to approve"):
            registry.approve("big-tips", 1, reason="ok")
    with signed_in(team, "bob"):
        with pytest.raises(AccessError, match="'bob' cannot decide as 'eve'"):
            registry.approve("big-tips", 1, actor="eve", reason="ok")
        given = registry.approve("big-tips", 1, reason="ok")
    assert given.actor == "bob"
    assert given.attested.startswith("token pst_")
    assert registry.approval_state("big-tips", 1).is_enough


def test_a_token_in_the_environment_signs_in(team, monkeypatch):
    secret = Tokens(store=team).create("bob").secret
    monkeypatch.setenv(TOKEN_VARIABLE, secret.reveal())
    assert Registry(store=team).approve("big-tips", 1, reason="ok").actor == "bob"
    monkeypatch.setenv(TOKEN_VARIABLE, "pst_wrong")
    with pytest.raises(SignInError, match="not known here"):
        Registry(store=team).approve("big-tips", 1, reason="ok")


def test_a_trainer_who_may_approve_does_not_approve_their_own(team):
    Users(store=team).grant("ada", "approver", project="tips")
    with signed_in(team, "ada"), pytest.raises(GateError, match="'ada' trained big-tips@1"):
        Registry(store=team).approve("big-tips", 1, reason="ok")


def test_a_rejection_is_of_who_has_signed_in(team):
    with pytest.raises(SignInError):
        Registry(store=team).reject("big-tips", 1, actor="bob", reason="leaks")
    with signed_in(team, "bob"):
        Registry(store=team).reject("big-tips", 1, reason="leaks")
    assert Registry(store=team).get("big-tips", 1).stage is Stage.REJECTED


def test_two_people_are_asked_for_where_the_store_says_so(team):
    set_approval_rules(needed=2, expires_after="3d", actor="root", store=team)
    assert get_approval_rules(store=team) == ApprovalRules(2, timedelta(days=3))
    registry = Registry(store=team)
    with signed_in(team, "bob"):
        given = registry.approve("big-tips", 1, reason="ok")
        registry.approve("big-tips", 1, reason="ok, again")
    assert given.expires_at - given.at == timedelta(days=3)
    assert not registry.approval_state("big-tips", 1).is_enough
    with signed_in(team, "eve"):
        registry.approve("big-tips", 1, reason="ok")
    assert registry.approval_state("big-tips", 1).is_enough
    changes = [event.reason for event in registry.store_history()]
    assert "Setting approvals_needed: not set -> 2" in changes


@pytest.mark.parametrize("options", [{"needed": 0}, {"needed": 21}, {"expires_after": "0s"}])
def test_rules_that_make_no_sense_are_refused(store, options):
    with pytest.raises(ParameterError):
        set_approval_rules(**options, store=store)
    assert get_approval_rules(store=store) == ApprovalRules()
