"""The ingest step: DataSource -> Snapshot; apart because it is the only step that reads a source."""

from datetime import date

from penstock.data import DataSource, Snapshot
from penstock.data import ingest as read_snapshot
from penstock.pipelines import step
from penstock.tracking import current_run


@step(source=True)
def ingest(
    source: DataSource, *, since: date | None = None, cutoff: date | None = None
) -> Snapshot:
    """Read a source between two times into a Snapshot with its digests, schema and profile.

    Args:
        source: Where the rows are, for example ``ps.FileSource("rides.csv", time="start")``.
        since: First time read (inclusive); a date is its midnight in UTC.
        cutoff: End of the time read (exclusive): no row at or after it gets in.

    Returns:
        The rows, frozen. Columns that were added, are missing or changed type since the last
        reading of this source are named.

    Raises:
        DataError: If nothing is left, or the source cannot be read.
        SchemaError: If a column of the last reading is missing or has another type.
    """
    run = current_run()
    return read_snapshot(
        source,
        since=since,
        cutoff=cutoff,
        store=run.store if run else None,
        run_id=run.run_id if run else None,
    )
