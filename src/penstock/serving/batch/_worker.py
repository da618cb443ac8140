"""The work on a part in any place: in this process, in a worker process, as a Ray task."""

import hashlib
import io
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from penstock.serving._served_version import ServedVersion
from penstock.serving.batch._options import BatchOptions
from penstock.serving.batch._part import PartPredictions, predict_part
from penstock.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from penstock.tables.reading import ReadingRule


@dataclass(frozen=True, slots=True)
class PartWork:
    """A part to predict, with all that a worker needs; can be pickled.

    Args:
        store: URL of the store.
        model: The model's name.
        version: The model's version.
        batch_id: The run.
        number: Place among the parts.
        first_row: Number of the first row in the source.
        rows: Rows of the part.
        digest: Digest of the rows, where needed to recognize them.
        options: See BatchOptions.
        form: The form that answers.
        table: The rows; None where the part is finished already.
        rules: How the texts of a source are read, for inputs that had none in training.
    """

    store: str
    model: str
    version: int
    batch_id: str
    number: int
    first_row: int
    rows: int
    digest: str
    options: BatchOptions
    form: str
    table: "pl.DataFrame | None"
    rules: "Mapping[str, ReadingRule]" = field(default_factory=dict)


def work_on(work: PartWork) -> tuple[PartWork, PartPredictions | None]:
    """Predict a part.

    Returns:
        The work without rows, and the predictions; None for a part that was finished already.
    """
    done = PartWork(
        work.store,
        work.model,
        work.version,
        work.batch_id,
        work.number,
        work.first_row,
        work.rows,
        work.digest,
        work.options,
        work.form,
        None,
    )
    if work.table is None:
        return done, None
    served = _load(work.store, work.model, work.version, work.form)
    predictions = predict_part(
        served,
        work.table,
        first_row=work.first_row,
        batch_id=work.batch_id,
        options=work.options,
        rules=work.rules,
    )
    return done, predictions


def digest_part(table: "pl.DataFrame") -> str:
    """Return a digest of a part's rows, types and order."""
    data = io.BytesIO()
    table.write_ipc_stream(data)
    return hashlib.sha256(data.getbuffer()).hexdigest()


@lru_cache(maxsize=1)
def _load(store: str, model: str, version: int, form: str) -> ServedVersion:
    opened = open_store(store)
    record = opened.metadata.models.get_version(model, version)
    return ServedVersion.load(opened, record, form, strict=True)
