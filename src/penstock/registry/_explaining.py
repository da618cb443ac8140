"""Explanations of a registered version's predictions, against the rows of the evaluation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ModelVersionRecord,
    NotFoundError,
    PredictionRecord,
    SerializationError,
    StoreError,
)
from penstock.models import Explanation, Model

if TYPE_CHECKING:
    import polars as pl

    from penstock.stores import Store

_BACKGROUND_ROWS = 100


def explain_version(
    version: ModelVersionRecord, rows: Sequence[Mapping[str, Any]], *, store: "Store"
) -> Explanation:
    """Explain the predictions of rows by a registered version.

    Args:
        version: The version.
        rows: Inputs by column name, as a request to the model server has them.
        store: Store of the version.

    Raises:
        DataError: If a row cannot be read, or the contributions do not add up.
        MissingPackageError: If shap is not installed.
    """
    return explain_loaded(Model.load(version, store=store), version, rows, store=store)


def explain_loaded(
    model: Model,
    version: ModelVersionRecord,
    rows: Sequence[Mapping[str, Any]],
    *,
    limit_s: float | None = None,
    store: "Store",
) -> Explanation:
    """Explain the predictions of rows by a registered version that is loaded.

    Args:
        model: The loaded version.
        version: The version.
        rows: Inputs by column name, as a request to the model server has them.
        limit_s: Seconds of predicting after which models that are not trees give up; or None.
        store: Store of the version.

    Raises:
        ServingError: If the computation takes longer than the limit.
        DataError: If a row cannot be read, or the contributions do not add up.
        MissingPackageError: If shap is not installed.
    """
    frame, _ = model.signature.check_rows(rows)
    return model.explain(frame, background=_background(version, store), limit_s=limit_s)


def explain_prediction(prediction_id: str, *, store: "Store") -> Explanation:
    """Explain a logged prediction by the version of that prediction.

    Args:
        prediction_id: Id of the prediction.
        store: Store of the prediction and the version.

    Raises:
        NotFoundError: If there is no such prediction, or the inputs are erased.
        DataError: If the inputs cannot be read, or the contributions do not add up.
        MissingPackageError: If shap is not installed.
    """
    record = store.metadata.predictions.get(prediction_id)
    version = store.metadata.models.get_version(record.model, record.version)
    return explain_version(version, [inputs_of(record)], store=store)


def inputs_of(record: PredictionRecord) -> Mapping[str, Any]:
    """Return the inputs of a logged prediction.

    Raises:
        NotFoundError: If they are erased, or the request failed before being read.
    """
    if not record.inputs:
        raise NotFoundError(
            what=f"The inputs of prediction {record.prediction_id} are not in the store.",
            why="An explanation is computed from the inputs.",
            fix="Explain another prediction, or give the inputs: penstock explain MODEL --row JSON.",
        )
    return record.inputs


def _background(version: ModelVersionRecord, store: "Store") -> "pl.DataFrame | None":
    """Return test rows of the version's report; None if the report is not there."""
    if version.report is None:
        return None
    try:
        rows: pl.DataFrame = store.get(version.report).holdout.X
    except (AttributeError, NotFoundError, SerializationError, StoreError):
        return None
    return rows.sample(min(rows.height, _BACKGROUND_ROWS), seed=0)
