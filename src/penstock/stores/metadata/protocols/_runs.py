"""Runs with their parameters, tags and experiments."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from penstock.core import ExperimentRecord, RunRecord


class RunStore(Protocol):
    """Runs with their parameters, tags and experiments."""

    def create(self, run: RunRecord) -> None:
        """Record a new run."""
        ...

    def get(self, run_id: str) -> RunRecord:
        """Return a run."""
        ...

    def update(self, run_id: str, *, only_attempt: int | None = None, **changes: Any) -> RunRecord:
        """Change fields of a run by name; a state change must be in RUN_MOVES (ConflictError).

        With ``only_attempt`` a run that was resumed meanwhile is a ConflictError. A resume sets the
        next attempt; of two concurrent resumes the second is a ConflictError. The end of a run that
        is presumed killed counts. No run ends before the beginning.
        """
        ...

    def beat(self, run_id: str, at: datetime, *, attempt: int | None = None) -> bool:
        """Record a sign of life, which revives a run that was presumed killed.

        Returns:
            Whether the run still belongs to this attempt; else nothing happens.
        """
        ...

    def kill_dead(self) -> list[str]:
        """Mark runs as presumed killed whose process is gone or silent, with steps; return ids."""
        ...

    def note_missed(self, run_id: str, sentences: Sequence[str]) -> None:
        """Note logged data of a run that could not be recorded; a no-op for a removed run."""
        ...

    def search(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        offset: int = 0,
        after: str | None = None,
        experiment: str | None = None,
    ) -> list[RunRecord]:
        """Search runs by a filter (see penstock.stores.metadata._query); returns a page.

        ``after`` is the last run of the previous page. Archived and deleted runs are found only by
        a filter that names ``archived_at`` or ``deleted_at``.
        """
        ...

    def count(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        experiment: str | None = None,
        most: int | None = None,
    ) -> int:
        """Count the runs that match a filter; with ``most`` counting stops there."""
        ...

    def create_experiment(self, name: str, *, tags: Mapping[str, str] | None = None) -> None:
        """Record an experiment without runs; ConflictError if the name is taken."""
        ...

    def rename_experiment(self, name: str, to: str) -> None:
        """Rename an experiment with all runs; ConflictError if the new name is taken."""
        ...

    def list_experiments(self) -> list[str]:
        """List the names of experiments, sorted."""
        ...

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Add parameters; a new value for an existing parameter is a ConflictError."""
        ...

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run; existing tags stay."""
        ...

    def delete_tags(self, run_id: str, names: Sequence[str]) -> None:
        """Delete tags of a run by name."""
        ...

    def search_experiments(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        order_by: str = "created_at desc",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ExperimentRecord]:
        """Search experiments by a filter."""
        ...

    def update_experiment(self, name: str, **changes: Any) -> None:
        """Change note, archived_at or deleted_at of an experiment."""
        ...

    def set_experiment_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Set tags of an experiment; existing tags stay."""
        ...

    def delete_experiment_tags(self, name: str, names: Sequence[str]) -> None:
        """Delete tags of an experiment by name."""
        ...
