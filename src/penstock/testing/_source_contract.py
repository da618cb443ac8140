"""``SourceContract``: the test suite of every source of rows, built in or a plug-in's."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from penstock.core import PenstockError
from penstock.data import DataSource, ingest
from penstock.data.sources import PinnedSource, Scan, StampedSource, read_batches
from penstock.stores import Store, open_store

if TYPE_CHECKING:
    import polars as pl

START = datetime(2026, 3, 1, tzinfo=UTC)
CUTOFF = START + timedelta(days=6)


class SourceSystem(Protocol):
    """The system that a source reads: a folder, a table, a topic."""

    def add(self, rows: "pl.DataFrame") -> None:
        """Put rows behind those that are there."""
        ...

    def source(self, **options: Any) -> DataSource:
        """Return a source of all rows, with ``time`` and ``available_at`` from the options."""
        ...


def contract_rows(first: int, days: int) -> "pl.DataFrame":
    """Return a row per day from ``START + first days`` on; known an hour after the event."""
    import polars as pl

    ids = range(first, first + days)
    at = pl.Series("at", [START + timedelta(days=day) for day in ids])
    return pl.DataFrame(
        {
            "id": pl.Series(list(ids), dtype=pl.Int64),
            "at": at,
            "known": at + timedelta(hours=1),
            "who": [None if day % 5 == 3 else f"Zoë, «{day}»" for day in ids],
            "amount": [None if day % 4 == 1 else day + 0.25 for day in ids],
            "is_new": [day % 2 == 0 for day in ids],
        }
    )


def _day(number: int | None) -> datetime | None:
    return None if number is None else START + timedelta(days=number)


class SourceContract:
    """Base class of tests; a subclass returns an empty system from the fixture ``system``.

    Rows come with the columns ``id`` (integer), ``at`` and ``known`` (times in UTC), ``who`` (text),
    ``amount`` (number) and ``is_new`` (true or false); ``who`` and ``amount`` have missing values.
    """

    @pytest.fixture
    def system(self) -> SourceSystem:
        """Return a system without rows; replaced by the subclass."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Any) -> Store:
        """Return an empty store."""
        return open_store(f"sqlite:///{tmp_path}/contract.db")

    def test_all_rows_are_read_with_their_values_and_in_the_same_order_each_time(
        self, system: SourceSystem
    ) -> None:
        rows = contract_rows(0, 9)
        system.add(rows)
        snapshot = ingest(system.source(time="at"))
        assert set(rows.columns) <= set(snapshot.columns)
        read = snapshot.table.select(rows.columns).sort("id")
        assert read["at"].dt.replace_time_zone(None).to_list() == [
            moment.replace(tzinfo=None) for moment in rows["at"].to_list()
        ]
        for name in ("id", "who", "amount", "is_new"):
            assert read[name].to_list() == rows[name].to_list(), name
        again = ingest(system.source(time="at"))
        assert again.ordered_digest == snapshot.ordered_digest

    @pytest.mark.parametrize(
        ("since", "cutoff", "expected"),
        [(2, None, range(2, 9)), (None, 6, range(6)), (2, 6, range(2, 6))],
    )
    def test_no_row_outside_the_window_is_read(
        self, system: SourceSystem, since: int | None, cutoff: int | None, expected: range
    ) -> None:
        system.add(contract_rows(0, 9))  # the row of day 6 happened just at the cutoff
        snapshot = ingest(system.source(time="at"), since=_day(since), cutoff=_day(cutoff))
        assert sorted(snapshot.table["id"].to_list()) == list(expected)

    def test_a_row_that_became_known_after_the_cutoff_is_not_read(
        self, system: SourceSystem
    ) -> None:
        import polars as pl

        late = pl.when(pl.col("id") == 2).then(CUTOFF).otherwise("known").alias("known")
        system.add(contract_rows(0, 9).with_columns(late))
        snapshot = ingest(system.source(time="at", available_at="known"), cutoff=CUTOFF)
        assert sorted(snapshot.table["id"].to_list()) == [0, 1, 3, 4, 5]

    def test_a_window_without_rows_stops_and_nothing_is_recorded(
        self, system: SourceSystem, store: Store
    ) -> None:
        system.add(contract_rows(0, 3))
        source = system.source(time="at")
        with pytest.raises(PenstockError, match=source.name):
            ingest(source, since=START + timedelta(days=50), store=store)
        assert store.metadata.artifacts.last_snapshot(source.name) is None

    def test_the_description_is_plain_and_always_the_same(self, system: SourceSystem) -> None:
        system.add(contract_rows(0, 3))
        first, second = system.source(time="at").describe(), system.source(time="at").describe()
        assert json.loads(json.dumps(first)) == first == second
        assert first["name"] == system.source(time="at").name

    def test_equal_fingerprints_mean_equal_rows(self, system: SourceSystem) -> None:
        system.add(contract_rows(0, 3))
        before = system.source(time="at").fingerprint()
        if before is None:  # it cannot tell its state, and must never claim to
            system.add(contract_rows(3, 3))
            assert system.source(time="at").fingerprint() is None
            return
        assert json.loads(json.dumps(before)) == before == system.source(time="at").fingerprint()
        system.add(contract_rows(3, 3))
        assert system.source(time="at").fingerprint() != before

    def test_a_stamp_differs_when_the_state_does(self, system: SourceSystem) -> None:
        system.add(contract_rows(0, 3))
        source = system.source(time="at")
        if not isinstance(source, StampedSource):
            return
        before = source.stamp()
        if before is None:  # it has no cheap mark
            return
        assert before == source.stamp()
        system.add(contract_rows(3, 3))
        assert source.stamp() != before

    def test_what_was_read_is_recorded_and_can_be_read_again(
        self, system: SourceSystem, store: Store
    ) -> None:
        system.add(contract_rows(0, 4))
        source = system.source(time="at")
        first = ingest(source, store=store)
        record = store.metadata.artifacts.last_snapshot(source.name)
        assert record is not None
        assert json.loads(json.dumps(dict(record.read))) == record.read
        if not isinstance(source, PinnedSource):
            return
        system.add(contract_rows(4, 4))
        try:
            again = ingest(source.pinned(record.read)).ordered_digest
        except PenstockError as error:
            again = error.what  # what is gone is named, and other rows are never given instead
        assert again == first.ordered_digest or "changed" in again or "gone" in again
        assert ingest(source).rows == 8

    def test_batches_have_equal_columns(self, system: SourceSystem) -> None:
        system.add(contract_rows(0, 5))
        system.add(contract_rows(5, 5))
        source = system.source(time="at")
        scan = source.scan()
        batches = list(read_batches(scan, source.name))
        assert sum(batch.height for batch in batches) == 10
        if isinstance(scan, Scan):
            assert json.dumps(scan.reading.facts)
