"""Models, versions, gates, approvals and the events of stages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import GateState, Stage
from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A name under which versions are registered; made with the first.

    Args:
        model: The name.
        created_at: When its first version was registered.
        note: Markdown by the user.
        tags: Free marks.
        versions: How many it has.
        champion: The number of its production version.
    """

    model: str
    created_at: datetime
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=empty)
    versions: int = 0
    champion: int | None = None


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's answer with its reason."""

    gate: str
    state: GateState
    reason: str


@dataclass(frozen=True, slots=True)
class ModelVersionRecord:
    """A numbered, unchangeable model under a name.

    Args:
        model: The model's name.
        version: Number, from 1, dense and never reused.
        stage: See Stage.
        run_id: The run that made it; None if it was registered by hand.
        trained_by: Who ran that run.
        artifact: Stored digest of the model.
        content_digest: Content digest of the model.
        report: Stored digest of its EvaluationReport; or None.
        profile: Stored digest of its training profile (reference for drift); or None.
        signature: Input and output columns as plain JSON (see penstock.models.Signature).
        metrics: Headline metrics on the test rows.
        gates: Results as judged last.
        card: Stored digest of the model card (Markdown).
        created_at: When it was registered.
        revision: Counts changes; a move names the revision that it saw.
        note: Markdown by the user.
        tags: Free marks.
    """

    model: str
    version: int
    stage: Stage
    run_id: str | None
    trained_by: str
    artifact: str
    content_digest: str
    created_at: datetime
    report: str | None = None
    profile: str | None = None
    signature: Mapping[str, Any] = field(default_factory=empty)
    metrics: Mapping[str, float] = field(default_factory=empty)
    gates: tuple[GateResult, ...] = ()
    card: str | None = None
    revision: int = 1
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=empty)

    @property
    def ref(self) -> str:
        """``model@version``."""
        return f"{self.model}@{self.version}"


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """Who said yes or no to a version, when and why."""

    model: str
    version: int
    approver: str
    approved: bool
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StageEvent:
    """One move of a version between stages; hash-chained per store.

    Args:
        model: The model's name.
        version: The version that moved.
        from_stage: Where it was.
        to_stage: Where it went.
        actor: Who did it.
        reason: Why.
        at: When.
        hash: SHA-256 over the previous event's hash and this event.
    """

    model: str
    version: int
    from_stage: Stage
    to_stage: Stage
    actor: str
    reason: str
    at: datetime
    hash: str = ""
