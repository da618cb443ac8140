"""The root command: help, unknown commands, and that it stays quick."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import penstock
from penstock.cli import cli
from penstock.cli._main import _MODULES

SOURCES = Path(penstock.__file__).parent
HEAVY = ("polars", "sklearn", "numpy", "scipy", "litestar", "plotly", "sqlalchemy", "rich")


def command(name):
    return cli.get_command(click.Context(cli), name)


def test_help_names_every_command_and_the_exit_codes(world):
    out = world("--help").out
    for name in _MODULES:
        assert re.search(rf"^  {name} ", out, re.MULTILINE), name
    assert "Exit codes: 0 success; 1 negative result" in out
    assert world("--version").out == f"penstock, version {penstock.__version__}\n"


@pytest.mark.parametrize("name", list(_MODULES))
def test_every_command_says_what_it_does(name):
    assert command(name).help
    assert command(name).name == name
    assert command("no such command") is None


def test_an_unknown_command_is_answered_with_the_closest(world):
    err = world("promtoe", code=2).err
    assert "There is no command 'promtoe'." in err
    assert "Did you mean 'promote'? See: penstock --help" in err


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["runs", "--help"]])
def test_help_imports_nothing_heavy(words, tmp_path):
    script = (
        "import sys\n"
        "from penstock.cli._main import cli\n"
        f"cli({words!r}, standalone_mode=False)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_an_interrupted_command_leaves_with_130(world, monkeypatch):
    monkeypatch.setattr("penstock.cli._runs.search_runs", interrupt)
    assert world("runs", code=130).err == "Interrupted.\n"


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_a_defect_of_ours_is_a_sentence_with_its_place_and_a_traceback_on_demand(
    world, monkeypatch
):
    monkeypatch.delenv("PENSTOCK_DEBUG", raising=False)
    monkeypatch.setattr("penstock.cli._runs.search_runs", divide)
    answer = world("runs", code=2)
    assert "Unexpected error: ZeroDivisionError" in answer.err
    assert "test_main.py:" in answer.err
    assert world("runs", "--json", code=2).json["error"]["fix"].startswith("Set PENSTOCK_DEBUG=1")
    monkeypatch.setenv("PENSTOCK_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        world("runs")


def divide(*_, **__):
    return 1 / 0


def named(found, rest):
    """Return the command that the words after a group name; `pipeline` of `export` is left out."""
    if not isinstance(found, click.Group):
        return found
    word = (rest.split() or [""])[0]
    context = click.Context(found)
    return found.get_command(context, word) or found.get_command(context, "pipeline") or found


def test_every_command_that_a_message_tells_exists_with_its_options():
    """A fix that names a command must name one that works."""
    told = re.compile(r"\bpenstock (?:--store \S+ )?([a-z]+)\b([^`\"\n]*)")
    wrong = []
    for path in SOURCES.rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not re.search(r"(what|why|fix)=|[Rr]un: |[Uu]se: |with: |`penstock", line):
                continue
            for name, rest in told.findall(line):
                if name not in _MODULES:
                    continue
                parameters = named(command(name), rest).params
                known = {n for p in parameters for n in (*p.opts, *p.secondary_opts)}
                options = set(re.findall(r"(?<!\w)--[a-z][a-z-]*", rest))
                if name != "run" and not options <= known:
                    wrong.append((path.name, line.strip()))
    assert wrong == []
