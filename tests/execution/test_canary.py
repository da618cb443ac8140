"""A secret that a step or script prints, logs or fails with is nowhere in the store and its exports."""

import sqlite3
from pathlib import Path

import pytest
from litestar.testing import TestClient

from penstock.core import RunState, Secret
from penstock.server import create_ui
from penstock.stores import open_store
from penstock.tracking import start_run

CANARY = "c4n4ry-of-no-known-form"
FORMED = "hunter2canary"
STEPS = """
import logging, sys
from penstock import pipeline, step
from penstock.core import Secret

@step
def talk() -> int:
    key = Secret("c4n4ry-" + "of-no-known-form")
    url = "postgresql://ada:" + "hunter2" + "canary@db/ml"
    print("the key is", key.reveal(), "for", url)
    print(key.reveal(), url, file=sys.stderr)
    logging.getLogger("x").warning("key %s %s", key.reveal(), url)
    return 1

@step
def fail(number: int) -> int:
    key = Secret("c4n4ry-" + "of-no-known-form")
    raise ValueError("refused: " + key.reveal() + " at postgresql://ada:" + "hunter2" + "canary@db/ml")

@pipeline
def job():
    return fail(talk())
"""


def everything(store, folder: Path) -> str:
    """Return all texts of the store: the database's rows, all files beside it, exports, pages."""
    path = store.url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        rows = "\n".join(database.iterdump())
    files = [
        file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.suffix not in {".py", ".pyc"}  # the secret stands in the program
    ]
    pages = []
    with TestClient(create_ui(store=store), base_url="http://127.0.0.1") as client:
        for run in store.metadata.runs.search():
            address = f"/runs/{run.run_id}"
            pages += [client.get(f"{address}{part}").text for part in ("", "/log", "?format=json")]
    return rows + "\n".join(pages) + b"\n".join(files).decode("latin-1")


@pytest.mark.parametrize("where", ["local", "processes"])
def test_what_a_step_shows_of_a_secret_is_in_no_record(project, where, tmp_path):
    run = project.again(project.load(STEPS), runner=where)
    assert project.store.metadata.runs.get(run.run_id).state is RunState.FAILED
    lines = project.store.metadata.steps.list_logs(project.steps(run.run_id)["talk"].step_run_id)
    [line] = [each.text for each in lines if each.text.startswith("the key is")]
    assert line == "the key is *** for postgresql://ada:***@db/ml"
    found = everything(project.store, tmp_path)
    assert "refused: ***" in found
    assert CANARY not in found
    assert FORMED not in found


def talk(store, key):
    with start_run("x", store=store) as run:
        run.log_params({"key": key, "nested": {"keys": [key]}})
        run.set_tag("key", key)
        print("the key is", key.reveal())
        raise ValueError(f"refused: {key.reveal()}")


def test_what_a_script_shows_of_a_secret_is_in_no_record(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        with pytest.raises(ValueError, match="refused"):
            talk(store, Secret(CANARY))
        store.flush()
        found = everything(store, tmp_path)
    assert CANARY not in found
    assert "the key is ***" in found
    assert "refused: ***" in found
