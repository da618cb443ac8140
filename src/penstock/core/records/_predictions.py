"""Logged predictions with their ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """A predicted row.

    Args:
        prediction_id: Unique id returned to the caller.
        deployment: The endpoint that answered.
        model: The model.
        version: The version that answered.
        at: Time of the prediction.
        unit: The id that sticky routing hashed; None if absent.
        inputs: The row by column name.
        prediction: The prediction: class label or number.
        score: Probability of the positive (or predicted) class; None for regression.
        latency_s: Seconds spent.
        warnings: Warnings returned to the caller.
        truth: Ground truth, once posted.
        truth_at: Time of the post.
        error: Set if the request failed: the model failed on the row, or refused the row although
            the second version of a rollout would have predicted.
        row_index: Position of the row in the request, from 0; a request that failed has a single
            record, with 0. Requests are counted by their first row.
        features: Looked-up features, by view: key, values, status, event time,
            knowledge time and version; of a request that has the features and the key, only the
            key. None if there was neither.
        form: The form of the version that answered, ``native`` or ``onnx``; None in older records,
            which the native form answered.
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
    features: Mapping[str, Any] | None = None
    form: str | None = None
