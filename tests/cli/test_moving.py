"""``penstock import`` and ``export`` at the command line."""

import json
import sqlite3

import polars as pl
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LinearRegression

from penstock.cli import cli
from penstock.models import Model, infer_signature
from penstock.registry import Registry
from penstock.stores import open_store
from penstock.tracking import start_run

# The tables that MLflow has had since its version 1, as far as an import reads them.
_TABLES = """
CREATE TABLE experiments (experiment_id INTEGER, name TEXT, artifact_location TEXT, lifecycle_stage TEXT);
CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INTEGER);
CREATE TABLE runs (run_uuid TEXT, name TEXT, user_id TEXT, status TEXT, start_time INTEGER,
 end_time INTEGER, lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE metrics (key TEXT, value REAL, timestamp INTEGER, step INTEGER, is_nan INTEGER, run_uuid TEXT);
CREATE TABLE latest_metrics (key TEXT, value REAL, timestamp INTEGER, step INTEGER, is_nan INTEGER, run_uuid TEXT);
CREATE TABLE registered_models (name TEXT, description TEXT);
CREATE TABLE trace_info (request_id TEXT);
INSERT INTO experiments VALUES (7, 'old', '/nowhere', 'active');
INSERT INTO runs VALUES ('0123456789abcdef0123456789abcdef', 'first', 'ada', 'FAILED', 1500000000000,
 1500000001000, 'active', 's3://bucket/x', 7);
INSERT INTO params VALUES ('lr', '0.1', '0123456789abcdef0123456789abcdef');
INSERT INTO metrics VALUES ('loss', 0.5, 1500000000500, 1, 0, '0123456789abcdef0123456789abcdef');
INSERT INTO metrics VALUES ('loss', 0, 1500000000600, 2, 1, '0123456789abcdef0123456789abcdef');
INSERT INTO latest_metrics VALUES ('loss', 0, 1500000000600, 2, 1, '0123456789abcdef0123456789abcdef');
INSERT INTO trace_info VALUES ('t');
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/penstock.db"


def run(url, *words):
    return CliRunner().invoke(cli, ["--store", url, *words])


def test_an_old_database_is_imported_and_what_is_lost_is_listed(url, tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as raw:
        raw.executescript(_TABLES)
    raw.close()
    done = run(url, "import", "mlflow", str(tmp_path / "mlflow.db"))
    assert done.exit_code == 0, done.output
    assert "1 runs (0 unchanged) of 1 experiments, 2 metric points" in " ".join(done.output.split())
    assert "s3://bucket/x" in done.output
    assert "1 traces" in done.output
    again = json.loads(run(url, "import", "mlflow", str(tmp_path / "mlflow.db"), "--json").output)
    assert (again["runs"], again["unchanged"]) == (0, 1)
    shown = json.loads(run(url, "show", "0123456789abcdef", "--json").output)
    assert (shown["name"], shown["user"], shown["state"]) == (
        "first", "ada", "failed")  # fmt: skip


def test_what_is_no_database_is_refused(url, tmp_path):
    done = run(url, "import", "mlflow", str(tmp_path / "none.db"))
    assert (done.exit_code, "no store of MLflow" in done.output) == (2, True)


def test_a_run_is_written_for_wandb(tmp_path):
    pytest.importorskip("google.protobuf", reason="needs protobuf: pip install 'penstock[wandb]'")
    url = f"sqlite:///{tmp_path}/penstock.db"
    with start_run(name="base", store=url) as run:
        run.log_metric("loss", 0.5, step=1)
    words = ["--store", url, "export", "wandb", run.run_id, "--to", str(tmp_path / "wandb")]
    done = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert (done["points"], done["unchanged"]) == (1, 0)
    assert done["runs"][run.run_id].startswith(str(tmp_path / "wandb" / "offline-run-"))
    assert "1 were there" in CliRunner().invoke(cli, words).output


def test_a_version_is_written_as_a_folder_once(url, tmp_path):
    rows, labels = pl.DataFrame({"x": [1.0, 2.0, 3.0]}), pl.Series("y", [2.0, 4.0, 6.0])
    fitted = LinearRegression().fit(rows, labels)
    with open_store(url) as store:
        model = Model(fitted, infer_signature(fitted, rows, labels))
        Registry(store=store).register("double", model, onnx=False)
    folder = tmp_path / "folder"
    done = run(url, "export", "mlflow-model", "double@1", "--to", str(folder), "--json")
    assert json.loads(done.output) == {"ref": "double@1", "folder": str(folder)}
    assert (folder / "MLmodel").is_file()
    again = run(url, "export", "mlflow-model", "double", "--to", str(folder))
    assert (again.exit_code, "there already" in again.output) == (2, True)
