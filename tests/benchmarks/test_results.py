"""RESULTS.md is what the runner wrote: its figures are those of results.json, its notes hold none."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# Names of goals, decisions and standards are no figures.
NAMES = re.compile(r"\bF\d+\b|\bM-[a-z]\b|decision \d{4}|SHA-256")


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(BENCHMARKS)])
    spec = importlib.util.spec_from_file_location("run_all", BENCHMARKS / "run_all.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(name: str) -> dict:
    return json.loads((BENCHMARKS / name).read_text(encoding="utf-8"))


def rows(text: str) -> list[str]:
    """Lines of tables; the head names the Python that wrote it."""
    return [line for line in text.splitlines() if line.startswith("|")]


def test_results_are_written_by_the_runner_alone(runner):
    written = (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8")
    rendered = runner.render(read("results.json"), read("peers/last.json"))
    assert rows(written) == rows(rendered)
    assert written.splitlines()[3:] == rendered.splitlines()[3:]


def test_notes_hold_no_figure_that_could_contradict_the_table():
    notes = (BENCHMARKS / "NOTES.md").read_text(encoding="utf-8")
    assert not re.findall(r"\d+", NAMES.sub("", notes))


def test_every_script_that_is_measured_is_there(runner):
    missing = [name for name in runner.SCRIPTS if not (BENCHMARKS / f"{name}.py").exists()]
    assert not missing
