"""backfill: what is missing is run, once, and what failed is named."""

import signal
import subprocess
import sys
import time

import pytest

from penstock.core import ConflictError, NotFoundError, ParameterError, RunState
from penstock.execution import (
    QuietReporter,
    known_partitions,
    list_partitions,
    load_pipeline,
    run,
)
from penstock.scheduling import backfill


def states(project, name, **options):
    pipeline = load_pipeline(f"{project.file}:{name}")
    return {
        part.key: part.state for part in list_partitions(pipeline, store=project.store, **options)
    }


def test_only_what_is_missing_is_run_oldest_first(project, clock):
    target = project.file + ":daily"
    backfill(target, partitions=["2026-01-02"], word="first", store=project.store)
    assert states(project, "daily") == {
        "2026-01-01": "missing",
        "2026-01-02": "finished",
        "2026-01-03": "missing",
        "2026-01-04": "missing",
    }
    told = []
    done = backfill(
        target,
        until="2026-01-04",
        store=project.store,
        progress=lambda part, ended, total: told.append((part.key, ended, total)),
    )
    assert told == [("2026-01-01", 1, 2), ("2026-01-03", 2, 2)]
    assert done.ok
    assert done.left == ("2026-01-02",)
    assert [call[:10] for call in project.calls] == ["2026-01-02", "2026-01-01", "2026-01-03"]


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_fails_is_named_and_the_rest_is_done(project, at_once):
    done = backfill(project.file + ":regions", max_active_runs=at_once, store=project.store)
    assert [(part.key, part.state) for part in done.parts] == [
        ("eu", "finished"),
        ("bad", "failed"),
        ("us", "finished"),
    ]
    assert [part.key for part in done.failed] == ["bad"]
    again = backfill(project.file + ":regions", max_active_runs=at_once, store=project.store)
    assert [part.key for part in again.parts] == ["bad"]
    assert again.left == ("eu", "us")


def test_the_first_failure_can_stop_it(project):
    done = backfill(project.file + ":regions", stop_on_failure=True, store=project.store)
    assert [part.key for part in done.parts] == ["eu", "bad"]


def test_what_is_done_can_be_done_again(project):
    for again in (False, True):
        done = backfill(
            project.file + ":regions", partitions=["eu"], again=again, store=project.store
        )
    assert len(done.parts) == 1
    assert len(project.store.metadata.runs.search("tags.`penstock.partition` = 'eu'")) == 2


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"partitions": ["asia"]}, NotFoundError, "no partition 'asia'"),
        ({"since": "ue"}, NotFoundError, "Known: bad, eu, us"),
        ({"until": "ue"}, NotFoundError, "Known: bad, eu, us"),
        ({"max_active_runs": 0}, ParameterError, "1 or more"),
        ({"region": "us"}, ParameterError, "gives it already"),
        ({"word": "x"}, ParameterError, "no parameter 'word'"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(project, options, error, told):
    with pytest.raises(error, match=told):
        backfill(project.file + ":regions", store=project.store, **options)
    assert project.store.metadata.runs.search() == []


def test_a_pipeline_without_partitions_is_refused(project):
    with pytest.raises(ParameterError, match="'job' has no partitions"):
        backfill(project.file + ":job", store=project.store)


def test_a_partition_that_is_not_over_is_refused(project, clock):
    with pytest.raises(ParameterError, match="is over at 2026-01-06 00:00 UTC only"):
        run(project.file + ":daily", partition="2026-01-05", store=project.store)
    assert project.store.metadata.runs.search() == []


def test_a_partition_that_is_being_run_is_not_run_beside(project):
    pipeline = load_pipeline(project.file + ":regions")
    first = run(pipeline, partition="eu", store=project.store, reporter=QuietReporter())
    # The run goes on, as far as the store knows.
    project.store.metadata.runs.update(first.run_id, state=RunState.RUNNING)
    with pytest.raises(ConflictError, match="Partition 'eu' of 'regions' is running"):
        run(pipeline, partition="eu", store=project.store, reporter=QuietReporter())
    done = backfill(pipeline, again=True, store=project.store)
    assert "eu" in done.left


def test_a_run_id_is_given_once(project):
    pipeline = load_pipeline(project.file + ":regions")
    options = {"region": "eu", "store": project.store, "reporter": QuietReporter()}
    assert run(pipeline, run_id="mine", **options).run_id == "mine"
    with pytest.raises(ConflictError, match="There is a run mine already"):
        run(pipeline, run_id="mine", **options)
    with pytest.raises(ParameterError, match="no legal name for a run"):
        run(pipeline, run_id="not mine", **options)


def test_the_store_knows_the_partitions_for_who_has_no_code(project):
    backfill(project.file + ":regions", partitions=["eu"], store=project.store)
    assert known_partitions("regions", store=project.store).keys() == ["eu", "bad", "us"]
    assert known_partitions("job", store=project.store) is None


def test_an_interrupted_backfill_leaves_no_run_behind_and_goes_on(project):
    project.write(
        """
        import time

        import penstock as ps

        @ps.step
        def slow(number: str) -> str:
            time.sleep(0.6)
            return number

        @ps.pipeline(partitions=ps.Partitions.by(number=["1", "2", "3", "4", "5"]))
        def job(number: str):
            return slow(number)
        """
    )
    command = [sys.executable, "-m", "penstock.cli", "backfill", "job.py", "--max-active-runs", "2"]
    process = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, text=True)
    assert "1 of 5" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    process.stdout.close()
    time.sleep(0.1)
    assert "running" not in set(states(project, "job").values())
    done = backfill(project.file, store=project.store)
    assert done.ok
    assert set(states(project, "job").values()) == {"finished"}
