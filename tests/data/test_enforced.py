"""Rows outside the window get past ingest from no source."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from penstock.core import DataError, NotFoundError, ParameterError
from penstock.data import ingest
from penstock.stores import open_store

DAYS = pl.DataFrame({"day": [f"2024-01-{day:02}" for day in range(1, 11)], "n": range(10)})


class Orders:
    """A source that a user wrote, and that knows nothing of since and cutoff."""

    name = "orders"
    time: Any = "day"

    def __init__(self, table=DAYS, **facts):
        self.table = table
        for name, value in facts.items():
            setattr(self, name, value)

    def describe(self):
        return {"name": self.name}

    def fingerprint(self):
        return {}

    def scan(self, since=None, cutoff=None):
        return [self.table]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"cutoff": "2024-01-05"}, r"6 of 10 rows outside.*row 4, column 'day': '2024-01-05'"),
        ({"since": "2024-01-03"}, r"2 of 10 rows outside.*row 0, column 'day': '2024-01-01'"),
        ({"since": "2024-01-03", "cutoff": "2024-01-05"}, "8 of 10 rows outside"),
    ],
)
def test_rows_outside_stop_a_users_source_and_nothing_is_kept(tmp_path, limits, words):
    with open_store(f"sqlite:///{tmp_path / 'penstock.db'}") as store:
        with pytest.raises(DataError, match=words):
            ingest(Orders(), store=store, **limits)
        assert store.metadata.artifacts.last_snapshot("orders") is None


def test_rows_without_a_time_count_as_outside():
    table = DAYS.with_columns(day=pl.when(pl.col("n") != 3).then("day"))
    with pytest.raises(DataError, match=r"1 of 10 rows outside.*row 3, column 'day': no time"):
        ingest(Orders(table), cutoff="2024-02-01")
    assert ingest(Orders(table)).rows == 10


def test_a_source_may_leave_the_cut_to_ingest():
    snapshot = ingest(Orders(cut_by_ingest=True), since="2024-01-03", cutoff="2024-01-05")
    assert snapshot.table["n"].to_list() == [2, 3]
    (note,) = [finding for finding in snapshot.findings if finding.rule == "window"]
    assert note.message.startswith("8 of 10 rows lay outside the window")


def test_times_with_a_zone_a_pair_of_columns_and_pandas_are_checked_too():
    hours = pl.DataFrame({"day": ["2024-01-01"] * 24, "hr": range(24)})
    with pytest.raises(DataError, match=r"12 of 24 rows outside"):
        ingest(Orders(hours, time=("day", "hr")), cutoff="2024-01-01T12:00")
    zoned = pl.DataFrame({"day": [datetime(2024, 1, 1, 23, tzinfo=UTC)], "n": [1]})
    zoned = zoned.with_columns(pl.col("day").dt.convert_time_zone("Asia/Tokyo"))
    assert ingest(Orders(zoned), cutoff="2024-01-02").rows == 1
    with pytest.raises(DataError, match=r"outside"):
        ingest(Orders(DAYS.to_pandas()), cutoff="2024-01-05")


def test_a_window_needs_a_time_column_that_exists():
    with pytest.raises(DataError, match=r"has no time column"):
        ingest(Orders(time=None), cutoff="2024-01-05")
    with pytest.raises(NotFoundError, match=r"'dya' is not in source 'orders'"):
        ingest(Orders(time="dya"), cutoff="2024-01-05")


def test_what_is_no_table_is_refused():
    with pytest.raises(DataError, match=r"returned list, which is no table"):
        ingest(Orders([1, 2]))


def test_rows_known_too_late_stop_a_users_source():
    table = DAYS.with_columns(
        known=pl.when(pl.col("n") == 2).then(pl.lit("2024-02-01")).otherwise("day")
    )
    late = Orders(table, available_at="known")
    with pytest.raises(
        DataError,
        match=r"1 of 10 rows not known before 2024-01-20 .*row 2, column 'known': '2024-02-01'",
    ):
        ingest(late, cutoff="2024-01-20")
    assert ingest(late, since="2024-01-01").rows == 10
    assert (
        ingest(Orders(table, available_at="known", cut_by_ingest=True), cutoff="2024-01-20").rows
        == 9
    )
    with pytest.raises(NotFoundError, match=r"'knwn' is not in source 'orders'.*known"):
        ingest(Orders(table, available_at="knwn"), cutoff="2024-01-20")


def test_rows_outside_are_counted_over_all_batches():
    parts: Any = Orders()
    parts.scan = lambda since=None, cutoff=None: (
        DAYS[place : place + 3] for place in range(0, 10, 3)
    )
    with pytest.raises(DataError, match=r"6 of 10 rows outside.*row 4, column 'day'"):
        ingest(parts, cutoff="2024-01-05")


def test_a_source_with_the_old_read_is_told_what_it_lacks():
    class Old:
        name, time = "old", None

        def describe(self): ...
        def fingerprint(self): ...
        def read(self): ...

    with pytest.raises(ParameterError, match=r"Old is no data source: it has no scan"):
        ingest(Old())


def texts(*batches, **facts):
    """Return a source whose batches hold times as texts, cut by ingest."""
    tables = [pl.DataFrame({"day": list(batch)}, schema={"day": pl.String}) for batch in batches]

    class Texts(Orders):
        def scan(self, since=None, cutoff=None):
            return tables

    return Texts(**{"cut_by_ingest": True, **facts})


@pytest.mark.parametrize("cutoff", [None, "2030-01-01"])
def test_times_of_all_batches_have_one_type(cutoff):
    days = ingest(texts(["2026-01-01"], [None], ["2026-01-02"])).table["day"]
    assert days.to_list() == [date(2026, 1, 1), None, date(2026, 1, 2)]
    mixed = ingest(texts(["2026-01-01"], ["2026-01-02T10:00"], [None]), cutoff=cutoff)
    assert mixed.table.schema == {"day": pl.Datetime("us")}
    zone = ingest(texts([None], ["2026-01-02T10:00Z"]), cutoff=cutoff)
    assert zone.table.schema == {"day": pl.Datetime("us", "UTC")}
    with pytest.raises(DataError, match="Some times of 'day' in source 'orders' have a zone"):
        ingest(texts(["2026-01-01T10:00Z"], ["2026-01-02T10:00"]), cutoff=cutoff)


@pytest.mark.parametrize("cutoff", [None, "2030-01-01"])
@pytest.mark.parametrize("cut_by_ingest", [True, False])
def test_a_format_of_times_holds_with_and_without_a_window(cutoff, cut_by_ingest):
    source = texts(["31.01.2026"], time_format="%d.%m.%Y", cut_by_ingest=cut_by_ingest)
    snapshot = ingest(source, cutoff=cutoff)
    assert snapshot.first_time == datetime(2026, 1, 31, tzinfo=UTC)
