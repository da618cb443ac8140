"""find_batch_prediction: a prediction of a batch by id: the batch's run and the row's number."""

import re
from typing import Any

from penstock.core import NotFoundError, PredictionRecord, RunRecord
from penstock.serving import batch
from penstock.stores import Store

_ID = re.compile(r"([0-9a-z]{20})-([0-9]{1,15})")
_GONE = "the file of the batch is no longer there"


def find_batch_prediction(store: Store, prediction_id: str) -> PredictionRecord | None:
    """Return a prediction of a batch; None if no batch has this id.

    The prediction itself is read from the batch's file, while that is there.

    Args:
        store: The store of the batch's run.
        prediction_id: The id.

    Raises:
        NotFoundError: If the batch has no such row, or refused that row.
    """
    parts = _ID.fullmatch(prediction_id)
    if parts is None:
        return None
    try:
        run = store.metadata.runs.get(parts[1])
    except NotFoundError:
        return None
    logged = store.metadata.artifacts.list(run.run_id)
    if run.experiment != batch.EXPERIMENT or batch.MANIFEST not in logged:
        return None
    manifest: dict[str, Any] = store.load(logged[batch.MANIFEST])
    return _read(run, manifest, prediction_id, int(parts[2]))


def _read(
    run: RunRecord, manifest: dict[str, Any], prediction_id: str, row: int
) -> PredictionRecord:
    target = batch.BatchTarget(manifest["out"], manifest["format"])
    is_there = not target.is_remote and target.path.exists()
    batch_row = batch.read_prediction(target, prediction_id) if is_there else None
    if row >= manifest["rows"] or (is_there and batch_row is None):
        raise NotFoundError(
            what=f"Batch {run.run_id} predicted no row {row:,}.",
            why=f"It read {manifest['rows']:,} rows, numbered from 0, and refused"
            f" {manifest['refused']:,}.",
            fix=f"Refused rows are in {manifest['refused_out']}."
            if manifest["refused_out"]
            else "Take the id from the column prediction_id.",
        )
    known = batch_row or {}
    targets = {batch.target_column(name): name for name in manifest.get("targets", ())}
    own = {"prediction_id", "prediction", "score", "warnings", *targets}
    prediction = known.get("prediction")
    if known and targets:
        prediction = {name: known[column] for column, name in targets.items()}
    texts = known.get("warnings") or ()
    return PredictionRecord(
        prediction_id=prediction_id,
        deployment=f"batch {run.run_id}",
        model=manifest["model"],
        version=manifest["version"],
        at=run.ended_at or run.created_at,
        inputs={name: value for name, value in known.items() if name not in own},
        prediction=prediction,
        score=known.get("score"),
        warnings=(texts,) if isinstance(texts, str) else tuple(texts),
        error=None if known else _GONE,
        row_index=row,
    )
