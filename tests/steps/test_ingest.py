"""ps.steps.ingest: a plain function outside a run, checked against the last reading inside one."""

from datetime import date

import pytest

import penstock as ps
from penstock.core import DataError, SchemaError
from penstock.demo import write_days


@pytest.fixture
def source(store, tmp_path):
    write_days(tmp_path / "payments", range(2))
    return ps.FileSource("payments", time="time")


def test_outside_a_run_it_reads_the_rows_and_records_nothing(source, store):
    snapshot = ps.steps.ingest(source)
    assert snapshot.rows == 2000
    assert snapshot.source["name"] == "payments"
    assert store.metadata.artifacts.last_snapshot("payments") is None


def test_the_cutoff_is_the_end_that_no_row_passes(source):
    snapshot = ps.steps.ingest(source, since=date(2026, 1, 1), cutoff=date(2026, 1, 2))
    assert snapshot.rows == 1000
    assert snapshot.last_time.date() == date(2026, 1, 1)
    with pytest.raises(DataError, match="2026-01-01"):
        ps.steps.ingest(source, cutoff=date(2020, 1, 1))


def test_inside_a_run_the_schema_of_the_last_reading_is_kept_and_checked(source, store, tmp_path):
    with ps.start_run(store=store) as run:
        ps.steps.ingest(source)
    kept = store.metadata.artifacts.last_snapshot("payments")
    assert (kept.run_id, kept.rows) == (run.run_id, 2000)
    for path in (tmp_path / "payments").iterdir():
        path.write_text(path.read_text().replace("card_age_days", "age", 1))
    with ps.start_run(store=store), pytest.raises(SchemaError, match="card_age_days"):
        ps.steps.ingest(ps.FileSource("payments", time="time"))
