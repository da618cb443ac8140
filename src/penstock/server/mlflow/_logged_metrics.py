"""Points that are about a logged model: kept with the model as well as with the run."""

from typing import TYPE_CHECKING

from penstock.core import DocumentRecord, digest_bytes, now
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._fields import compact, encode, number
from penstock.server.mlflow._kinds import MODEL_METRIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.server.mlflow._metrics import SentMetric


def add_model_metrics(desk: Desk, run_id: str, metrics: "Sequence[SentMetric]") -> None:
    """Record the points that name a model; a point that is there already is not added again."""
    documents = []
    for metric in metrics:
        if not metric.model_id:
            continue
        body = {
            "key": metric.key,
            "value": number(metric.value),
            "timestamp": metric.timestamp,
            "step": metric.step,
            "model_id": metric.model_id,
            "run_id": run_id,
            **compact(dataset_name=metric.dataset_name, dataset_digest=metric.dataset_digest),
        }
        key = f"{metric.model_id}/{digest_bytes(encode(body)).removeprefix('sha256:')}"
        documents.append(DocumentRecord(MODEL_METRIC, key, metric.model_id, now(), body))
    if documents:
        desk.metadata.documents.add(documents)
