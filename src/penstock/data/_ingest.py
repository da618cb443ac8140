"""``ingest``: read a source into a Snapshot and hold its schema against the last reading's."""

from typing import TYPE_CHECKING

from penstock.core import DataError, ParameterError, SchemaError, SnapshotRecord, now
from penstock.data._finding import Finding
from penstock.data._schema import Schema, check_schema
from penstock.data._snapshot import Snapshot
from penstock.data.sources import DataSource, NotingSource, Reading

if TYPE_CHECKING:
    from penstock.data._moments import Moment
    from penstock.stores import Store


def ingest(
    source: DataSource,
    *,
    since: "Moment | None" = None,
    cutoff: "Moment | None" = None,
    store: "Store | None" = None,
    run_id: str | None = None,
) -> Snapshot:
    r"""Read the rows of a source with ``since <= time < cutoff`` and freeze them.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from penstock.data import FileSource
    >>> path = Path(tempfile.mkdtemp()) / "rides.csv"
    >>> _ = path.write_text("day,tip\n2016-01-01,2.5\n2016-01-02,0\n")
    >>> snapshot = ingest(FileSource(path, time="day"), cutoff="2016-01-02")
    >>> snapshot.table["tip"].to_list()
    [2.5]

    Args:
        source: Where to read.
        since: First moment, included; a date, a datetime or ISO text.
        cutoff: Last moment, not included.
        store: If given, the schema is checked against the source's last reading recorded there,
            and this reading is recorded.
        run_id: The run that reads, for the record.

    Raises:
        NotFoundError: If the file or the time column does not exist.
        DataError: If nothing can be read, or no row lies in the range.
        SchemaError: If a column is gone or has another type than at the last reading.
    """
    if not isinstance(source, DataSource):
        raise ParameterError(
            what=f"{source!r:.80} is no data source.",
            fix='Give for example FileSource("table.csv").',
        )
    reading = _read(source, since, cutoff)
    if not reading.table.height or not reading.table.width:
        raise DataError(
            what=f"Source '{source.name}' gave no rows.",
            why="There is nothing to learn from.",
            fix="Check the source, since and cutoff.",
        )
    snapshot = Snapshot.of(
        reading.table,
        source=source.describe(),
        time=source.time,
        since=since,
        cutoff=cutoff,
        findings=reading.findings,
    )
    return snapshot if store is None else _record(snapshot, source.name, store, run_id)


def _read(source: DataSource, since: "Moment | None", cutoff: "Moment | None") -> Reading:
    if isinstance(source, NotingSource):
        return source.read_noted(since, cutoff)
    return Reading(source.read(since, cutoff))


def _record(snapshot: Snapshot, name: str, store: "Store", run_id: str | None) -> Snapshot:
    last = store.metadata.last_snapshot(name)
    changes = check_schema(Schema.from_json(last.schema), snapshot.schema) if last else []
    failures = [finding for finding in changes if finding.level == "fail"]
    if failures:
        raise _changed(name, failures)
    store.metadata.add_snapshot(
        SnapshotRecord(
            source=name,
            run_id=run_id,
            at=now(),
            schema=snapshot.schema.to_json(),
            ordered_digest=snapshot.ordered_digest,
            order_free_digest=snapshot.order_free_digest,
            rows=snapshot.rows,
        )
    )
    return snapshot.with_findings(changes)


def _changed(name: str, failures: list[Finding]) -> SchemaError:
    shown = " ".join(finding.message for finding in failures[:5])
    more = f" And {len(failures) - 5} more." if len(failures) > 5 else ""  # noqa: PLR2004 - five examples
    return SchemaError(
        what=f"Source '{name}' has changed since it was last read. {shown}{more}",
        why="The steps after it expect the columns they were written for.",
        fix="Mend the source, or give it another name= if the change is meant.",
        columns=[finding.column for finding in failures],
    )
