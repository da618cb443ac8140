"""Models, their versions, stages, approvals and audited history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from penstock.core import (
    ApprovalRecord,
    DeploymentEvent,
    DeploymentRecord,
    GateResult,
    ModelRecord,
    ModelVersionRecord,
    Stage,
    StageEvent,
)


class ModelStore(Protocol):
    """Models, their versions, stages, approvals and audited history."""

    def search(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "model",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ModelRecord]:
        """Search models by a filter."""
        ...

    def create(self, model: str, *, note: str = "", tags: Mapping[str, str] | None = None) -> None:
        """Record a model without versions; ConflictError if the name is taken."""
        ...

    def update(self, model: str, **changes: Any) -> None:
        """Change the note of a model."""
        ...

    def set_tags(self, model: str, tags: Mapping[str, str]) -> None:
        """Set tags of a model; existing tags stay."""
        ...

    def delete_tags(self, model: str, names: Sequence[str]) -> None:
        """Delete tags of a model by name."""
        ...

    def search_versions(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        offset: int = 0,
    ) -> list[ModelVersionRecord]:
        """Search versions by a filter."""
        ...

    def set_version_tags(self, model: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version; existing tags stay."""
        ...

    def delete_version_tags(self, model: str, version: int, names: Sequence[str]) -> None:
        """Delete tags of a version by name."""
        ...

    def create_version(self, version: ModelVersionRecord, *, actor: str) -> ModelVersionRecord:
        """Insert a version under the next number (``version.version`` is ignored).

        For the same content digest under the same model and run the existing version is returned.
        """
        ...

    def get_version(self, model: str, version: int) -> ModelVersionRecord:
        """Return a version of a model."""
        ...

    def list_versions(self, model: str) -> list[ModelVersionRecord]:
        """List the versions of a model by number."""
        ...

    def update_version(
        self,
        model: str,
        version: int,
        *,
        expected_revision: int,
        actor: str | None = None,
        **changes: Any,
    ) -> ModelVersionRecord:
        """Change gates, card or note; ConflictError if the revision moved.

        Changed gate results leave an event in the history. A declared gate that is missing from the
        new gates is a ParameterError: gates are never erased.
        """
        ...

    def move_stages(
        self,
        moves: Sequence[StageEvent],
        *,
        expected: Mapping[int, int],
        gates: Mapping[int, Sequence[GateResult]] | None = None,
        approvals: Sequence[ApprovalRecord] = (),
        deployments: Sequence[tuple[DeploymentRecord, DeploymentEvent]] = (),
        forced: bool = False,
        accepts_changes: bool = False,
    ) -> None:
        """Write all moves in a transaction, with their events and further changes.

        ``gates`` are a moved version's gate results at this moment, ``approvals`` those granted
        with the move, ``deployments`` the next generations of deployments that the move takes
        effect on. ``forced`` says that gates which did not pass are overruled, which the audit trail
        shows; ``accepts_changes`` that callers may break. A server judges the moves by its own facts.

        ``expected`` is the revision by version that the caller read. A move not in STAGE_MOVES, a
        stale revision or a second production version is a ConflictError and nothing happens.
        """
        ...

    def list_stage_events(self, model: str) -> list[StageEvent]:
        """List the history of a model, oldest first."""
        ...

    def version_at(self, model: str, stage: Stage, at: datetime) -> int | None:
        """Return the version that was in a stage at a time; None if there was none."""
        ...

    def add_approval(self, approval: ApprovalRecord) -> None:
        """Record an approval or a rejection."""
        ...

    def list_approvals(self, model: str, version: int) -> list[ApprovalRecord]:
        """List the approvals of a version, oldest first."""
        ...

    def list(self) -> list[str]:
        """List the names of models, sorted."""
        ...
