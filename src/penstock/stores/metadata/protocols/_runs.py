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

        With ``only_attempt`` a run that was resumed meanwhile is a ConflictError. A resume gives
        the next attempt; of two at once the second is a ConflictError. The end of a run that is
        presumed killed counts. No run ends before it began.
        """
        ...

    def beat(self, run_id: str, at: datetime, *, attempt: int | None = None) -> bool:
        """Note a sign of life, which revives a run that was presumed killed.

        Returns:
            Whether the run is still this attempt's; else nothing happens.
        """
        ...

    def kill_dead(self) -> list[str]:
        """Presume running runs killed whose process is gone or silent, their steps too; ids."""
        ...

    def note_missed(self, run_id: str, sentences: Sequence[str]) -> None:
        """Note what was logged of a run and could not be recorded; of a run that is gone nothing."""
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
        """Runs that meet a filter (see penstock.stores.metadata._query), a page of them.

        ``after`` is the run that the page before ended with. Archived and deleted runs are found
        only by a filter that names ``archived_at`` or ``deleted_at``.
        """
        ...

    def count(
        self,
        filter: str = "",  # noqa: A002 - the field's word
        *,
        experiment: str | None = None,
        most: int | None = None,
    ) -> int:
        """How many runs meet a filter; with ``most`` counting stops there."""
        ...

    def list_experiments(self) -> list[str]:
        """List the names of experiments, sorted."""
        ...

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Add parameters; giving another value to an existing one is a ConflictError."""
        ...

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run; others stay."""
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
        """Change note, archived_at or deleted_at."""
        ...

    def set_experiment_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Set tags of an experiment; others stay."""
        ...
