"""Logged predictions with their ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One answered row.

    Args:
        prediction_id: Unique id given to the caller.
        deployment: The endpoint that answered.
        model: The model.
        version: The version that answered.
        at: When.
        unit: The id that sticky routing hashed; None if none was given.
        inputs: The row by column name.
        prediction: The answer: class label or number.
        score: Probability of the positive (or predicted) class; None for regression.
        latency_s: Seconds spent.
        warnings: What the caller was warned of.
        truth: The true value, once posted.
        truth_at: When it was posted.
        error: Set if the request failed: the model failed on the row, or refused it although the
            version beside it in a rollout would have answered.
        row_index: Place of the row in its request, from 0; a request that failed has one record,
            with 0. Requests are counted by their first row.
    """

    prediction_id: str
    deployment: str
    model: str
    version: int
    at: datetime
    inputs: Mapping[str, Any]
    prediction: Any
    unit: str | None = None
    score: float | None = None
    latency_s: float = 0.0
    warnings: tuple[str, ...] = ()
    truth: Any = None
    truth_at: datetime | None = None
    error: str | None = None
    row_index: int = 0
