"""Contract of models, versions, stages and approvals."""

from dataclasses import replace

import pytest

from penstock.core import (
    ApprovalRecord,
    ConflictError,
    GateResult,
    GateState,
    NotFoundError,
    ParameterError,
    Stage,
    StageEvent,
)
from penstock.stores import MetadataStore, stage_event_hash
from penstock.testing._records import START, a_move, a_run, a_version, an_artifact, at, register


class ModelContract:
    """Tests of models, versions, stages and approvals; see MetadataStoreContract."""

    def test_versions_are_numbered_densely_by_model(self, metadata: MetadataStore) -> None:
        gates = (GateResult("auc >= 0.7", GateState.PASSED, "0.8 is more"),)
        first = metadata.models.create_version(
            a_version(signature={"inputs": ["fare"]}, metrics={"auc": 0.8}, gates=gates),
            actor="ada",
        )
        second = metadata.models.create_version(a_version(content="w"), actor="ada")
        other = metadata.models.create_version(a_version("churn"), actor="ada")
        assert [first.ref, second.ref, other.ref] == ["big-tips@1", "big-tips@2", "churn@1"]
        assert metadata.models.get_version("big-tips", 1) == first
        assert metadata.models.list_versions("big-tips") == [first, second]
        assert metadata.models.list() == ["big-tips", "churn"]

    def test_the_same_model_of_the_same_run_is_one_version(self, metadata: MetadataStore) -> None:
        version = a_version(run_id="r1")
        first = metadata.models.create_version(version, actor="ada")
        again = metadata.models.create_version(version, actor="ada")
        of_another_run = metadata.models.create_version(replace(version, run_id="r2"), actor="ada")
        assert again == first
        assert of_another_run.version == 2

    def test_unknown_models_and_versions_are_named(self, metadata: MetadataStore) -> None:
        metadata.models.create_version(a_version(), actor="ada")
        with pytest.raises(NotFoundError, match="Did you mean 'big-tips'"):
            metadata.models.get_version("big-tip", 1)
        with pytest.raises(NotFoundError, match="no version 7"):
            metadata.models.get_version("big-tips", 7)
        with pytest.raises(NotFoundError, match="no model 'churn'"):
            metadata.models.list_versions("churn")
        with pytest.raises((NotFoundError, ParameterError)):
            metadata.models.get_version("big-tips", 10**30)

    def test_gates_card_and_note_change_with_the_revision(self, metadata: MetadataStore) -> None:
        metadata.models.create_version(a_version(), actor="ada")
        gate = GateResult("verified", GateState.PENDING, "not run yet")
        changed = metadata.models.update_version(
            "big-tips", 1, expected_revision=1, gates=(gate,), note="hi"
        )
        assert (changed.revision, changed.gates, changed.note) == (2, (gate,), "hi")
        assert metadata.models.get_version("big-tips", 1) == changed
        with pytest.raises(ConflictError, match="revision 2, not 1"):
            metadata.models.update_version("big-tips", 1, expected_revision=1, note="late")
        with pytest.raises(ParameterError, match="stage"):
            metadata.models.update_version("big-tips", 1, expected_revision=2, stage="production")

    def test_a_version_begins_in_no_stage(self, metadata: MetadataStore) -> None:
        for stage in (Stage.STAGING, Stage.PRODUCTION):
            with pytest.raises(ParameterError, match=f"registered in stage {stage.value}"):
                metadata.models.create_version(replace(a_version(), stage=stage), actor="ada")
        assert metadata.models.list() == []

    def test_a_forced_move_is_in_the_audit_trail(self, metadata: MetadataStore) -> None:
        metadata.artifacts.add([an_artifact("v")])
        failed = GateResult("auc >= 0.7", GateState.FAILED, "0.6 is less")
        metadata.models.create_version(a_version(gates=(failed,)), actor="ada")
        move = a_move(1, Stage.NONE, Stage.PRODUCTION, reason="FORCED: the old one is broken")
        metadata.models.move_stages([move], expected={1: 1}, gates={1: (failed,)}, forced=True)
        [record] = metadata.audit.list()
        assert (record.actor, record.action, record.subject) == (
            "bob",
            "version.force",
            "big-tips@1",
        )
        assert record.facts == {"gates": ["auc >= 0.7"], "reason": move.reason}

    def test_production_changes_hands_in_one_step(self, metadata: MetadataStore) -> None:
        register(metadata, "v", "w")
        metadata.models.move_stages([a_move(1, Stage.NONE, Stage.PRODUCTION)], expected={1: 1})
        moves = [
            a_move(2, Stage.NONE, Stage.PRODUCTION, at=at(5)),
            a_move(1, Stage.PRODUCTION, Stage.ARCHIVED, at=at(5)),
        ]
        metadata.models.move_stages(moves, expected={1: 2, 2: 1})
        stages = [version.stage for version in metadata.models.list_versions("big-tips")]
        assert stages == [Stage.ARCHIVED, Stage.PRODUCTION]
        assert metadata.models.version_at("big-tips", Stage.PRODUCTION, at(4)) == 1
        assert metadata.models.version_at("big-tips", Stage.PRODUCTION, at(5)) == 2
        assert metadata.models.version_at("big-tips", Stage.PRODUCTION, at(-1)) is None

    def test_a_second_production_version_is_refused_whole(self, metadata: MetadataStore) -> None:
        register(metadata, "v", "w")
        metadata.models.move_stages([a_move(1, Stage.NONE, Stage.PRODUCTION)], expected={1: 1})
        with pytest.raises(ConflictError, match="big-tips@1 is in production already"):
            metadata.models.move_stages([a_move(2, Stage.NONE, Stage.PRODUCTION)], expected={2: 1})
        assert metadata.models.get_version("big-tips", 2).stage is Stage.NONE
        assert len(metadata.models.list_stage_events("big-tips")) == 3

    def test_moves_that_are_not_allowed_or_stale_change_nothing(
        self, metadata: MetadataStore
    ) -> None:
        register(metadata, "v")
        with pytest.raises(ConflictError, match="revision 1, not 9"):
            metadata.models.move_stages([a_move(1, Stage.NONE, Stage.STAGING)], expected={1: 9})
        with pytest.raises(ConflictError, match="Someone else moved it"):
            metadata.models.move_stages([a_move(1, Stage.STAGING, Stage.ARCHIVED)], expected={1: 1})
        metadata.models.move_stages([a_move(1, Stage.NONE, Stage.REJECTED)], expected={1: 1})
        with pytest.raises(ConflictError, match="Rejected is final"):
            metadata.models.move_stages([a_move(1, Stage.REJECTED, Stage.STAGING)], expected={1: 2})
        assert metadata.models.get_version("big-tips", 1).stage is Stage.REJECTED

    def test_the_log_of_moves_is_a_chain_of_hashes(self, metadata: MetadataStore) -> None:
        metadata.artifacts.add([an_artifact("v")])
        metadata.models.create_version(a_version(), actor="ada")
        metadata.models.create_version(a_version("churn"), actor="ada")
        metadata.models.move_stages([a_move(1, Stage.NONE, Stage.STAGING)], expected={1: 1})
        events = metadata.models.list_stage_events("big-tips")
        registered = StageEvent(
            "big-tips", 1, Stage.NONE, Stage.NONE, "ada", "registered", START, events[0].hash
        )
        assert events[0] == registered
        previous = ""
        for event in events:
            assert event.hash == stage_event_hash(previous, event)
            previous = event.hash
        assert stage_event_hash("", replace(events[0], actor="eve")) != events[0].hash

    def test_no_text_makes_the_log_look_changed(self, metadata: MetadataStore) -> None:
        metadata.artifacts.add([an_artifact("v")])
        metadata.models.create_version(a_version(), actor="a\0da")
        odd = replace(a_move(1, Stage.NONE, Stage.STAGING), reason="\0 and \ud800", actor="\udfff")
        metadata.models.move_stages([odd], expected={1: 1})
        previous = ""
        for event in metadata.models.list_stage_events("big-tips"):
            assert event.hash == stage_event_hash(previous, event)
            previous = event.hash

    def test_approvals_are_kept_in_order(self, metadata: MetadataStore) -> None:
        metadata.models.create_version(a_version(), actor="ada")
        no = ApprovalRecord("big-tips", 1, "bob", False, "too slow", at(1))
        yes = replace(no, approved=True, reason="fine now", at=at(2))
        metadata.models.add_approval(no)
        metadata.models.add_approval(yes)
        assert metadata.models.list_approvals("big-tips", 1) == [no, yes]
        with pytest.raises(NotFoundError):
            metadata.models.add_approval(replace(no, version=9))

    def test_the_change_counter_moves_with_models(self, metadata: MetadataStore) -> None:
        seen = [metadata.settings.change_counter()]
        metadata.artifacts.add([an_artifact("v")])
        metadata.models.create_version(a_version(), actor="ada")
        seen.append(metadata.settings.change_counter())
        metadata.models.update_version("big-tips", 1, expected_revision=1, note="n")
        seen.append(metadata.settings.change_counter())
        metadata.models.move_stages([a_move(1, Stage.NONE, Stage.STAGING)], expected={1: 2})
        seen.append(metadata.settings.change_counter())
        assert len(set(seen)) == 4
        assert metadata.settings.change_counter() == seen[-1]

    def test_models_are_found_by_tag_and_champion(self, metadata: MetadataStore) -> None:
        for model in ("m", "m", "n"):
            metadata.models.create_version(a_version(model), actor="ada")
        metadata.models.set_tags("n", {"team": "risk"})
        metadata.models.update("n", note="for fraud")
        [n] = metadata.models.search("tags.team = 'risk' and champion is null")
        assert (n.model, n.note, n.versions, n.tags) == ("n", "for fraud", 1, {"team": "risk"})
        assert [m.model for m in metadata.models.search("versions >= 2")] == ["m"]

    def test_versions_are_found_by_stage_metric_param_and_tag(
        self, metadata: MetadataStore
    ) -> None:
        run = a_run(params={"lr": 0.1})
        metadata.runs.create(run)
        for auc in (0.7, 0.9):
            metadata.models.create_version(
                a_version("m", run_id=run.run_id, metrics={"auc": auc}, content_digest=str(auc)),
                actor="ada",
            )
        metadata.models.set_version_tags("m", 2, {"for": "eu"})
        versions = metadata.models.search_versions("metrics.auc > 0.8 and stage = 'none'")
        assert [(v.version, v.tags) for v in versions] == [(2, {"for": "eu"})]
        assert len(metadata.models.search_versions("params.lr = 0.1 and model = 'm'")) == 2
        assert [v.version for v in metadata.models.search_versions("tags.for = 'eu'")] == [2]
        assert metadata.models.get_version("m", 2).tags == {"for": "eu"}

    def test_what_does_not_exist_is_not_tagged(self, metadata: MetadataStore) -> None:
        metadata.runs.create(a_run(experiment="churn"))
        with pytest.raises(NotFoundError, match="Did you mean 'churn'"):
            metadata.runs.set_experiment_tags("chrun", {"a": "b"})
        with pytest.raises(NotFoundError):
            metadata.models.set_version_tags("m", 1, {"a": "b"})
        with pytest.raises(ParameterError, match="cannot be changed"):
            metadata.runs.update_experiment("churn", color="x")
        with pytest.raises(ParameterError, match="No version is ever 'prod'"):
            metadata.models.search_versions("stage = 'prod'")
