"""Deployments, their events, drift reports and alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import DeploymentState
from penstock.core.records._empty import empty
from penstock.core.records._rollouts import RolloutRecord


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """A named endpoint that sends requests to model versions.

    Args:
        name: Name of the endpoint; by default the model's name.
        model: The model whose versions are served.
        state: See DeploymentState.
        weights: Share of units (0 to 1) by version number; the shares sum to 1.
        control: The version that traffic returns to on a rollback.
        generation: Number of changes.
        rollout: The last rollout, running or finished; None if there was none.
        updated_at: Time of the last change.
        form: The form that is to answer, ``native`` or ``onnx``; None for that of each version.
    """

    name: str
    model: str
    state: DeploymentState
    weights: Mapping[int, float]
    control: int
    updated_at: datetime
    generation: int = 1
    rollout: RolloutRecord | None = None
    form: str | None = None


@dataclass(frozen=True, slots=True)
class DeploymentEvent:
    """An event of a deployment, described for people."""

    name: str
    kind: str
    message: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=empty)


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """A raised alarm.

    Args:
        alert_id: Unique id.
        deployment: The watched endpoint.
        model: Model of the endpoint.
        kind: ``feature_drift``, ``prediction_drift``, ``performance``, ``errors``,
            ``data_quality``, ``skew``.
        subject: The column or metric; of skew, ``view:feature``.
        message: A sentence with the figures.
        raised_at: Time of the first observation.
        last_seen_at: Time of the last observation.
        count: Number of observations.
        resolved_at: Time of the resolution; None while open.
        report: Stored digest of the DriftReport that contains the alert.
    """

    alert_id: str
    deployment: str
    model: str
    kind: str
    subject: str
    message: str
    raised_at: datetime
    last_seen_at: datetime
    count: int = 1
    resolved_at: datetime | None = None
    report: str | None = None


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """A stored monitoring report."""

    report_id: str
    deployment: str
    model: str
    version: int
    at: datetime
    drifted: bool
    artifact: str
    summary: Mapping[str, Any] = field(default_factory=empty)
