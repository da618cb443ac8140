"""Logged predictions and their ground truth."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from penstock.core import PredictionRecord


class PredictionStore(Protocol):
    """Logged predictions and their ground truth."""

    def add(self, predictions: Sequence[PredictionRecord]) -> None:
        """Record predictions."""
        ...

    def get(self, prediction_id: str) -> PredictionRecord:
        """Return a prediction with the ground truth."""
        ...

    def get_many(self, prediction_ids: Sequence[str]) -> dict[str, PredictionRecord]:
        """Return predictions by id; unknown ids are left out."""
        ...

    def add_truth(self, truth: Mapping[str, Any], at: datetime) -> list[str]:
        """Set the ground truth by prediction id; return the unknown ids."""
        ...

    def count(self, deployment: str, *, since: datetime | None = None) -> dict[int, dict[str, int]]:
        """Count ``{version: {"requests", "rows", "errors", "truth"}}``; a batch is a single request."""
        ...

    def list(
        self,
        deployment: str,
        *,
        version: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        with_truth: bool = False,
        limit: int | None = None,
    ) -> list[PredictionRecord]:
        """List predictions in order of time; with ``limit`` the newest."""
        ...
