"""A sound store has no findings; each kind of damage is found and named."""

import sqlite3

import pytest

from penstock.stores import check_store


def kinds(store, **options) -> set[str]:
    return {finding.kind for finding in check_store(**options, store=store)}


def change(store, sql, *values):
    with store.metadata.database.write() as transaction:
        transaction.execute(sql, values)


def test_a_store_with_everything_is_sound(full):
    told = []
    assert check_store(progress=lambda done, total: told.append((done, total)), store=full) == []
    assert told[-1][0] == told[-1][1] > 5


def test_damaged_and_missing_bytes_are_found(full):
    first, second = full.artifacts.list()[:2]
    full.artifacts.path(first).write_bytes(b"other")
    full.artifacts.path(second).unlink()
    found = {finding.subject: finding.message for finding in check_store(store=full)}
    assert "damaged" in found[first]
    assert "gone" in found[second]
    quick = [finding.subject for finding in check_store(quick=True, store=full)]
    assert quick == [second]


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("DELETE FROM artifacts WHERE format = 'parquet'", "reference"),
        ("UPDATE artifacts SET inline = x'00' WHERE inline IS NOT NULL", "bytes"),
        ("UPDATE metric_summaries SET count = 7", "metrics"),
        ("UPDATE metric_chunks SET points = x'0102'", "metrics"),
        ("DELETE FROM metric_summaries", "metrics"),
        ("UPDATE stage_events SET actor = 'mallory' WHERE to_stage = 'staging'", "history"),
    ],
)
def test_facts_that_do_not_fit_are_found(full, sql, kind):
    change(full, sql)
    assert kind in kinds(full)


def test_bytes_that_nothing_names_are_told_as_harmless(full, monkeypatch):
    import os

    digest = full.artifacts.write(b"left over" * 1000)
    os.utime(full.artifacts.path(digest), (0, 0))
    [finding] = check_store(store=full)
    assert (finding.kind, finding.subject, finding.harmless) == ("orphan", digest, True)


def test_a_damaged_database_is_found(full):
    path = full.metadata.database.path
    full.metadata.database.close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4096 * 8] = b"\xff" * 4096 * 8
    path.write_bytes(data)
    from penstock.stores.metadata._soundness import database_damage
    from penstock.stores.metadata._sqlite import SQLiteDatabase

    assert database_damage(SQLiteDatabase(path))


def test_a_row_that_cannot_be_read_is_a_finding_and_the_rest_is_still_looked_at(full):
    digest = full.artifacts.list()[0]
    full.artifacts.path(digest).write_bytes(b"other")
    with full.metadata.database.write() as rows:
        rows.execute("UPDATE step_runs SET outputs = '{bad'")
    assert {finding.kind for finding in check_store(store=full)} == {"bytes", "database"}


def test_source_files_that_are_gone_are_found(full):
    manifest = full.put({"code": {"files": {"job.py": "sha256:" + "0" * 64}}})
    full.metadata.runs.update("last", provenance=manifest.digest)
    [finding] = check_store(store=full)
    assert (finding.kind, finding.subject) == ("reference", "sha256:" + "0" * 64)


@pytest.mark.parametrize("column", ["min", "max", "last"])
def test_a_summary_that_says_something_else_than_its_points_is_found(full, column):
    with full.metadata.database.write() as transaction:
        transaction.execute(f'UPDATE metric_summaries SET "{column}" = 7.25')
    assert {finding.kind for finding in check_store(store=full)} == {"metrics"}
