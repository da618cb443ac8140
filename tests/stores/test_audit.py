"""Every operation that writes leaves a trace with its actor, or is data of a run and its like."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.core import (
    ApprovalRecord,
    AuditRecord,
    DecisionRecord,
    GrantRecord,
    HookRecord,
    Identity,
    ProjectRecord,
    ProofRecord,
    Role,
    ScheduleRecord,
    Stage,
    UserRecord,
    Verdict,
    now,
    use_identity,
)
from penstock.stores import STORE_HISTORY, open_store
from penstock.stores.rest import RULES
from penstock.testing._people_contract import a_token
from penstock.testing._records import a_deployment, a_move, a_run, a_version

ROOT = Identity("root", {}, attested="token pst_0")
HOOK = HookRecord("team", "https://hooks.example/s3cret", "webhook", "whsec_canary", ("*",), now())
PLAN = ScheduleRecord("nightly", "train", "p.py:train", {"cron": "0 3 * * *"}, now())
PROJECT = ProjectRecord("churn", ("churn-*",), now())
GRANT = GrantRecord("ada", "*", Role.VIEWER, "root", now())

# Calls that leave a record of the audit trail, or an event of a hash-chained history.
CALLS: dict[str, Any] = {
    "runs.update": lambda m: m.runs.update("r1", deleted_at=now()),
    "runs.rename_experiment": lambda m: m.runs.rename_experiment("default", "other"),
    "runs.update_experiment": lambda m: m.runs.update_experiment("default", note="x"),
    "steps.add_decision": lambda m: m.steps.add_decision(
        DecisionRecord("r1", "ask", True, "root", "fine", now())
    ),
    "artifacts.add_proof": lambda m: m.artifacts.add_proof(
        ProofRecord("r1", "verified", Verdict.BITWISE, now())
    ),
    "models.create": lambda m: m.models.create("fresh"),
    "models.update": lambda m: m.models.update("big-tips", note="x"),
    "models.set_tags": lambda m: m.models.set_tags("big-tips", {"a": "b"}),
    "models.delete_tags": lambda m: m.models.delete_tags("big-tips", ["a"]),
    "models.set_version_tags": lambda m: m.models.set_version_tags("big-tips", 1, {"a": "b"}),
    "models.delete_version_tags": lambda m: m.models.delete_version_tags("big-tips", 1, ["a"]),
    "models.create_version": lambda m: m.models.create_version(
        a_version(content="w"), actor="root"
    ),
    "models.update_version": lambda m: m.models.update_version(
        "big-tips", 1, expected_revision=1, note="x"
    ),
    "models.move_stages": lambda m: m.models.move_stages(
        [a_move(1, Stage.NONE, Stage.STAGING, actor="root")], expected={1: 1}
    ),
    "models.add_approval": lambda m: m.models.add_approval(
        ApprovalRecord("big-tips", 1, "root", True, "fine", now())
    ),
    "deployments.save": lambda m: m.deployments.save(a_deployment(), expected_generation=None),
    "schedules.save": lambda m: m.schedules.save(PLAN),
    "schedules.delete": lambda m: m.schedules.delete("weekly"),
    "schedules.advance": lambda m: m.schedules.advance(
        "weekly", expected_revision=1, paused_at=now()
    ),
    "hooks.save": lambda m: m.hooks.save(HOOK),
    "hooks.delete": lambda m: m.hooks.delete("old"),
    "hooks.drop_events": lambda m: m.hooks.drop_events("old", ["e1"], delivered=False),
    "settings.set": lambda m: m.settings.set("approvals_needed", "2", actor="root"),
    "projects.save": lambda m: m.projects.save(PROJECT),
    "projects.delete": lambda m: m.projects.delete("old"),
    "users.add": lambda m: m.users.add(UserRecord("bob", now())),
    "users.update": lambda m: m.users.update("ada", full_name="Ada"),
    "users.grant": lambda m: m.users.grant(replace(GRANT, role=Role.TRAINER)),
    "users.revoke": lambda m: m.users.revoke("ada", "*"),
    "users.replace_grants": lambda m: m.users.replace_grants(
        "ada", "https://sso", [replace(GRANT, role=Role.TRAINER, source="https://sso")]
    ),
    "tokens.add": lambda m: m.tokens.add(a_token(token_id="pst_2", digest="d2")),
    "tokens.revoke": lambda m: m.tokens.revoke("pst_1", now()),
    "audit.add": lambda m: m.audit.add(AuditRecord(now(), "root", "x.y", "z")),
}
# What runs, schedulers, model servers and MLflow's clients write all the time, with an owner that
# has an actor: a run its user, a tick its schedule, a prediction its deployment.
DATA = {
    "runs": "create beat kill_dead note_missed log_params set_tags delete_tags create_experiment"
    " set_experiment_tags delete_experiment_tags",
    "metrics": "log append journal_position forget_journal merge copy",
    "steps": "start finish find_cached take_lease drop_lease claim_step release_step add_logs",
    "artifacts": "add renew log log_many drop add_edges add_snapshot",
    "deployments": "add_event add_report save_alert",
    "predictions": "add add_truth",
    "schedules": "add_tick claim_tick update_tick",
    "hooks": "update_event",
    "settings": "add",  # the first value of a setting, at the opening of a store
    "documents": "add save delete add_files drop_files",
    # Sign-ins: the user's record has the last one, and failures are counted.
    "users": "note_seen",
    "tokens": "note_used add_session note_session end_sessions end_provider_sessions note_failure clear_failures",
    # Upkeep of files, which the database knows nothing of.
    "bytes": "delete claim",
}
# As their own kind: the first user is audited as every other, and reads are no writes.
ALIKE = {"users.add_first", "users.is_password"}
READS = {
    "get",
    "list",
    "find",
    "count",
    "verify",
    "list_grants",
    "find_subject",
    "find_session",
} | {
    "get_failures",
    "count_events",
    "list_events",
}


@pytest.fixture
def metadata(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        metadata = store.metadata
        metadata.runs.create(a_run(run_id="r1"))
        metadata.models.create_version(a_version(), actor="ada")
        metadata.schedules.save(replace(PLAN, name="weekly"))
        metadata.hooks.save(replace(HOOK, name="old"))
        metadata.projects.save(replace(PROJECT, name="old", names=("old",)))
        metadata.users.add(UserRecord("ada", now()), grants=[GRANT])
        metadata.tokens.add(a_token())
        yield metadata


def traces(metadata):
    events = [
        *metadata.models.list_stage_events("big-tips"),
        *metadata.models.list_stage_events(STORE_HISTORY),
    ]
    return [*metadata.audit.list(limit=1000), *events]


@pytest.mark.parametrize("name", CALLS)
def test_a_change_leaves_a_trace_of_who_made_it(metadata, name):
    before = traces(metadata)
    with use_identity(ROOT):
        CALLS[name](metadata)
    new = [each for each in traces(metadata) if each not in before]
    assert new, f"{name} leaves nothing"
    assert {each.actor for each in new} == {"root"}
    assert "canary" not in repr(new)
    assert "s3cret" not in repr(new)
    assert metadata.audit.verify() is None


def test_every_operation_that_writes_is_a_change_or_data():
    data = {f"{noun}.{verb}" for noun, verbs in DATA.items() for verb in verbs.split()}
    writes = {
        f"{noun}.{verb}"
        for noun, rules in RULES.items()
        for verb, rule in rules.items()
        if not rule.only_reads and verb not in READS
    }
    assert not data & CALLS.keys()
    assert writes - ALIKE == data | CALLS.keys()


def test_a_schedulers_look_is_no_change(metadata):
    before = traces(metadata)
    metadata.schedules.advance("weekly", expected_revision=1, cursor={"at": "x"}, error=None)
    assert traces(metadata) == before
