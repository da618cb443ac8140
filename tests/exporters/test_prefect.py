"""Prefect: the file is plain Python without penstock, and Prefect executes it with equal digests."""

import ast
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.exporters.engines import engine

RUN = Path(__file__).parent / "run_prefect.py"


def test_the_file_needs_no_penstock_and_keeps_retries_limits_and_schedule(job):
    cron = ("--cron", "0 3 * * *", "--timezone", "Europe/Zurich")
    text = job.export("job.py:job", "prefect", *cron).read_text()
    imported = {
        alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported == {"asyncio", "json", "os", "sys"}
    assert text.count("retries=2,\n        retry_delay_seconds=[1.0, 2.0],\n") == 1
    assert text.count("timeout_seconds=360") == 2
    assert 'Cron("0 3 * * *", timezone="Europe/Zurich")' in text
    assert "--no-retries" in text
    assert job.store not in text
    assert "- squared: cpu=1, memory=512MiB is not requested from Prefect." in text


def test_tasks_behind_a_map_are_submitted_last_since_the_flow_waits_for_its_items(job):
    (job.folder / "two.py").write_text(
        "import penstock as ps\n\n@ps.step\ndef numbers() -> list[int]:\n    return [1]\n\n"
        "@ps.step\ndef twice(number: int) -> int:\n    return 2 * number\n\n"
        "@ps.step\ndef alone() -> int:\n    return 1\n\n"
        "@ps.pipeline\ndef two():\n    ps.map(twice, numbers())\n    alone()\n"
    )
    text = job.export("two.py:two", "prefect").read_text()
    assert text.index("    alone = ") < text.index("    twice_items = ")


def test_delays_grow_to_the_longest_and_are_as_many_as_prefect_takes(job):
    (job.folder / "often.py").write_text(
        "import penstock as ps\n\n@ps.step(retries=ps.Retry(60, delay='1s', backoff=3, "
        "max_delay='20s'))\ndef one() -> int:\n    return 1\n\n@ps.pipeline\ndef often():\n    one()\n"
    )
    text = job.export("often.py:often", "prefect").read_text()
    delays = ast.literal_eval(text[text.index("retry_delay_seconds=") + 20 :].splitlines()[0][:-1])
    assert delays == [1.0, 3.0, 9.0, *[20.0] * 47]
    assert "retries=60," in text


def prefect(job, *arguments):
    job.env.pop("PENSTOCK_STORE")  # the flow reads the block
    done = job.call(
        engine("prefect") / "python",
        RUN,
        f"penstock-store={job.store}",
        *arguments,
        PREFECT_HOME=str(job.folder / "prefect"),
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="150",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        DO_NOT_TRACK="1",
    )
    job.env["PENSTOCK_STORE"] = job.store
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Timeouts in worker threads cannot" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_prefect_itself_executes_the_file_with_equal_digests_and_fails_where_a_step_fails(job):
    files = [
        job.export(f"job.py:{name}", "prefect").rename(job.folder / f"flow_{name}.py")
        for name in ("broken", "daily", "job")
    ]
    (job.folder / "fail-once").write_text("")
    found = prefect(job, *files)
    tasks = {name: (state, count) for name, state, count in found["job"]["tasks"]}
    assert found["job"]["state"] == "Completed"
    assert tasks["shrug"] == ("Skipped", 1)
    assert tasks["total"] == ("Completed", 2)
    assert {f"squared[{number}]" for number in range(3)} < set(tasks)
    there = job.outcome()
    assert there["state"] == "finished"
    assert there["steps"]["shrug"][0] == "skipped"
    assert there == job.executed_here()
    broken = found["broken"]
    assert broken["state"] == "Failed"
    assert [each[:2] for each in broken["tasks"][:2]] == [
        ["fails", "Failed"],
        ["never", "NotReady"],
    ]
    runs = {each["name"]: each for each in json.loads(job.penstock("runs", "--json"))}
    assert runs["broken"]["state"] == "failed"
    assert found["daily"]["state"] == "Completed"
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert runs["daily"]["tags"] == {"penstock.partition": str(yesterday)}
