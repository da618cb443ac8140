"""With facts in a file and bytes in a bucket everything works as in a folder."""

import os
import subprocess
import sys

import pytest

from penstock.core import StoreError
from penstock.stores import open_store

pytestmark = pytest.mark.services
JOB = """
import polars as pl
import penstock as ps

@ps.step
def rows(count: int) -> pl.DataFrame:
    return pl.DataFrame({"a": range(count), "b": [str(n) * 5 for n in range(count)]})

@ps.step
def total(rows: pl.DataFrame) -> float:
    return float(rows["a"].sum())

@ps.pipeline
def job(count: int = 4000) -> float:
    return total(rows(count))
"""


@pytest.fixture
def s3_shell(shell, bucket, monkeypatch):
    (shell.folder / "job.py").write_text(JOB)
    (shell.folder / "pyproject.toml").write_text(
        f'[tool.penstock]\nartifacts = "s3://{bucket}/team"\n'
    )
    return shell


@pytest.mark.slow
def test_a_run_is_cached_verified_shown_and_downloaded(s3_shell, bucket):
    run = s3_shell("run", "job.py", "--json").json
    assert not (s3_shell.folder / ".penstock" / "artifacts").exists()
    assert s3_shell("store", "info", "--json").json["artifacts"] == f"s3://{bucket}/team"
    again = s3_shell("run", "job.py", "--json").json
    states = [step["state"] for step in s3_shell("show", again["run_id"], "--json").json["steps"]]
    assert states == ["cached", "cached"]
    assert "bitwise" in s3_shell("verify", run["run_id"]).out.lower()
    with open_store(f"sqlite:///{s3_shell.folder}/.penstock/penstock.db") as store:
        [owner] = store.artifacts.claims().values()  # none of the stores that verify needed
        assert owner == store.url
    (s3_shell.folder / "notes.txt").write_text("note " * 2000)
    code = "import penstock as ps\nwith ps.start_run() as run:\n    run.log_artifact('notes.txt')\n"
    (s3_shell.folder / "log.py").write_text(code)
    subprocess.run([sys.executable, "log.py"], cwd=s3_shell.folder, check=True)
    s3_shell("artifacts", "last", "--download", "out")
    assert (s3_shell.folder / "out" / "notes.txt").read_text() == "note " * 2000
    url = s3_shell("artifacts", "last", "--url").out
    assert url.startswith(os.environ["AWS_ENDPOINT_URL"])
    assert "very-secret" not in url


def test_bytes_that_someone_changed_in_the_bucket_do_not_verify(s3_shell, bucket):
    run = s3_shell("run", "job.py", "--json").json
    with open_store(
        f"sqlite:///{s3_shell.folder}/.penstock/penstock.db", artifacts=f"s3://{bucket}/team"
    ) as store:
        outputs = store.metadata.steps.list(run["run_id"])[0].outputs
        record = store.metadata.artifacts.get(next(iter(outputs.values())))
        place = f"{record.digest[7:9]}/{record.digest[9:]}"
        store.artifacts._s3.put(store.artifacts._bucket, place, b"other")  # type: ignore[attr-defined]
        with pytest.raises(StoreError, match="damaged"):
            store.get(record.digest, check=True)
        assert "damaged" in str(s3_shell("store", "check", code=None))


def test_a_bucket_that_is_not_there_is_one_sentence(s3_shell):
    answer = s3_shell(
        "run", "job.py", code=None, env={"PENSTOCK_ARTIFACTS": "s3://nobody-has-this"}
    )
    assert answer.code != 0
    assert "Make the bucket, or correct PENSTOCK_ARTIFACTS" in answer.out + answer.err
