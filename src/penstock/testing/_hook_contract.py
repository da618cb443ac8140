"""Contract of hooks and events."""

from dataclasses import replace
from datetime import timedelta

import pytest

from penstock.core import (
    HIDDEN,
    ApprovalRecord,
    DeploymentEvent,
    EventState,
    HookRecord,
    NotFoundError,
    RunState,
    Stage,
    StepState,
    now,
)
from penstock.stores import MetadataStore
from penstock.testing._records import (
    START,
    a_deployment,
    a_move,
    a_run,
    a_step,
    a_version,
    an_alert,
    an_artifact,
    at,
)

HOOK = HookRecord("team", "https://example.org/hook", "webhook", "whsec_abc", ("*",), START)


class HookContract:
    """Tests of hooks and events; see MetadataStoreContract."""

    def test_what_happens_is_noted_for_who_wants_to_know(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        metadata.hooks.save(replace(HOOK, name="alarm", events=("run.failed", "step.failed")))
        run = a_run()
        metadata.runs.create(run)
        step = a_step(run.run_id)
        metadata.steps.start(step)
        metadata.steps.finish(replace(step, state=StepState.FAILED, error="boom"))
        metadata.runs.update(run.run_id, note="unlike a state, this is no event")
        metadata.runs.update(run.run_id, state=RunState.FAILED, error="train: boom")
        kinds = [event.kind for event in metadata.hooks.list_events("team")]
        assert kinds == ["run.started", "step.started", "step.failed", "run.failed"]
        alarms = metadata.hooks.list_events("alarm")
        assert [(event.kind, event.step) for event in alarms] == [
            ("step.failed", "train"),
            ("run.failed", None),
        ]
        assert alarms[0].facts["error"] == "boom"
        assert metadata.hooks.count_events() == {"alarm": {"pending": 2}, "team": {"pending": 4}}

    def test_versions_deployments_and_alerts_are_noted_too(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        metadata.hooks.save(replace(HOOK, name="lineage", form="openlineage"))
        metadata.artifacts.add([an_artifact("v")])
        version = metadata.models.create_version(a_version(), actor="ann")
        yes = ApprovalRecord(version.model, version.version, "bob", True, "Good.", at(1))
        metadata.models.add_approval(yes)
        up = a_move(version.version, Stage.NONE, Stage.PRODUCTION, actor="bob")
        metadata.models.move_stages([up], expected={version.version: version.revision})
        record = a_deployment(name="tips")
        event = DeploymentEvent("tips", "deployed", "v1 gets all", at(3), {"version": 1})
        metadata.deployments.save(record, expected_generation=None, event=event)
        metadata.deployments.add_event(replace(event, kind="retrain"))
        alert = an_alert("a1", message="12 %")
        for seen in (alert, replace(alert, count=2), replace(alert, resolved_at=at(5))):
            metadata.deployments.save_alert(seen)
        metadata.deployments.save_alert(replace(alert, resolved_at=at(5), count=3))
        events = metadata.hooks.list_events("team")
        assert [event.kind for event in events] == [
            "version.registered",
            "version.approved",
            "version.production",
            "deployment.deployed",
            "deployment.retrain",
            "alert.raised",
            "alert.resolved",
        ]
        assert events[2].facts["actor"] == "bob"
        assert events[2].facts["from_stage"] == "none"
        assert events[3].facts["model"] == version.model
        assert events[5].facts["message"] == "12 %"
        # OpenLineage has no form for these.
        assert metadata.hooks.list_events("lineage") == []

    def test_what_is_undone_is_no_event(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        with pytest.raises(NotFoundError):
            metadata.steps.start(a_step("no-such-run"))
        assert metadata.hooks.list_events("team") == []

    def test_a_dead_process_is_told_of_with_its_steps(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        run = a_run(pid=2**22 + 1, pid_started=1.0, heartbeat_at=START)
        metadata.runs.create(run)
        metadata.steps.start(a_step(run.run_id))
        assert metadata.runs.kill_dead() == [run.run_id]
        assert [event.kind for event in metadata.hooks.list_events("team")][2:] == [
            "step.killed",
            "run.killed",
        ]

    def test_events_are_tried_again_given_up_or_removed(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        metadata.runs.create(a_run())
        metadata.runs.create(a_run())
        first, second = metadata.hooks.list_events("team")
        later = now() + timedelta(hours=1)
        metadata.hooks.update_event(first.event_id, due_at=later, attempts=1, error="refused")
        assert metadata.hooks.list_events("team", due=now()) == [second]
        assert metadata.hooks.get("team").error == "refused"
        metadata.hooks.drop_events("team", [second.event_id], delivered=True)
        hook = metadata.hooks.get("team")
        assert (hook.delivered, hook.error) == (1, None)
        metadata.hooks.update_event(first.event_id, state=EventState.DEAD)
        assert metadata.hooks.list_events("team") == []
        assert metadata.hooks.list_events("team", state=EventState.DEAD)[0].attempts == 1

    def test_a_hook_comes_back_as_it_was_given(self, metadata: MetadataStore) -> None:
        metadata.hooks.save(HOOK)
        # A store over HTTP shows a mark in the place of the secret.
        assert metadata.hooks.list() in ([HOOK], [replace(HOOK, secret=HIDDEN)])
        metadata.hooks.drop_events("team", ["e"], delivered=True)
        metadata.hooks.save(replace(HOOK, url="https://example.org/other"))
        assert metadata.hooks.get("team").delivered == 1
        metadata.hooks.delete("team")
        with pytest.raises(NotFoundError, match="no webhook 'team'"):
            metadata.hooks.get("team")
