"""The mistakes newcomers make: one clear sentence each, with the remedy, and nothing half-written."""

import os
import socket
import stat

import pytest

from penstock.stores import open_store

HEAD = """import penstock as ps
from sklearn.dummy import DummyClassifier

table = ps.FileSource("table.csv", time="day")


@ps.step
def train(split: ps.Split, depth: int = 1) -> DummyClassifier:
    return DummyClassifier().fit(split.train.X, split.train.y)

"""

TABLE = "day,a,y\n" + "\n".join(f"2026-01-{d:02d},{d % 5},{d % 2}" for d in range(1, 29)) + "\n"


@pytest.fixture
def project(shell):
    (shell.folder / "table.csv").write_text(TABLE)

    def write(body, head=HEAD):
        (shell.folder / "job.py").write_text(head + body)
        return shell

    return write


def test_a_file_that_does_not_exist(shell, project):
    answer = project("")("run", "jobs.py", code=2)
    assert "jobs.py" in answer.err
    assert "Did you mean 'job.py'?" in answer.err


def test_a_data_file_that_does_not_exist(project):
    shell = project(
        "@ps.pipeline\ndef p():\n    return ps.steps.ingest(table)\n",
        HEAD.replace("table.csv", "tabel.csv"),
    )
    answer = shell("run", "job.py", code=3)
    assert "tabel.csv" in answer.err
    assert "table.csv" in answer.err.replace("tabel.csv", "")


def test_a_column_that_does_not_exist(project):
    shell = project(
        "@ps.pipeline\ndef p():\n    return ps.steps.split(ps.steps.ingest(table), target='yy')\n"
    )
    answer = shell("run", "job.py", code=3)
    assert "'yy'" in answer.err
    assert "Did you mean 'y'?" in answer.err
    assert "--resume" in answer.err


def test_a_typo_in_a_step_argument(project):
    shell = project(
        "@ps.pipeline\ndef p():\n"
        "    split = ps.steps.split(ps.steps.ingest(table), target='y')\n"
        "    return train(split, dept=3)\n"
    )
    answer = shell("run", "job.py", code=2)
    assert "'dept'" in answer.err
    assert "Did you mean 'depth'?" in answer.err
    assert "job.py:14" in answer.err


def test_a_typo_in_a_parameter(project):
    shell = project("@ps.pipeline\ndef p(depth: int = 1):\n    return ps.steps.ingest(table)\n")
    answer = shell("run", "job.py", "--dpeth", "3", code=2)
    assert "Did you mean 'depth'?" in answer.err
    answer = shell("run", "job.py", "--depth", "three", code=2)
    assert "'three'" in answer.err


def test_steps_in_a_circle(project):
    shell = project(
        "@ps.step\ndef one(x: int) -> int:\n    return x\n\n\n"
        "@ps.pipeline\ndef p():\n    a = one(b)\n    b = one(a)\n    return b\n"
    )
    answer = shell("run", "job.py", code=2)
    assert "'b'" in answer.err
    assert "job.py" in answer.err


def test_a_target_with_one_class(shell, project):
    (shell.folder / "one.csv").write_text(
        "day,a,y\n2026-01-01,1,0\n2026-01-02,2,0\n2026-01-03,3,0\n"
    )
    project(
        "@ps.pipeline\ndef p():\n    return ps.steps.split(ps.steps.ingest(table), target='y')\n",
        HEAD.replace("table.csv", "one.csv"),
    )
    answer = shell("run", "job.py", code=3)
    assert "one" in answer.err
    assert "'y'" in answer.err


def test_a_cutoff_before_the_data(project):
    shell = project(
        "from datetime import date\n\n\n"
        "@ps.pipeline\ndef p(cutoff: date):\n    return ps.steps.ingest(table, cutoff=cutoff)\n"
    )
    answer = shell("run", "job.py", "--cutoff", "2020-01-01", code=3)
    assert "2020-01-01" in answer.err
    assert "2026-01-01" in answer.err
    answer = shell("run", "job.py", code=2)
    assert "--cutoff" in answer.err


def test_an_empty_table(shell, project):
    (shell.folder / "table.csv").write_text("day,a,y\n")
    project("@ps.pipeline\ndef p():\n    return ps.steps.ingest(table)\n")
    (shell.folder / "table.csv").write_text("day,a,y\n")
    answer = shell("run", "job.py", code=3)
    assert "no rows" in answer.err or "empty" in answer.err


def test_a_store_that_cannot_be_written(project):
    shell = project("@ps.pipeline\ndef p():\n    return ps.steps.ingest(table)\n")
    (shell.folder / "blocked").write_text("a file where a folder is needed")
    answer = shell(
        "--store", f"sqlite:///{shell.folder}/blocked/penstock.db", "run", "job.py", code=2
    )
    assert "blocked" in answer.err
    if os.geteuid() != 0:  # root may write anywhere
        (shell.folder / "locked").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
        answer = shell("--store", f"sqlite:///{shell.folder}/locked/p.db", "run", "job.py", code=2)
        assert "locked" in answer.err


def test_a_port_in_use(project):
    shell = project("@ps.pipeline\ndef p():\n    return ps.steps.ingest(table)\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = shell("ui", "--port", port, code=2)
    assert str(port) in answer.err
    assert f"--port {port + 1}" in answer.err


def test_a_step_that_raises(project):
    shell = project(
        "@ps.step\ndef broken(rows: ps.Snapshot) -> int:\n    return 1 / 0\n\n\n"
        "@ps.step\ndef after(x: int) -> int:\n    return x\n\n\n"
        "@ps.pipeline\ndef p():\n    return after(broken(ps.steps.ingest(table)))\n"
    )
    answer = shell("run", "job.py", code=3)
    assert "ZeroDivisionError" in answer.err
    assert "job.py:13" in answer.err
    assert "penstock run --resume" in answer.err
    document = shell("show", "last", "--json").json
    assert {s["name"]: s["state"] for s in document["steps"]} == {
        "ingest": "finished",
        "broken": "failed",
        "after": "skipped",
    }


def test_a_command_that_does_not_exist(shell):
    answer = shell("promtoe", "x", code=2)
    assert "Did you mean 'promote'?" in answer.err


def make_store(shell):
    open_store(f"sqlite:///{shell.folder}/.penstock/penstock.db").close()


@pytest.mark.parametrize("words", [("promote", "nothing"), ("show", "abc123"), ("models",)])
def test_a_folder_without_a_store(shell, words):
    answer = shell(*words, code=2)
    assert "There is no store at" in answer.err
    assert "penstock run" in answer.err
    assert not (shell.folder / ".penstock").exists()


def test_a_model_that_does_not_exist(shell):
    make_store(shell)
    answer = shell("promote", "nothing", code=2)
    assert "'nothing'" in answer.err


def test_a_run_that_does_not_exist(shell):
    make_store(shell)
    answer = shell("show", "abc123", code=2)
    assert "abc123" in answer.err


def test_errors_are_json_where_json_was_asked_for(shell):
    answer = shell("show", "abc123", "--json", code=2)
    assert set(answer.json["error"]) == {"what", "why", "fix"}
