"""``ingest``: read a source into a Snapshot, inside the window, and check the schema."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, ParameterError, SnapshotRecord, digest_json, now
from penstock.data._dataset import last_reading, require_dataset_name
from penstock.data._enforced import WindowGuard
from penstock.data._judgement import judge_rows
from penstock.data._learned import COPIES, Expected, LearnedExpectations, as_expectations
from penstock.data._memory import Memory, memory_of
from penstock.data._norm import count_copies
from penstock.data._references import as_references
from penstock.data._schema import check_schema
from penstock.data._snapshot import Snapshot
from penstock.data._table_writer import TableWriter, WrittenTable
from penstock.data.sources import (
    DataSource,
    IncrementalSource,
    Reading,
    RememberingSource,
    Scan,
    Window,
    read_batches,
)
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.data._moments import Moment
    from penstock.stores import Store, TableChunk

_DUTIES = ("name", "time", "describe", "fingerprint", "scan")


def ingest(
    source: DataSource,
    *,
    since: "Moment | None" = None,
    cutoff: "Moment | None" = None,
    expect: object = None,
    references: Mapping[Any, Any] | None = None,
    run_id: str | None = None,
    store: "Store | str | None" = None,
) -> Snapshot:
    r"""Read the rows of a source with ``since <= time < cutoff`` and freeze them.

    The window is checked on the rows of every source. A row outside stops the reading, and nothing
    is stored; for a source that declares ``cut_by_ingest = True`` such rows are removed and
    counted.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from penstock.data import FileSource
    >>> path = Path(tempfile.mkdtemp()) / "rides.csv"
    >>> _ = path.write_text("day,tip\n2016-01-01,2.5\n2016-01-02,0\n")
    >>> snapshot = ingest(FileSource(path, time="day"), cutoff="2016-01-02")
    >>> snapshot.table["tip"].to_list()
    [2.5]

    Args:
        source: The source to read.
        since: First moment, included; a date, a datetime or ISO text.
        cutoff: Last moment, not included.
        expect: ``Expectations``, ``"learned"`` (like the accepted versions in the store), a schema
            of pandera, or a list of them; rows that are not as expected stop the reading, or are warned of.
        references: By column the Snapshot (or frame) that the values must exist in: ``customers``
            for a column of the same name, ``(customers, "id")`` for a different column, with
            ``"warn"`` at the end for a finding instead of an error. A tuple of columns refers to a
            tuple of columns.
        run_id: The run that reads, for the record.
        store: If passed, columns have the types of the source's last reading recorded there, the
            schema is checked against that reading, and this reading is recorded.

    Raises:
        NotFoundError: If the file or the time column does not exist.
        DataError: If nothing can be read, no row lies in the range, or a row lies outside the
            range.
        SchemaError: If a column is missing or has a different type than at the last reading.
        ExpectationError: If the rows are not as expected.
    """
    if isinstance(source, type) or not isinstance(source, DataSource):
        raise _no_source(source)
    require_dataset_name(source.name)
    store = None if store is None else open_store(store)
    expected = as_expectations(expect)
    refers = as_references(references)
    window = Window.of(source, since, cutoff)
    memory = None if store is None else memory_of(source, store)
    if memory is not None and isinstance(source, RememberingSource):
        source = source.remembering(memory.rules)
    last = None if store is None else last_reading(store, source.name)
    if isinstance(source, IncrementalSource) and store is not None:
        source = _continuing(source, store, last)
    written, reading = _read(source, window, store, () if last is None else last.chunks.chunks)
    snapshot = Snapshot.of_written(
        written,
        source=source.describe(),
        time=source.time,
        time_format=window.time_format,
        since=since,
        cutoff=cutoff,
        findings=tuple(reading.findings),
        reading=reading.rules,
    )
    if memory is not None:
        changes = check_schema(memory.schema, snapshot.schema) if memory.schema else []
        snapshot = snapshot.with_findings(changes)
    snapshot = judge_rows(snapshot, source.name, [*expected, *refers], store)
    if store is not None and memory is not None:
        snapshot = snapshot.with_joint() if _learns(expected) else snapshot
        copies = {COPIES: count_copies(snapshot.batches())} if _learns(expected) else {}
        facts = {**reading.facts, **copies}
        store.metadata.artifacts.add_snapshot(_record(snapshot, source.name, facts, run_id, memory))
    return snapshot


def _read(
    source: DataSource, window: Window, store: "Store | None", known: "Sequence[TableChunk]"
) -> "tuple[WrittenTable, Reading]":
    guard = WindowGuard(source, window)
    writer = TableWriter(store, known)
    rows = 0
    scan = source.scan(window.since, window.cutoff)
    for batch in guard.batches(read_batches(scan, source.name)):
        rows += batch.height
        writer.add(batch)
    reading = scan.reading if isinstance(scan, Scan) else Reading()
    guard.finish(reading)
    if not rows:
        raise _no_rows(source, window, reading)
    return writer.finish(), reading


def _continuing(
    source: IncrementalSource, store: "Store", last: Snapshot | None
) -> IncrementalSource:
    """Return the source after the last reading, if that was of the same place and options."""
    if last is None or digest_json(dict(last.source)) != digest_json(source.describe()):
        return source.continuing(None)
    record = store.metadata.artifacts.last_snapshot(source.name)
    if record is None or record.run_id is None or record.ordered_digest != last.ordered_digest:
        return source.continuing(None)  # another run has read it in the meantime
    # Of the run, not of the record: rows may come while others are read.
    run = store.metadata.runs.get(record.run_id)
    return source.continuing(last, run.started_at or run.created_at, record.read)


def _no_source(value: Any) -> ParameterError:
    lacking = [name for name in _DUTIES if not hasattr(value, name)]
    if isinstance(value, type):
        return ParameterError(
            what=f"{value.__name__} is a class, no data source.",
            fix=f"Create one: {value.__name__}(…).",
        )
    if len(lacking) in {0, len(_DUTIES)}:
        return ParameterError(
            what=f"{value!r:.80} is no data source.",
            fix='Give for example FileSource("table.csv").',
        )
    return ParameterError(
        what=f"{type(value).__name__} is no data source: it has no {', '.join(lacking)}.",
        fix="See penstock.data.DataSource; penstock.testing.SourceContract checks a source.",
    )


def _no_rows(source: DataSource, window: "Window", reading: Reading) -> DataError:
    limited = window.since is not None or window.cutoff is not None
    said = [finding.message for finding in reading.findings if finding.level == "warn"]
    return DataError(
        what=f"Source '{source.name}' gave no rows{' in the window' if limited else ''}.",
        why=" ".join([*said, "There is nothing to learn from."]),
        fix="Check the source, since and cutoff.",
    )


def _learns(expected: Sequence[Expected]) -> bool:
    return any(isinstance(each, LearnedExpectations) for each in expected)


def _record(
    snapshot: Snapshot, name: str, facts: Mapping[str, Any], run_id: str | None, memory: Memory
) -> SnapshotRecord:
    limits = {
        limit: moment.isoformat()
        for limit, moment in (("since", snapshot.since), ("cutoff", snapshot.cutoff))
        if moment is not None
    }
    return SnapshotRecord(
        source=name,
        run_id=run_id,
        at=now(),
        schema=memory.remember(snapshot),
        ordered_digest=snapshot.ordered_digest,
        order_free_digest=snapshot.order_free_digest,
        rows=snapshot.rows,
        read={**facts, **limits},
    )
