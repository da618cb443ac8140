"""Records for contract suites, with defaults for everything that does not matter to a test."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.core import (
    AlertRecord,
    ArtifactRecord,
    DeploymentRecord,
    DeploymentState,
    ModelVersionRecord,
    PassedStep,
    PredictionRecord,
    RolloutRecord,
    RolloutRules,
    RolloutState,
    RunRecord,
    RunState,
    Stage,
    StageEvent,
    StepRunRecord,
    StepState,
    digest_bytes,
    digest_json,
    new_id,
)
from penstock.stores import MetadataStore

START = datetime(2026, 1, 1, 8, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return the time a number of seconds after the start of the tests."""
    return START + timedelta(seconds=seconds)


def digest_of(text: str) -> str:
    """Return the digest of a text."""
    return digest_bytes(text.encode())


def a_run(**changes: Any) -> RunRecord:
    """Return a run."""
    fields: dict[str, Any] = {
        "run_id": new_id(),
        "name": "baseline",
        "experiment": "default",
        "pipeline": None,
        "entry": "train.py",
        "state": RunState.RUNNING,
        "seed": 0,
        "created_at": START,
    }
    return RunRecord(**fields | changes)


def a_step(run_id: str, step: str = "train", **changes: Any) -> StepRunRecord:
    """Return a step run."""
    fields: dict[str, Any] = {
        "step_run_id": new_id(),
        "run_id": run_id,
        "step": step,
        "position": 0,
        "state": StepState.RUNNING,
        "started_at": START,
    }
    return StepRunRecord(**fields | changes)


def an_artifact(text: str = "value", **changes: Any) -> ArtifactRecord:
    """Return an artifact of a short text."""
    fields: dict[str, Any] = {
        "digest": digest_of(text),
        "content_digest": digest_json(text),
        "format": "json",
        "type_name": "str",
        "size_bytes": len(text),
        "created_at": START,
        "inline": text.encode(),
    }
    return ArtifactRecord(**fields | changes)


def a_version(model: str = "big-tips", content: str = "v", **changes: Any) -> ModelVersionRecord:
    """Return a model version to register."""
    fields: dict[str, Any] = {
        "model": model,
        "version": 0,
        "stage": Stage.NONE,
        "run_id": None,
        "trained_by": "ada",
        "artifact": digest_of(content),
        "content_digest": digest_json(content),
        "created_at": START,
    }
    return ModelVersionRecord(**fields | changes)


def register(metadata: MetadataStore, *contents: str) -> None:
    """Register versions of big-tips with their models, so that a server can judge their moves."""
    metadata.artifacts.add([an_artifact(content) for content in contents])
    for content in contents:
        metadata.models.create_version(a_version(content=content), actor="ada")


def a_move(version: int, from_stage: Stage, to_stage: Stage, **changes: Any) -> StageEvent:
    """Return a move of a version of big-tips."""
    fields: dict[str, Any] = {
        "model": "big-tips",
        "version": version,
        "from_stage": from_stage,
        "to_stage": to_stage,
        "actor": "bob",
        "reason": "better",
        "at": START,
    }
    return StageEvent(**fields | changes)


def a_deployment(**changes: Any) -> DeploymentRecord:
    """Return a deployment of big-tips."""
    fields: dict[str, Any] = {
        "name": "big-tips",
        "model": "big-tips",
        "state": DeploymentState.LIVE,
        "weights": {1: 1.0},
        "control": 1,
        "updated_at": START,
    }
    return DeploymentRecord(**fields | changes)


def a_prediction(prediction_id: str, **changes: Any) -> PredictionRecord:
    """Return a prediction of big-tips@1."""
    fields: dict[str, Any] = {
        "prediction_id": prediction_id,
        "deployment": "big-tips",
        "model": "big-tips",
        "version": 1,
        "at": START,
        "inputs": {"fare": 12.5, "company": None},
        "prediction": "yes",
    }
    return PredictionRecord(**fields | changes)


def a_rollout(**changes: Any) -> RolloutRecord:
    """A rollout of version 2 against version 1, at the second step."""
    rollout = RolloutRecord(
        RolloutState.RUNNING,
        version=2,
        control=1,
        steps=(5, 25, 100),
        rules=RolloutRules(metric=("accuracy", -0.02), step_time="1h"),
        started_at=at(0),
        step_started_at=at(3),
        position=1,
        reason="It waits.",
        passed=(PassedStep(5, 120, 1, 60.5, {"1": 0.8, "2": 0.81}),),
    )
    return replace(rollout, **changes)


def an_alert(alert_id: str, **changes: Any) -> AlertRecord:
    """Return an alert of big-tips."""
    fields: dict[str, Any] = {
        "alert_id": alert_id,
        "deployment": "big-tips",
        "model": "big-tips",
        "kind": "feature_drift",
        "subject": "fare",
        "message": "fare has moved.",
        "raised_at": START,
        "last_seen_at": START,
    }
    return AlertRecord(**fields | changes)
