"""Where the command starts: user code gets a fixed hash seed."""

import os
import runpy
import subprocess
import sys

import pytest

from penstock.cli import main

SHOW_SEED = """
import os
import penstock as ps

@ps.step
def seed() -> str:
    return os.environ.get("PYTHONHASHSEED", "random")

@ps.pipeline
def p() -> str:
    return seed()
"""


def test_run_starts_the_interpreter_anew_with_a_fixed_hash_seed(tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "job.py").write_text(SHOW_SEED)
    (tmp_path / "msgspec.py").write_text("raise SystemExit('a file of the user came first')")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    script = "import sys; from penstock.cli import main; sys.path.pop(0); main()"
    command = [sys.executable, "-P", "-c", script, "run", "job.py", "-q", "--json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    from penstock.stores import open_store

    store = open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db")
    [step] = store.metadata.steps.list("last")
    assert store.get(step.outputs["result"]) == "0"
    store.close()


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (["runs"], False),
        (["run", "x.py"], True),
        (["--store", "u", "demo"], True),
        (["step", "R", "S"], True),
        (["backfill", "x.py"], True),
    ],
)
def test_only_commands_that_run_user_code_start_anew(monkeypatch, words, again):
    started = []

    def execve(path, command, environment):
        started.append((command, environment["PYTHONHASHSEED"]))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(sys, "argv", ["penstock", *words])
    monkeypatch.setattr("penstock.cli._main.cli", lambda prog_name: 7)
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    with pytest.raises(SystemExit) as left:
        main()
    if again:
        [(command, seed)] = started
        assert seed == "0"
        assert command[-len(words) :] == words
    else:
        assert started == []
        assert left.value.code == 7


def test_a_seed_that_is_set_is_kept(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    monkeypatch.setattr(sys, "argv", ["penstock", "--version"])
    monkeypatch.setattr(os, "execve", None)
    with pytest.raises(SystemExit) as left:
        runpy.run_module("penstock.cli", run_name="__main__")
    assert left.value.code == 0


def test_ctrl_c_while_modules_are_imported_shows_no_traceback(monkeypatch, capsys):
    def interrupt(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["penstock", "runs"])
    monkeypatch.setattr("penstock.cli._entry.importlib.import_module", interrupt)
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "Interrupted.\n")
