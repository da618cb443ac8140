"""Models, versions, gates, approvals and the events of stages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core._states import GateState, Stage
from penstock.core.records._empty import empty


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A name under which versions are registered; created with the first version.

    Args:
        model: The name.
        created_at: Time of the first version's registration.
        note: Markdown by the user.
        tags: Free labels.
        versions: Number of versions.
        champion: Number of the production version.
    """

    model: str
    created_at: datetime
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=empty)
    versions: int = 0
    champion: int | None = None


@dataclass(frozen=True, slots=True)
class GateResult:
    """The result of a gate, with a reason."""

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
        run_id: The run that produced the model; None if registered by hand.
        trained_by: Actor of that run.
        artifact: Stored digest of the model.
        content_digest: Content digest of the model.
        report: Stored digest of the EvaluationReport; or None.
        profile: Stored digest of the training profile (reference for drift); or None.
        signature: Input and output columns as plain JSON (see penstock.models.Signature).
        metrics: Headline metrics on the test rows.
        gates: Results of the last evaluation.
        card: Stored digest of the model card (Markdown).
        created_at: Time of the registration.
        revision: Number of changes; a move states the revision that was read.
        note: Markdown by the user.
        tags: Free labels.
        onnx: Stored digest of the ONNX form and the check (see penstock.models.OnnxForm); None if
            none was tried, and the native form answers.
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
    onnx: str | None = None

    @property
    def ref(self) -> str:
        """Reference to the version, ``model@version``."""
        return f"{self.model}@{self.version}"

    @property
    def unsafe(self) -> str:
        """Why the model is stored as a pickle; empty for a model of a safe format."""
        return str(self.signature.get("unsafe", ""))


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """An approval or rejection of a version, bound to the evidence that the actor saw.

    Args:
        model: The model's name.
        version: Version number.
        actor: The approver.
        approved: False for a rejection.
        reason: Why.
        at: When.
        version_digest: Content digest of the version that was decided about; None in records made
            before penstock wrote digests.
        gates_digest: Digest of the gates and the report that were decided about; the same.
        expires_at: Time from which an approval no longer counts; None for never.
        attested: How the actor was known: ``token ID``, ``session ID``; empty for a name that
            there was no check.
    """

    model: str
    version: int
    actor: str
    approved: bool
    reason: str
    at: datetime
    version_digest: str | None = None
    gates_digest: str | None = None
    expires_at: datetime | None = None
    attested: str = ""


@dataclass(frozen=True, slots=True)
class StageEvent:
    """A move of a version between stages; hash-chained per store.

    Args:
        model: The model's name.
        version: The version that moved.
        from_stage: Stage before the move.
        to_stage: Stage after the move.
        actor: Actor of the move.
        reason: Reason for the move.
        at: Time of the move.
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
