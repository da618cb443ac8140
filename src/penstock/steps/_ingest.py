"""The ingest step: DataSource -> Snapshot; apart because only this step reads a source."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from penstock.data import DataSource, Snapshot
from penstock.data import ingest as read_snapshot
from penstock.pipelines import step
from penstock.tracking import active_run


@step(source=True)
def ingest(
    source: DataSource,
    *,
    since: date | None = None,
    cutoff: date | None = None,
    expect: object = None,
    references: Mapping[Any, Any] | None = None,
) -> Snapshot:
    """Read a source between two times into a Snapshot with digests, schema and profile.

    Args:
        source: Source of the rows, for example ``ps.FileSource("rides.csv", time="start")``.
        since: Start of the time read (inclusive); a date is midnight in UTC.
        cutoff: End of the time read (exclusive): later rows, and rows at the cutoff, are left out.
        expect: ``ps.Expectations(…)``, ``"learned"`` (like the versions that were accepted before), a
            schema of pandera, or a list of them.
        references: By column the Snapshot that the values must exist in, for example
            ``{"customer": customers}``, or ``(customers, "id")`` for a column of a different name;
            ``(customers, "id", "warn")`` for a finding instead of an error.

    Returns:
        The rows, frozen. Columns that were added, are missing or changed type since the last
        reading of this source are named.

    Raises:
        DataError: If no row is left, or the source cannot be read.
        SchemaError: If a column of the last reading is missing or has a different type.
        ExpectationError: If the rows are not as expected.
    """
    run = active_run()
    return read_snapshot(
        source,
        since=since,
        cutoff=cutoff,
        expect=expect,
        references=references,
        store=run.store if run else None,
        run_id=run.run_id if run else None,
    )
