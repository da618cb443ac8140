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
        """Return a prediction with its ground truth."""
        ...

    def get_many(self, prediction_ids: Sequence[str]) -> dict[str, PredictionRecord]:
        """By id; those that are not known are left out."""
        ...

    def add_truth(self, truth: Mapping[str, Any], at: datetime) -> list[str]:
        """Set the true value by prediction id; gives back the ids that are not known."""
        ...

    def count(self, deployment: str, *, since: datetime | None = None) -> dict[int, dict[str, int]]:
        """``{version: {"requests", "rows", "errors", "truth"}}``: a batch is one request."""
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
        """In order of time; with ``limit`` the newest ones."""
        ...
