"""Deployments, their events, drift reports and alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import DeploymentState
from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """A named endpoint that sends requests to model versions.

    Args:
        name: The endpoint's name; by default the model's.
        model: The model whose versions it serves.
        state: See DeploymentState.
        weights: Share of units (0 to 1) by version number; they sum to 1.
        control: The version that traffic goes back to.
        generation: Counts changes.
        rollout: Steps, position, rules and state of the running rollout as plain JSON; or None.
        updated_at: Last change.
    """

    name: str
    model: str
    state: DeploymentState
    weights: Mapping[int, float]
    control: int
    updated_at: datetime
    generation: int = 1
    rollout: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DeploymentEvent:
    """Something that happened to a deployment, told for people."""

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
        model: Its model.
        kind: ``feature_drift``, ``prediction_drift``, ``performance``, ``errors``, ``data_quality``.
        subject: The column or metric.
        message: One sentence with the figures.
        raised_at: When first seen.
        last_seen_at: When last seen.
        count: How often it was seen.
        resolved_at: When it was gone; None while open.
        report: Stored digest of the DriftReport that shows it.
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
