"""Airflow: the file is plain Python without penstock, and Airflow executes it with equal digests."""

import ast
import json
import re
import sqlite3
import sys

from tests.exporters.engines import ROOT, engine


def imported(text):
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    return found


def test_the_file_needs_no_penstock_and_has_no_secret(job):
    text = job.export("job.py:job", "airflow").read_text()
    assert imported(text) == {
        "airflow.sdk", "airflow.sdk.exceptions", "datetime", "json", "os", "pathlib", "pendulum",
        "subprocess",
    }  # fmt: skip
    assert job.store not in text
    assert str(job.folder) not in text
    assert text == job.export("job.py:job", "airflow").read_text()


def test_retries_limits_and_branches_are_those_of_airflow(job):
    text = job.export("job.py:job", "airflow").read_text()
    total = text[text.index("    total = ") : text.index("    is_large = ")]
    assert "retries=2," in total
    assert "retry_delay=timedelta(seconds=1)" in total
    assert "retry_exponential_backoff=2" in total
    assert "execution_timeout=timedelta(seconds=360)" in text
    assert '"--no-retries"' in text
    assert "- squared: cpu=1, memory=512MiB is not requested from Airflow." in text


def test_partitions_by_time_are_data_intervals(job):
    text = job.export("job.py:daily", "airflow").read_text()
    assert 'CronDataIntervalTimetable("0 0 * * *", timezone="UTC")' in text
    assert "pendulum.datetime(2026, 1, 1" in text
    assert "catchup=True" in text
    assert 'start.strftime("%Y-%m-%d")' in text
    assert '"since"' not in text


def test_a_schedule_fills_since_and_cutoff(job):
    (job.folder / "window.py").write_text(
        "from datetime import date, datetime\nimport penstock as ps\n\n@ps.step\n"
        "def days(since: date, cutoff: datetime) -> int:\n    return 1\n\n@ps.pipeline\n"
        "def window(since: date, cutoff: datetime):\n    return days(since, cutoff)\n"
    )
    dates = ("--set", "since=2026-01-01", "--set", "cutoff=2026-01-02")
    text = job.export("window.py:window", "airflow", "--cron", "0 3 * * *", *dates).read_text()
    ast.parse(text)
    assert 'context["data_interval_start"]' in text
    assert 'parameters.setdefault("since", moment.date().isoformat())' in text
    assert 'parameters.setdefault("cutoff", moment.isoformat())' in text
    assert "2026-01-02" not in text


def airflow(job, *words):
    home = job.folder / "airflow"
    return job.call(
        engine("airflow") / "airflow",
        *words,
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"),
        AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    )


def states(job, dag):
    """Return the state of the newest run of a DAG, and of its tasks."""
    with sqlite3.connect(job.folder / "airflow" / "airflow.db") as database:
        rows = database.execute("SELECT run_id, state FROM dag_run WHERE dag_id = ?", (dag,))
        run_id, state = rows.fetchall()[-1]
        tasks = database.execute(
            "SELECT task_id, state FROM task_instance WHERE run_id = ? AND dag_id = ?",
            (run_id, dag),
        ).fetchall()
    return state, dict(tasks)


def test_airflow_itself_executes_the_file_with_equal_digests_and_fails_where_a_step_fails(job):
    engine("airflow")
    for name, more in (("job", ("--cron", "0 3 * * *")), ("broken", ())):
        file = job.folder / "airflow" / "dags" / f"{name}.py"
        job.penstock("export", f"job.py:{name}", "--to", "airflow", "-o", str(file), *more)
    assert airflow(job, "db", "migrate").returncode == 0
    (job.folder / "fail-once").write_text("")
    done = airflow(job, "dags", "test", "job")
    state, tasks = states(job, "job")
    assert state == "success", done.stdout + done.stderr
    assert {name for name, each in tasks.items() if each != "success"} == {"shrug"}
    assert tasks["shrug"] == "skipped"
    there = job.outcome()
    assert there["state"] == "finished"
    assert there == job.executed_here()
    broken = airflow(job, "dags", "test", "broken")
    state, tasks = states(job, "broken")
    assert state == "failed", broken.stdout + broken.stderr
    assert tasks == {"prepare": "success", "fails": "failed", "never": "upstream_failed"}
    assert job.outcome()["state"] == "failed"


def test_a_notebook_of_the_docs_has_the_same_model_in_airflow(job):
    engine("airflow")
    page = (ROOT / "docs" / "concepts" / "notebooks.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert job.call(sys.executable, "-c", "".join(blocks[:2])).returncode == 0
    job.penstock("notebook", "check", "iris.ipynb")
    job.penstock("notebook", "promote", "iris.ipynb", "-o", "flowers")
    file = job.folder / "airflow" / "dags" / "iris.py"
    job.penstock("export", "flowers/iris.py", "--to", "airflow", "-o", str(file))
    assert airflow(job, "db", "migrate").returncode == 0
    done = airflow(job, "dags", "test", "iris")
    assert states(job, "iris")[0] == "success", done.stdout + done.stderr
    there = job.outcome()
    job.penstock("run", "flowers/iris.py", "--no-cache", "-q")
    assert there == job.outcome()
    golden = json.loads((job.folder / "flowers" / "golden.json").read_text())["outputs"]
    assert set(there["steps"]["train"][1].values()) == set(golden["train"].values())
    assert golden["train"]["model"].startswith("sha256:")
