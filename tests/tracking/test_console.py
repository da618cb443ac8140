"""What a tracked script prints is kept, and still printed."""

import logging
import subprocess
import sys

import pytest

from penstock.stores import open_store
from penstock.tracking import start_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


def lines(store, run):
    return [(line.stream, line.text) for line in store.metadata.steps.list_logs(run.run_id)]


def test_lines_are_kept_and_still_printed(store, capsys):
    with start_run(store=store) as run:
        print("one\ntwo")
        print("to err", file=sys.stderr)
        print("bar 1%\rbar 99%\rdone")
        print("no end", end="")
    assert lines(store, run) == [
        ("stdout", "one"), ("stdout", "two"), ("stderr", "to err"), ("stdout", "done"),
        ("stdout", "no end"),
    ]  # fmt: skip
    seen = capsys.readouterr()
    assert seen.out.startswith("one\ntwo\n")
    assert seen.err == "to err\n"


def test_the_streams_are_put_back_unless_another_has_taken_them(store):
    before = sys.stdout
    with start_run(store=store):
        assert sys.stdout is not before
        assert sys.stdout.isatty() == before.isatty()
    assert sys.stdout is before


def test_logging_to_a_stream_of_before_the_run_is_not_disturbed(store, capsys):
    logger = logging.getLogger("mine")
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    with start_run(store=store):
        logger.warning("hello")
    logger.removeHandler(handler)
    assert "hello" in capsys.readouterr().err


def test_it_can_be_turned_off(store, monkeypatch):
    with start_run(store=store, console=False) as run:
        print("one")
    assert lines(store, run) == []
    monkeypatch.setenv("PENSTOCK_CONSOLE", "off")
    with start_run(store=store) as run:
        print("one")
    assert lines(store, run) == []


def test_a_killed_script_leaves_its_lines_and_the_command_shows_them(shell):
    code = (
        "import os, time, penstock as ps\n"
        "ps.start_run('killed')\n"
        "print('before the end')\n"
        "time.sleep(1.5)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=shell.folder, check=False, capture_output=True)
    assert "before the end" in shell("show", "last", "--console").out
    assert shell("show", "last", "--console", "--json").json[0]["stream"] == "stdout"
    assert shell("show", "last", "--json").json["state"] == "killed"
