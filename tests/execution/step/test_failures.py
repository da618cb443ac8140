"""A failure shows the user's frames; penstock's own explain nothing, unless the defect is ours."""

import pytest

import penstock.execution.step._failures as failures
from penstock.core import DefinitionError
from penstock.execution.step import failure_traceback

MAPPED = """
@ps.step
def number() -> int:
    return 5


@ps.step
def one(item): ...


@ps.pipeline
def job():
    return ps.map(one, number())
"""


def test_items_that_cannot_be_read_show_a_sentence_and_no_frame_of_penstock(project):
    record = project.steps(project.run(MAPPED).run_id)["one"]
    assert "is mapped over the output 'number', an int" in record.error
    assert record.traceback.startswith("penstock.core._errors.DefinitionError: job.py:")
    assert "  File " not in record.traceback


@pytest.fixture
def call(monkeypatch):
    """Compile chains of functions whose files are penstock's (O) or the user's (U)."""
    monkeypatch.setattr(failures, "_TRANSPARENT", ("/ours/", "/user/contextlib"))

    def chain(error, owners):
        names = {"error": error}
        body = "raise error"
        for place, owner in reversed(list(enumerate(owners))):
            file = f"/{'ours' if owner == 'O' else 'user'}/file{place}.py"
            exec(compile(f"def f{place}():\n    {body}", file, "exec"), names)
            body = f"f{place}()"
        try:
            names["f0"]()
        except (KeyError, DefinitionError) as caught:
            return caught.with_traceback(caught.__traceback__.tb_next)
        raise AssertionError

    return chain


def files_shown(error):
    text = failure_traceback(error, None)
    return [line.split('"')[1] for line in text.splitlines() if line.startswith("  File")]


def test_frames_of_penstock_before_the_users_are_left_out(call):
    assert files_shown(call(KeyError("k"), "OOUO")) == ["/user/file2.py", "/ours/file3.py"]


def test_a_refusal_of_penstock_alone_is_its_sentence(call):
    error = call(DefinitionError(what="There are no items.", fix="Give a list."), "OO")
    assert failure_traceback(error, None).splitlines() == [
        "penstock.core._errors.DefinitionError: There are no items. Give a list."
    ]


def test_a_refusal_inside_a_step_of_penstock_is_its_sentence_too(call):
    error = call(DefinitionError(what="No server.", fix="Start it."), "OOO")
    step = error.__traceback__.tb_next.tb_frame.f_code
    assert "  File" not in failure_traceback(error, step)


def test_a_refusal_below_the_users_code_shows_where(call):
    error = call(DefinitionError(what="No server.", fix="Start it."), "OUO")
    assert files_shown(error) == ["/user/file1.py", "/ours/file2.py"]


def test_a_defect_of_penstock_alone_keeps_all_its_frames(call):
    assert files_shown(call(KeyError("k"), "OO")) == ["/ours/file0.py", "/ours/file1.py"]


def test_a_long_refusal_keeps_its_fix_and_a_long_foreign_message_is_cut():
    refusal = DefinitionError(what="It is " + "long " * 200, fix="Do it otherwise.")
    assert failures.failure_text("train", refusal).endswith("Do it otherwise.")
    foreign = failures.failure_text("train", ValueError("long " * 200))
    assert len(foreign) < 600
    assert foreign.endswith("…")
