"""History: nothing is lost between writers, seq is unique and rises, every version stays readable."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import deltalake
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.features.feature_rows import EVERY_ROW, EVERY_VIEW, SPEND, bits, spend
from tests.features.views.test_codec import SYSTEM

from penstock.core import ConflictError, DataError, NotFoundError
from penstock.features.views import FeatureView, History, to_rows


@pytest.fixture
def history(tmp_path):
    made = History(str(tmp_path / "spend"), SPEND)
    made.create()
    return made


def amounts(rows):
    return rows.collect().sort("seq")["amount"].to_list()


def test_an_empty_history_has_no_rows_and_version_0(history):
    assert history.scan().collect().schema == SPEND.schema
    assert history.version().version == 0


def test_rows_are_numbered_by_version_and_place(history):
    history.append(to_rows(SPEND, spend((1, 0, 0, 1.0), (1, 0, 0, 2.0))))
    assert history.append(to_rows(SPEND, spend((1, 0, 0, 3.0)))) == 2
    seq = history.scan(["seq"]).collect()["seq"].sort().to_list()
    assert seq == [1 << 32, (1 << 32) + 1, 2 << 32]


def test_each_version_and_what_came_after_it_is_readable(history):
    for amount in (1.0, 2.0, 3.0):
        history.append(to_rows(SPEND, spend((1, 0, 0, amount))))
    assert amounts(history.scan(version=2)) == [1.0, 2.0]
    assert amounts(history.scan(after=1)) == [2.0, 3.0]
    assert amounts(history.scan(after=1, version=2)) == [2.0]
    assert amounts(history.scan(version=0)) == []
    with pytest.raises(NotFoundError, match="no version 9"):
        history.scan(version=9)


def test_compaction_changes_no_version(history):
    for amount in (1.0, 2.0, 3.0):
        history.append(to_rows(SPEND, spend((1, 0, 0, amount))))
    history.compact()
    table = deltalake.DeltaTable(history.uri)
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert len(table.file_uris()) == 1
    assert amounts(history.scan(version=2)) == [1.0, 2.0]
    assert amounts(history.scan(after=2)) == [3.0]


def test_an_opened_history_has_its_view(history):
    assert History.open(history.uri).view == SPEND


def test_a_table_that_is_no_history_is_refused(tmp_path):
    deltalake.write_deltalake(tmp_path / "rides", pl.DataFrame({"a": [1]}))
    with pytest.raises(DataError, match="no history of a feature view"):
        History.open(str(tmp_path / "rides"))


def test_a_history_is_not_created_twice(history):
    with pytest.raises(ConflictError, match="exists already"):
        history.create()


def append_in_process(uri, first):
    history = History.open(uri)
    for number in range(10):
        history.append(to_rows(history.view, spend(*[(1, 0, 0, first + number)] * 3)))


@pytest.mark.slow
def test_writers_in_other_processes_lose_no_row_and_share_no_seq(history):
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=append_in_process, args=(history.uri, 100.0 * i)) for i in range(4)
    ]
    for each in writers:
        each.start()
    for each in writers:
        each.join(120)
    rows = history.scan().collect().sort("seq")
    expected = sorted([100.0 * i + n for i in range(4) for n in range(10)] * 3)
    assert sorted(rows["amount"]) == expected
    assert rows["seq"].n_unique() == 120
    # What a writer wrote later has the larger numbers.
    assert all(rows.filter(pl.col("amount") // 100 == i)["amount"].is_sorted() for i in range(4))


def test_a_writer_whose_version_is_taken_numbers_its_rows_again(history, monkeypatch):
    late = history.table()
    history.append(to_rows(SPEND, spend((1, 0, 0, 1.0))))
    tables = iter([late])
    monkeypatch.setattr(
        history, "_newest", lambda: next(tables, None) or History(history.uri, SPEND).table()
    )
    assert history.append(to_rows(SPEND, spend((1, 0, 0, 2.0)))) == 2
    assert amounts(history.scan()) == [1.0, 2.0]
    assert history.scan(after=1).collect().height == 1


def test_a_writer_notices_commits_of_others_before_it_writes_a_file(history, monkeypatch):
    other = History.open(history.uri)
    for amount, writer in enumerate((history, other, other, history, other)):
        assert writer.append(to_rows(SPEND, spend((1, 0, 0, float(amount))))) == amount + 1
    assert len(deltalake.DeltaTable(history.uri).file_uris()) == 5
    assert len(list(Path(history.uri).glob("*.parquet"))) == 5  # none for a version that was taken
    read = []
    monkeypatch.setattr(
        deltalake.DeltaTable, "update_incremental", lambda *_: read.append(1), raising=True
    )
    other.append(to_rows(SPEND, spend((1, 0, 0, 9.0))))
    assert read == []  # it has made the newest version itself


def test_further_features_are_null_in_earlier_rows(history):
    history.append(to_rows(SPEND, spend((1, 0, 0, 1.0))))
    wider = replace(SPEND, features={"amount": pl.Float64, "tags": pl.List(pl.String)}, ttl="1d")
    history.redefine(wider)
    history.append(to_rows(wider, spend((1, 1, 1, 2.0)).with_columns(tags=pl.lit(["a"]))))
    assert History.open(history.uri).view == wider
    assert history.scan().collect().sort("seq")["tags"].to_list() == [None, ["a"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": {"amount": pl.Float32}}, "'amount' was Float64, and is Float32"),
        ({"features": {"other": pl.Float64}}, "'amount' was Float64, and is gone"),
        ({"entity": EVERY_VIEW.entity.__class__("card", {"card_id": pl.String})}, "became"),
    ],
)
def test_a_definition_that_changes_earlier_rows_is_refused(history, change, message):
    with pytest.raises(ConflictError, match=message):
        history.redefine(replace(SPEND, **change))


@given(values=st.lists(EVERY_ROW, min_size=1, max_size=4))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_delta_returns_every_value_bit_equal(tmp_path_factory, values):
    history = History(str(tmp_path_factory.mktemp("every") / "every"), EVERY_VIEW)
    history.create()
    rows = pl.DataFrame([SYSTEM | each for each in values], schema=EVERY_VIEW.schema, orient="row")
    history.append(rows.drop("seq"))
    found = history.scan().collect().sort("seq")
    assert bits(found.drop("seq")) == bits(rows.drop("seq"))


def test_a_view_of_a_thousand_features_has_its_definition_in_the_table(tmp_path):
    view = FeatureView("wide", SPEND.entity, {f"feature_{i}": pl.Float64 for i in range(1000)})
    history = History(str(tmp_path / "wide"), view)
    history.create()
    assert History.open(history.uri).view == view
    history.redefine(replace(view, ttl="1d"))
    assert History.open(history.uri).view.ttl == replace(view, ttl="1d").ttl
