"""The rows of a window: logged predictions, read as the server read them, as columns."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, PredictionRecord, now
from penstock.models import Signature
from penstock.stores import Store

if TYPE_CHECKING:
    import polars as pl

EVERYTHING = datetime(1, 1, 1, tzinfo=UTC)
"""The ``since`` of a window over all rows of a version."""

_RECENT = timedelta(days=1)
_RECENT_ROWS = 1_000
_RECENT_TRUTHS = 5_000
_ROWS_AT_ONCE = 10_000


def read_window(
    store: Store,
    deployment: str,
    version: int,
    since: datetime | None,
    until: datetime | None,
    most: int,
) -> list[PredictionRecord]:
    """Read the window's rows, oldest first."""

    def read(start: datetime | None, limit: int) -> list[PredictionRecord]:
        return store.metadata.predictions.list(
            deployment, version=version, since=start, until=until, limit=limit
        )

    records = read(since or (until or now()) - _RECENT, most)
    if since is None and len(records) < _RECENT_ROWS:
        records = read(None, min(_RECENT_ROWS, most))
    # Rows of one request share their time; ordering by id too makes the order reproducible.
    return sorted(records, key=lambda one: (one.at, one.prediction_id))


def add_truth(
    store: Store,
    deployment: str,
    rows: list[PredictionRecord],
    version: int,
    since: datetime | None,
    until: datetime | None,
) -> list[PredictionRecord]:
    """Add the newest rows with ground truth: labels are often delayed by more than a day."""
    if since is not None:
        return rows
    older = store.metadata.predictions.list(
        deployment, version=version, until=until, with_truth=True, limit=_RECENT_TRUTHS
    )
    window = {row.prediction_id for row in rows}
    added = [row for row in older if row.error is None and row.prediction_id not in window]
    return [*added, *rows]


def frame_of(rows: Sequence[PredictionRecord], signature: Signature) -> "pl.DataFrame":
    """Parse the callers' rows as the server parsed them: "$5" is a number, and 0 may be false."""
    import polars as pl

    if not rows:
        return pl.DataFrame(schema=dict.fromkeys(signature.names, pl.Null))
    sent = [row.inputs for row in rows]
    try:
        read = [
            signature.check_rows(sent[start : start + _ROWS_AT_ONCE])[0]
            for start in range(0, len(sent), _ROWS_AT_ONCE)
        ]
    except DataError:  # the server refuses such rows; logs filled elsewhere are used as they are
        read = []
    table = pl.concat(read) if read else pl.DataFrame()
    return pl.DataFrame(
        [
            # An Enum cannot hold a category absent from training.
            table[column.name]
            if column.name in table.columns and column.family != "enum"
            else series_of(column.name, [row.get(column.name) for row in sent], column.family)
            for column in signature.inputs
        ]
    )


def series_of(name: str, values: list[Any], family: str = "") -> "pl.Series":
    """Build a column from callers' values, which may mix 1 and 1.5, or 1 and true."""
    import polars as pl

    kinds = set(map(type, values)) - {type(None)}
    if family == "boolean" and len(kinds) > 1:
        return pl.Series(name, [None if value is None else bool(value) for value in values])
    if float in kinds and kinds <= {int, float}:
        return pl.Series(name, values, pl.Float64, strict=False)
    if len(kinds) <= 1:
        return pl.Series(name, values, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in values])
