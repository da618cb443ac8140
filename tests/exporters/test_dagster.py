"""Dagster: the file is plain Python without penstock, and Dagster executes it with equal digests."""

import ast
from pathlib import Path

from tests.exporters.engines import engine

RUN = Path(__file__).parent / "run_dagster.py"
EMPTY = """
import penstock as ps


@ps.step
def numbers() -> list[int]:
    return []


@ps.step
def twice(number: int) -> int:
    return 2 * number


@ps.pipeline
def empty():
    return ps.map(twice, numbers())
"""


def test_the_file_needs_no_penstock_and_keeps_retries_and_schedule(job):
    cron = ("--cron", "0 3 * * *", "--timezone", "Europe/Zurich")
    text = job.export("job.py:job", "dagster", *cron).read_text()
    imported = {
        alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported == {"json", "os", "subprocess", "dagster"}
    policy = "RetryPolicy(max_retries=2, delay=1, backoff=dagster.Backoff.EXPONENTIAL)"
    assert text.count(policy) == 1
    assert 'execution_timezone="Europe/Zurich"' in text
    assert "--no-retries" in text
    assert job.store not in text


def dagster(job, target):
    file = job.export(target, "dagster")
    return job.call(
        engine("dagster") / "python",
        RUN,
        file,
        DAGSTER_HOME=str(job.folder),
        DAGSTER_DISABLE_TELEMETRY="1",
    )


def test_dagster_itself_executes_the_file_with_equal_digests_and_fails_where_a_step_fails(job):
    (job.folder / "fail-once").write_text("")
    done = dagster(job, "job.py:job")
    assert done.returncode == 0, done.stdout + done.stderr
    there = job.outcome()
    assert there["state"] == "finished"
    assert there["steps"]["shrug"][0] == "skipped"
    assert there == job.executed_here()
    assert dagster(job, "job.py:broken").returncode != 0
    assert job.outcome()["state"] == "failed"


def test_a_map_without_items_is_collected_by_dagster_too(job):
    (job.folder / "empty.py").write_text(EMPTY)
    done = dagster(job, "empty.py:empty")
    assert done.returncode == 0, done.stdout + done.stderr
    assert job.outcome()["state"] == "finished"
