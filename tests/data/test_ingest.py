from dataclasses import dataclass

import polars as pl
import pytest

from penstock.core import DataError, ParameterError, SchemaError
from penstock.data import FileSource, ingest
from penstock.stores import open_store


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'penstock.db'}") as opened:
        yield opened


@pytest.fixture
def write(tmp_path):
    def text(content: str) -> FileSource:
        (tmp_path / "rides.csv").write_text(content)
        return FileSource(tmp_path / "rides.csv", time="t")

    return text


def test_a_reading_is_recorded_and_the_next_one_checked(store, write):
    source = write("t,a\n2016-01-01,1\n2016-01-02,2\n")
    first = ingest(source, store=store, run_id="r1")
    record = store.metadata.artifacts.last_snapshot("rides")
    assert (record.run_id, record.rows, record.ordered_digest) == ("r1", 2, first.ordered_digest)
    again = ingest(source, store=store)
    assert again.ordered_digest == first.ordered_digest
    assert again.findings == first.findings


def test_an_added_column_is_a_finding(store, write):
    ingest(write("t,a\n2016-01-01,1\n"), store=store)
    snapshot = ingest(write("t,a,b\n2016-01-01,1,2\n"), store=store)
    assert ("warn", "added", "b") in {(f.level, f.rule, f.column) for f in snapshot.findings}
    assert "b" in store.metadata.artifacts.last_snapshot("rides").schema["columns"][2].values()


def test_missing_and_retyped_columns_are_refused_and_not_recorded(store, write):
    ingest(write("t,a,b\n2016-01-01,1,x\n"), store=store)
    with pytest.raises(
        SchemaError, match=r"'rides' has changed.*'a' was Int64.*'b' is gone"
    ) as caught:
        ingest(write("t,a\n2016-01-01,soon\n"), store=store)
    assert caught.value.columns == ["a", "b"]
    assert len(store.metadata.artifacts.last_snapshot("rides").schema["columns"]) == 3


def test_a_stored_snapshot_is_read_back(store, write):
    snapshot = ingest(write("t,a\n2016-01-01,1\n2016-01-02,2\n"), cutoff="2016-01-02")
    back = store.get(store.put(snapshot).digest)
    assert back.table.rows() == snapshot.table.rows()
    assert (back.ordered_digest, back.cutoff) == (snapshot.ordered_digest, snapshot.cutoff)
    assert back.first_time == back.last_time == snapshot.first_time
    assert store.digest(back) == store.digest(snapshot)


@dataclass
class Numbers:
    """A source that a user wrote."""

    rows: int
    name: str = "numbers"
    time: str | None = None

    def describe(self):
        return {"name": self.name}

    def fingerprint(self):
        return {"rows": self.rows}

    def scan(self, since=None, cutoff=None):
        yield pl.DataFrame({"n": range(self.rows)})


def test_a_users_own_source_is_read():
    assert ingest(Numbers(5)).table["n"].to_list() == [0, 1, 2, 3, 4]


def test_a_source_without_rows_is_refused():
    with pytest.raises(DataError, match=r"'numbers' gave no rows"):
        ingest(Numbers(0))


def test_what_is_no_source_is_refused():
    with pytest.raises(ParameterError, match=r"'rides.csv' is no data source.*FileSource"):
        ingest("rides.csv")  # type: ignore[arg-type]
