"""penstock export: writes, prints and says what is not carried over; nothing half-written stays."""

import json

import pytest
from tests.exporters.engines import Job


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


def test_the_file_is_printed_or_written_and_json_has_both_text_and_notes(job):
    printed = job.call("penstock", "export", "job.py:job", "--to", "airflow")
    assert printed.returncode == 0
    assert "not carried over: squared: cpu=1, memory=512MiB" in printed.stderr
    written = job.export("job.py:job", "airflow").read_text()
    assert printed.stdout == written
    command = ("penstock", "export", "pipeline", "job.py:job", "--to", "airflow", "--json")
    document = json.loads(job.call(*command).stdout)
    assert document["text"] == written
    assert document["file"] is None
    assert document["notes"] == ["squared: cpu=1, memory=512MiB is not requested from Airflow."]


def test_wrong_use_names_the_fix(job):
    unknown = job.call("penstock", "export", "job.py:job", "--to", "cron")
    assert unknown.returncode == 2
    assert "airflow" in unknown.stderr
    nowhere = job.call(
        "penstock", "export", "job.py:job", "--to", "kfp", "-o", "job.py/x.yaml", "--json"
    )
    assert nowhere.returncode == 2
    assert "cannot be written" in json.loads(nowhere.stdout)["error"]["what"]
    (job.folder / "window.py").write_text(
        "import penstock as ps\n\n@ps.step\ndef one(a: int) -> int:\n    return a\n\n"
        "@ps.pipeline\ndef window(a: int):\n    one(a)\n"
    )
    missing = job.call("penstock", "export", "window.py", "--to", "airflow")
    assert missing.returncode == 2
    given = job.call("penstock", "export", "window.py", "--to", "airflow", "--set", "a=3")
    assert 'Param("3", type="string"' in given.stdout


def test_the_events_of_a_run_are_written_as_openlineage(job):
    job.penstock("run", "job.py:job", "-q")
    printed = job.penstock("export", "openlineage", "last")
    assert printed == job.penstock("export", "last", "--to", "openlineage")
    assert printed == job.penstock("export", "--to=openlineage", "last")
    job.penstock("export", "openlineage", "last", "-o", "events.ndjson")
    assert (job.folder / "events.ndjson").read_text() == printed
    events = [json.loads(line) for line in printed.splitlines()]
    assert {event["job"]["name"] for event in events} > {"job", "job.squared"}


def test_runs_are_exported_to_mlflow_beside(job):
    shown = job.call("penstock", "export", "mlflow", "--help")
    assert "running MLflow server" in shown.stdout
    assert "mlflow-model" in job.call("penstock", "export", "--help").stdout
