"""Reporters: plain lines, a terminal, silence."""

import io
import sys

import pytest
from rich.console import Console

from penstock.core import GateResult, GateState, StepRunRecord, StepState
from penstock.execution import LineReporter, QuietReporter, RichReporter
from penstock.execution._reporters import default_reporter
from penstock.testing._records import a_version

BODY = """
@ps.step
def good() -> int:
    print("working")
    return 1

@ps.step
def bad(x: int) -> int:
    return x / 0

@ps.step
def after(x: int) -> int:
    return x

@ps.pipeline
def job(fail: bool = True):
    return after(bad(good())) if fail else good()
"""


def test_plain_lines_tell_each_step_and_the_command_that_goes_on(project):
    stream = io.StringIO()
    result = project.run(BODY, reporter=LineReporter(stream))
    text = stream.getvalue()
    assert text.startswith(f"run {result.run_id}: job, 3 steps\n")
    for words in (
        "  good   finished  0.00 s\n", "  bad    failed\n",
        "step 'bad' failed: ZeroDivisionError: division by zero (job.py:",
        "return x / 0", "  after  skipped\n", "it needs 'bad', which is failed",
        f"Resume with:  penstock run --resume {result.run_id}",
    ):  # fmt: skip
        assert words in text, text
    assert "Traceback" not in text


def test_a_good_run_ends_in_one_line(project):
    stream = io.StringIO()
    result = project.run(BODY, reporter=LineReporter(stream), fail=False)
    assert stream.getvalue().splitlines()[-1] == f"run {result.run_id} finished"
    assert ", 1 step\n" in stream.getvalue()


@pytest.mark.parametrize("fail", [True, False])
def test_a_terminal_shows_the_same(project, fail):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    result = project.run(BODY, reporter=RichReporter(console), fail=fail)
    text = stream.getvalue()
    assert "good" in text
    assert result.run_id in text
    assert ("--resume" in text) is fail
    assert ("skipped" in text) is fail


def test_a_terminal_reporter_must_be_started_first():
    with pytest.raises(RuntimeError, match="run_started"):
        RichReporter().step_finished(StepRunRecord("s", "r", "a", 0, StepState.CACHED))


def test_silence(project, capsys):
    project.run(BODY, reporter=QuietReporter(), fail=False)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "working\n"), "what the step prints is the step's"


def test_the_terminal_decides_by_default(monkeypatch):
    assert isinstance(default_reporter(), LineReporter)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert isinstance(default_reporter(), RichReporter)


def test_a_registered_version_is_told(project):
    stream = io.StringIO()
    for gate in (GateState.PASSED, GateState.FAILED):
        result = project.run(BODY, fail=False)
        version = a_version(
            model="m", run_id=result.run_id, gates=(GateResult("auc > 1", gate, "it is 0.9"),)
        )
        project.store.metadata.models.create_version(version, actor="ada")
        LineReporter(stream).run_finished(result)
    assert "registered: m@1" in stream.getvalue()
    assert "a gate failed: m@2" in stream.getvalue()
