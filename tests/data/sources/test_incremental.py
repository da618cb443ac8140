"""Only new rows are read, and the rows are those of a whole reading."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import penstock as ps
from penstock.core import ParameterError, StepError
from penstock.data import digest_table
from penstock.data.sources._incremental import IncrementalSource
from penstock.data.sources._window import Window
from penstock.execution import QuietReporter

START = datetime(2026, 1, 1, tzinfo=UTC)


class Rides:
    """A source in memory that records which windows were asked for."""

    name = "rides"
    time: Any = "at"

    def __init__(self, table: pl.DataFrame) -> None:
        self.table = table
        self.asked: list[Any] = []

    def describe(self):
        return {"name": self.name}

    def fingerprint(self):
        return {}

    def scan(self, since=None, cutoff=None):
        self.asked.append(since)
        kept, _ = Window.of(self, since, cutoff).keep(self.table)
        return [kept]


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def rows(days: list[int], start: int = 0) -> pl.DataFrame:
    numbers = range(start, start + len(days))
    return pl.DataFrame({"id": numbers, "at": [day(one) for one in days], "tip": [n * 0.5 for n in numbers]})  # fmt: skip


@ps.pipeline
def read(source, cutoff=None):
    ps.steps.ingest(source, cutoff=cutoff)


def ingested(source, store, cutoff=None):
    return run(read, store, source=source, cutoff=cutoff)


def run(job, store, **params):
    result = ps.run(job, store=store, reporter=QuietReporter(), **params)
    return result.step_output("ingest")


@pytest.fixture
def store(tmp_path):
    with ps.open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        yield store


def test_the_second_reading_starts_where_the_first_ended(store):
    source = Rides(rows([0, 0, 1, 1, 2]))
    wrapped = ps.data.IncrementalSource(source)
    first = ingested(wrapped, store, cutoff=day(2))
    assert first.rows == 4
    source.table = rows([0, 0, 1, 1, 2, 2, 3])
    second = ingested(wrapped, store, cutoff=day(3))
    assert source.asked == [None, day(2)]
    assert second.table["id"].to_list() == [0, 1, 2, 3, 4, 5]
    (note,) = [finding for finding in second.findings if finding.rule == "incremental"]
    assert note.message == (
        "4 rows of the last version stay; 2 rows from 2026-01-03 00:00 on were read,"
        " 0 of the last version stood in their place."
    )


def test_rows_within_the_lateness_are_found_and_deleted_ones_are_gone(store):
    source = Rides(rows([0, 1, 2, 3]))
    wrapped = ps.data.IncrementalSource(source, lateness="2d")
    ingested(wrapped, store, cutoff=day(4))
    source.table = pl.concat([rows([0, 1, 2]), rows([2, 4], start=10)])  # 3 is gone, 10 came late
    assert ingested(wrapped, store, cutoff=day(5)).table["id"].to_list() == [0, 1, 2, 10, 11]
    source.table = pl.concat([source.table, rows([0, 5], start=20)])
    assert ingested(wrapped, store, cutoff=day(6)).table["id"].to_list() == [0, 1, 2, 10, 11, 21]
    assert ingested(source, store, cutoff=day(6)).table["id"].to_list() == [0, 1, 2, 10, 11, 20, 21]


def test_without_a_cutoff_the_latest_time_is_read_again(store):
    source = Rides(rows([0, 1, 2]))
    wrapped = ps.data.IncrementalSource(source)
    ingested(wrapped, store)
    source.table = rows([0, 1, 2, 2, 3])
    assert ingested(wrapped, store).rows == 5
    assert source.asked[-1] == day(2)


def test_a_key_replaces_the_earlier_row(store):
    source = Rides(rows([0, 0, 1, 1]))
    wrapped = ps.data.IncrementalSource(source, key="id")
    ingested(wrapped, store, cutoff=day(2))
    changes = pl.DataFrame(
        {"id": [1, 9, 9], "at": [day(2), day(3), day(2)], "tip": [7.0, 8.0, 6.0]}
    )
    source.table = pl.concat([rows([0, 0, 1, 1]), changes])
    found = ingested(wrapped, store, cutoff=day(5)).table
    assert found["id"].to_list() == [0, 2, 3, 1, 9]
    assert found["tip"].to_list() == [0.0, 1.0, 1.5, 7.0, 8.0]


def test_append_only_stops_at_a_changed_row(store):
    source = Rides(rows([0, 1, 2, 2]))
    wrapped = ps.data.IncrementalSource(source, lateness="3d", append_only=True)
    ingested(wrapped, store, cutoff=day(3))
    source.table = rows([0, 1, 2, 2, 3])
    assert ingested(wrapped, store, cutoff=day(4)).rows == 5
    changed = rows([0, 1, 2, 2, 3, 4])
    changed[2, "tip"] = 99.0
    source.table = changed
    with pytest.raises(
        StepError, match=r"1 of 4 rows of 'rides'.*gone or different.*id=2, at=2026"
    ):
        ingested(wrapped, store, cutoff=day(5))


def test_nothing_new_is_no_error_and_the_same_rows(store):
    source = Rides(rows([0, 1]))
    wrapped = ps.data.IncrementalSource(source)
    first = ingested(wrapped, store, cutoff=day(2))
    again = ingested(wrapped, store, cutoff=day(3))
    assert again.ordered_digest == first.ordered_digest
    assert store.digest(again.chunks.read()) == store.digest(first.chunks.read())


@pytest.mark.parametrize("change", ["since", "earlier cutoff", "options", "columns"])
def test_what_the_last_version_does_not_cover_is_read_whole(store, change):
    source = Rides(rows([0, 1, 2, 3]))
    wrapped = ps.data.IncrementalSource(source)
    ingested(wrapped, store, cutoff=day(3))
    cutoff = day(4)
    if change == "earlier cutoff":
        cutoff = day(2)
    elif change == "options":
        source.describe = lambda: {"name": "rides", "separator": ";"}  # type: ignore[method-assign]
    elif change == "columns":
        source.table = source.table.with_columns(pl.col("tip").cast(pl.Float32))
    if change == "since":
        snapshot = run(read_since, store, source=wrapped)
    else:
        snapshot = ingested(wrapped, store, cutoff=cutoff)
    assert source.asked[-1] in (None, day(1))
    assert any("All of 'rides' was read" in finding.message for finding in snapshot.findings)


@ps.pipeline
def read_since(source):
    ps.steps.ingest(source, since=day(1), cutoff=day(4))


@given(seed=st.integers(0, 10_000))
def test_rows_that_come_in_time_make_the_rows_of_a_whole_reading(seed):
    draw = random.Random(seed)
    lateness = draw.randrange(3)
    arrivals = sorted(
        (at + draw.randint(0, lateness), at, number)
        for number, at in enumerate(draw.randrange(10) for _ in range(draw.randrange(1, 40)))
    )
    source = Rides(rows([]))
    earlier: Any = None
    wrapped = IncrementalSource(source, lateness=timedelta(days=lateness))
    for today in range(1, 14, draw.choice([1, 2, 3])):
        here = sorted((at, number) for arrived, at, number in arrivals if arrived < today)
        if not here:
            continue
        source.table = pl.DataFrame(
            {
                "id": [n for _, n in here],
                "at": [day(at) for at, _ in here],
                "tip": [0.5] * len(here),
            }
        )
        scan = wrapped.continuing(earlier).scan(None, day(today))
        table = pl.concat(list(scan))
        assert digest_table(table) == digest_table(source.table)
        earlier = _Earlier(table, day(today))


class _Earlier:
    since = None
    last_time = None

    def __init__(self, table: pl.DataFrame, cutoff: datetime) -> None:
        self.table, self.cutoff, self.ordered_digest = table, cutoff, digest_table(table)

    def batches(self, columns=None):
        table = self.table if columns is None else self.table.select(columns)
        return table.iter_slices(5)


def test_a_source_without_times_and_two_meanings_are_refused():
    source = Rides(rows([0]))
    source.time = None
    with pytest.raises(ParameterError, match=r"'rides' has no time column"):
        IncrementalSource(source)
    with pytest.raises(ParameterError, match=r"key= and append_only=True"):
        IncrementalSource(Rides(rows([0])), key="id", append_only=True)


class UncutRides(Rides):
    """A source that leaves the cut to ingest, as those of tables and topics do."""

    cut_by_ingest = True

    def scan(self, since=None, cutoff=None):
        self.asked.append(since)
        return self.table.iter_slices(2)


def test_a_source_that_leaves_the_cut_to_ingest_gives_no_row_twice(store):
    source = UncutRides(rows([0, 1, 2]))
    wrapped = ps.data.IncrementalSource(source)
    ingested(wrapped, store, cutoff=day(2))
    source.table = rows([0, 1, 2, 3])
    assert ingested(wrapped, store, cutoff=day(3)).table["id"].to_list() == [0, 1, 2]


def test_a_change_after_the_cutoff_hides_no_row_of_its_key(store):
    source = UncutRides(rows([0, 1]))
    wrapped = ps.data.IncrementalSource(source, key="id")
    ingested(wrapped, store, cutoff=day(2))
    changes = pl.DataFrame({"id": [1, 1], "at": [day(2), day(3)], "tip": [7.0, 8.0]})
    source.table = pl.concat([rows([0, 1]), changes])
    found = ingested(wrapped, store, cutoff=day(3)).table
    assert found.select("id", "tip").rows() == [(0, 0.0), (1, 7.0)]


def test_rows_of_another_place_with_the_same_name_do_not_stay(store, tmp_path):
    for folder, tips in (("a", [1, 2]), ("b", [7, 8])):
        (tmp_path / folder).mkdir()
        table = pl.DataFrame({"at": [day(0), day(1)], "tip": tips})
        table.write_parquet(tmp_path / folder / "rides.parquet")
        source = ps.FileSource(tmp_path / folder / "rides.parquet", time="at")
        found = ingested(ps.data.IncrementalSource(source), store).table
        assert found["tip"].to_list() == tips


def test_rows_that_come_before_a_cutoff_yet_to_come_are_read(store):
    today = datetime.now(UTC).replace(microsecond=0)

    def at(*hours: int) -> pl.DataFrame:
        return pl.DataFrame({"at": [today + timedelta(hours=hour) for hour in hours]})

    source = Rides(at(-2, -1))
    wrapped = ps.data.IncrementalSource(source)
    ingested(wrapped, store, cutoff=today + timedelta(hours=5))
    source.table = at(-2, -1, 1, 4, 6)
    found = ingested(wrapped, store, cutoff=today + timedelta(hours=9))
    assert found.rows == 5
    assert source.asked[-1] == today - timedelta(hours=1)


def test_one_time_far_ahead_does_not_hide_all_rows_to_come(store):
    far = START + timedelta(days=30_000)
    table = pl.DataFrame({"at": [day(0), far]})
    source = Rides(table)
    wrapped = ps.data.IncrementalSource(source)
    ingested(wrapped, store)
    source.table = pl.concat([table, pl.DataFrame({"at": [day(1)]})])
    assert ingested(wrapped, store).rows == 3


def test_of_several_rows_of_a_key_the_latest_counts_in_the_first_reading_too(store):
    source = Rides(
        pl.DataFrame({"id": [1, 1, 2], "at": [day(1), day(0), day(0)], "tip": [1, 2, 3]})
    )
    wrapped = ps.data.IncrementalSource(source, key="id")
    assert ingested(wrapped, store, cutoff=day(2)).table["tip"].to_list() == [1, 3]


def test_a_last_version_with_several_rows_of_a_key_is_read_anew(store):
    source = Rides(pl.DataFrame({"id": [1, 1], "at": [day(0), day(1)], "tip": [1, 2]}))
    assert ingested(source, store, cutoff=day(2)).rows == 2
    wrapped = ps.data.IncrementalSource(source, key="id")
    assert ingested(wrapped, store, cutoff=day(3)).table["tip"].to_list() == [2]


def test_a_cutoff_at_the_latest_time_is_no_change_of_rows(store):
    source = Rides(rows([0, 1]))
    wrapped = ps.data.IncrementalSource(source, append_only=True)
    ingested(wrapped, store)
    assert ingested(wrapped, store, cutoff=day(1)).table["id"].to_list() == [0]


def test_rows_that_become_known_later_need_a_lateness(store):
    table = rows([0, 1, 2]).with_columns(known=pl.Series([day(0), day(5), day(2)]))
    source = Rides(table)
    source.available_at = "known"  # type: ignore[attr-defined]
    with pytest.raises(ParameterError, match=r"available_at='known'.*no lateness"):
        ps.data.IncrementalSource(source)
    wrapped = ps.data.IncrementalSource(source, lateness="4d")
    assert ingested(wrapped, store, cutoff=day(3)).table["id"].to_list() == [0, 2]
    assert ingested(wrapped, store, cutoff=day(6)).table["id"].to_list() == [0, 1, 2]
