"""Batches: all rows of a source predicted as the model server predicts them, into a file."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.serving.batch._options import Refused as Refused
    from penstock.serving.batch._options import target_column as target_column
    from penstock.serving.batch._predict import BatchPrediction as BatchPrediction
    from penstock.serving.batch._predict import predict as predict
    from penstock.serving.batch._records import EXPERIMENT as EXPERIMENT
    from penstock.serving.batch._records import MANIFEST as MANIFEST
    from penstock.serving.batch._records import RecordedBatch as RecordedBatch
    from penstock.serving.batch._records import get_batch as get_batch
    from penstock.serving.batch._records import list_batches as list_batches
    from penstock.serving.batch._target import BatchTarget as BatchTarget
    from penstock.serving.batch._target import read_prediction as read_prediction

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BatchPrediction": "_predict",
        "BatchTarget": "_target",
        "EXPERIMENT": "_records",
        "MANIFEST": "_records",
        "RecordedBatch": "_records",
        "get_batch": "_records",
        "list_batches": "_records",
        "Refused": "_options",
        "predict": "_predict",
        "read_prediction": "_target",
        "target_column": "_options",
    },
)
