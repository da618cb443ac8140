"""Data sets: what was read over all runs, by version, and the rows again."""

from datetime import timedelta

import polars as pl
import pytest

import penstock as ps
from penstock.core import NotFoundError, ParameterError
from penstock.data import (
    FileSource,
    get_dataset,
    get_dataset_version,
    ingest,
    list_datasets,
    load_snapshot,
)
from penstock.execution import QuietReporter
from penstock.stores import collect_garbage, open_store
from penstock.tracking import get_run

DAYS = pl.DataFrame({"day": [f"2026-01-{day:02}" for day in range(1, 11)], "n": range(10)})


@pytest.fixture
def store(tmp_path):
    return open_store(f"sqlite:///{tmp_path}/s.db")


@pytest.fixture
def read(tmp_path, store):
    """Ingest a table as the source ``days`` in a run; gives the run's id."""
    path = tmp_path / "days.csv"
    source = FileSource(path, time="day")

    @ps.pipeline
    def job(cutoff: str | None = None):
        return ps.steps.ingest(source, cutoff=cutoff)

    def run(table, cutoff=None):
        table.write_csv(path)
        return ps.run(job, store=store, cutoff=cutoff, reporter=QuietReporter()).run_id

    return run


def test_equal_rows_are_one_version_and_others_the_next(store, read):
    first, second = read(DAYS), read(DAYS.head(5))
    again = read(DAYS)
    dataset = get_dataset("days", store=store)
    # A cached step reads nothing: the third run used the rows of the first.
    assert [(one.number, one.rows, one.readings) for one in dataset.versions] == [
        (1, 10, 1),
        (2, 5, 1),
    ]
    assert dataset.versions[0].run_ids == (first,)
    assert dataset.latest.run_ids == (second,)
    assert again != first
    assert [one.name for one in list_datasets(store=store)] == ["days"]


def test_a_version_tells_its_window_and_gives_its_rows_again(store, read):
    read(DAYS)
    read(DAYS, cutoff="2026-01-04")
    version = get_dataset_version("days@2", store=store)
    assert version.read["cutoff"] == "2026-01-04T00:00:00+00:00"
    assert version.read["files"][0]["name"] == "days.csv"
    assert load_snapshot(version, store=store).table["n"].to_list() == [0, 1, 2]
    assert get_dataset_version("days", store=store).ref == "days@2"


def test_rows_that_are_gone_are_named(store, read):
    get_run(read(DAYS), store=store).delete()
    collect_garbage(older_than=timedelta(0), grace=timedelta(0), delete=True, store=store)
    with pytest.raises(NotFoundError, match=r"rows of days@1 are no longer in the store"):
        load_snapshot(get_dataset_version("days@1", store=store), store=store)


def test_a_reading_outside_a_run_has_no_stored_rows(tmp_path, store):
    DAYS.write_csv(tmp_path / "days.csv")
    ingest(FileSource(tmp_path / "days.csv"), store=store)
    version = get_dataset_version("days", store=store)
    assert version.run_ids == ()
    with pytest.raises(NotFoundError, match="no longer in the store"):
        load_snapshot(version, store=store)


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("dayz", "no data set 'dayz'.*Did you mean 'days'"),
        ("days@3", "days has no version 3.*Its only version is 1"),
        ("days@0", "days has no version 0"),
        ("days@x", "no data set 'days@x'"),
    ],
)
def test_what_does_not_exist_is_named(store, read, ref, words):
    read(DAYS)
    with pytest.raises(NotFoundError, match=words):
        get_dataset_version(ref, store=store)


def test_an_empty_store_has_none(store):
    assert list_datasets(store=store) == []
    with pytest.raises(NotFoundError, match=r"no data set 'days'. .*ingests a source"):
        get_dataset("days", store=store)


@pytest.mark.parametrize("name", ["a@2", "a/b", "../x", "-x", ".", "a\nb", "", " ", "x" * 1001])
def test_a_name_that_cannot_be_asked_for_is_refused(tmp_path, name):
    (tmp_path / "a.csv").write_text("a\n1\n")
    source = FileSource(tmp_path / "a.csv", name="a")
    object.__setattr__(source, "name", name)  # as a user's own source may have it
    with pytest.raises(ParameterError, match="data set"):
        ingest(source)


@pytest.mark.parametrize("name", ["a", "rides 2026", "ä.b-c_d", "a%2Fb", "x" * 300])
def test_other_names_are_taken(tmp_path, name):
    (tmp_path / "a.csv").write_text("a\n1\n")
    assert ingest(FileSource(tmp_path / "a.csv", name=name)).source["name"] == name
