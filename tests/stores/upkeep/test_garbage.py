"""Garbage goes, and what is needed stays: first as a dry run, then for good."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import polars as pl
import pytest
from upkeep_parts import add_pipeline_run

from penstock.core import ParameterError, now
from penstock.stores import LocalArtifacts, check_store, collect_garbage
from penstock.tracking import get_run, search_runs, start_run

AT_ONCE = {"older_than": timedelta(0), "grace": timedelta(0)}


def test_a_dry_run_changes_nothing_and_says_what_would_go(full):
    run = add_pipeline_run(full, name="old")
    full.metadata.update_run(run.run_id, deleted_at=now())
    before = full.artifacts.list()
    report = collect_garbage(full, **AT_ONCE)
    assert [(r.run_id, r.why) for r in report.runs] == [(run.run_id, "deleted")]
    assert not report.deleted
    assert full.artifacts.list() == before
    assert full.metadata.get_run(run.run_id).name == "old"


def test_a_deleted_run_goes_with_its_bytes_and_the_others_stay_sound(full):
    with start_run("gone", experiment="old", store=full) as run:
        run.log_metric("loss", 1.0)
        run.log_artifact(pl.DataFrame({"only": range(9000)}), name="rows")
    run.delete()
    [digest] = [record.digest for record in full.metadata.list_artifacts(run.run_id).values()]
    report = collect_garbage(full, delete=True, **AT_ONCE)
    assert [r.name for r in report.runs] == ["gone"]
    assert report.bytes > 0
    assert not full.artifacts.exists(digest)
    assert check_store(full) == []
    assert full.metadata.list_experiments() == ["churn", "taxi"]
    assert collect_garbage(full, **AT_ONCE).artifacts == 0
    with full.metadata.database.read() as rows:
        for table in ("metric_chunks", "metric_summaries", "run_tags", "run_artifacts"):
            sql = f"SELECT COUNT(*) FROM {table} WHERE run_id = ?"
            assert rows.execute(sql, (run.run_id,)).fetchone() == (0,)


def test_bytes_that_another_run_names_as_well_stay(full):
    frame = pl.DataFrame({"shared": range(9000)})
    runs = []
    for name in ("one", "two"):
        with start_run(name, store=full) as run:
            run.log_artifact(frame, name="rows")
        runs.append(run)
    runs[0].delete()
    collect_garbage(full, delete=True, **AT_ONCE)
    assert runs[1].artifact("rows").equals(frame)


def test_a_run_that_made_a_version_stays_whatever_happens(full):
    [run] = search_runs("name = 'tracked'", store=full)
    full.metadata.update_run(run.run_id, deleted_at=now())
    assert collect_garbage(full, delete=True, keep_last=1, **AT_ONCE).runs == ()
    assert get_run(run.run_id, full).artifact("rows").height == 5000
    version = full.metadata.get_model_version("m", 1)
    for digest in (version.artifact, version.card):
        assert full.get(digest, check=True) is not None


def test_what_was_deleted_lately_can_still_be_restored(full):
    run = get_run(add_pipeline_run(full, name="late").run_id, full)
    run.delete()
    assert collect_garbage(full, delete=True, older_than=timedelta(days=30)).runs == ()
    assert run.restore() == [run.run_id]


def test_of_each_experiment_the_newest_are_kept(full):
    ids = [add_pipeline_run(full, name=f"r{place}").run_id for place in range(4)]
    report = collect_garbage(full, delete=True, keep_last=2, **AT_ONCE)
    left = {run.run_id for run in search_runs("experiment = 'taxi'", store=full)}
    assert left == set(ids[2:])
    assert {run.why for run in report.runs} == {"beyond the newest 2"}
    with pytest.raises(ParameterError, match="keep_last is 0"):
        collect_garbage(full, keep_last=0)


def test_what_was_just_written_stays_though_nothing_names_it_yet(full):
    record = full.put(pl.DataFrame({"young": range(9000)}))
    digest = full.artifacts.write(b"not recorded yet" * 100)
    collect_garbage(full, delete=True)
    assert full.artifacts.exists(record.digest)
    assert full.artifacts.exists(digest)


def test_bytes_that_are_written_again_while_they_are_removed_are_there_afterwards(tmp_path):
    artifacts, data = LocalArtifacts(tmp_path), b"rows" * 1000
    digest, since = artifacts.write(data), now() - timedelta(hours=1)
    with ThreadPoolExecutor(2) as threads:
        for _ in range(500):
            if artifacts.exists(digest):
                os.utime(artifacts.path(digest), (0, 0))  # old enough to go
            removed = threads.submit(artifacts.delete, digest, unless_written_since=since)
            written = threads.submit(artifacts.write, data)
            removed.result()
            written.result()
            assert artifacts.read(digest) == data


def test_runs_that_are_written_while_garbage_is_collected_are_sound(full):
    stop = threading.Event()

    def write() -> None:
        place = 0
        while not stop.is_set():
            with start_run(f"w{place}", store=full, nested=True) as run:
                run.log_artifact(pl.DataFrame({"a": range(place % 3 + 3000)}), name="rows")
            run.delete() if place % 2 else None
            place += 1

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(8):
        collect_garbage(full, delete=True, older_than=timedelta(0))
    stop.set()
    writer.join()
    assert [finding for finding in check_store(full) if not finding.harmless] == []
