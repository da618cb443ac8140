"""why names the part of the key that changed, and nothing that did not."""

import sys
from datetime import UTC, datetime

import pytest

from penstock.core import NotFoundError
from penstock.execution import why
from penstock.testing import FakeClock

BODY = """
from parts import factor, shift


@ps.step
def load(start: int) -> int:
    return start


@ps.step
def scale(x: int) -> int:
    return factor(x)


@ps.step
def move(x: int, by: int) -> int:
    return shift(x) + by


@ps.pipeline
def job(start: int = 1, by: int = 2) -> int:
    return move(scale(load(start)), by)
"""
PARTS = """
STEP = 10


def helper(x):
    return x * 2


def factor(x):
    return helper(x)


def shift(x):
    return x + STEP


def unused(x):
    return x
"""


@pytest.fixture
def job(project):
    project.write(PARTS, file="parts.py", head="")

    def run(body=BODY, parts=None, **options):
        if parts is not None:
            project.write(parts, file="parts.py", head="")
            sys.modules.pop("parts", None)  # as in a process of its own
        return project.run(body, **options)

    return run


def asked(project, step, **options):
    return why("last", step, store=project.store, **options)


def told(answer):
    return [(change.step, change.kind, change.name) for change in answer.changes]


def test_the_first_run_had_nothing_to_reuse(project, job):
    job()
    answer = asked(project, "scale")
    assert (answer.executed, answer.against, answer.changes) == (True, None, ())
    assert "No earlier run of job" in answer.reason


def test_a_reused_step_names_the_run_that_made_it(project, job):
    first = job()
    job()
    answer = asked(project, "scale")
    assert not answer.executed
    assert f"of run {first.run_id} was reused" in answer.reason


def test_a_helper_three_calls_away_is_shown_line_by_line(project, job):
    first = job()
    job(parts=PARTS.replace("x * 2", "x * 3"))
    answer = asked(project, "scale")
    assert told(answer) == [("scale", "code", "parts.py:helper")]
    assert answer.against == first.run_id
    [change] = answer.changes
    assert [line for line in change.diff if line[0] in "+-"] == [
        "-    return x * 2",
        "+    return x * 3",
    ]
    assert not asked(project, "load").executed


def test_a_constant_and_what_came_of_it_are_told_apart(project, job):
    job()
    job(parts=PARTS.replace("STEP = 10", "STEP = 11"))
    answer = asked(project, "move")
    assert told(answer) == [("move", "code", "parts.py:STEP")]
    assert answer.changes[0].diff[-2:] == ("-STEP = 10", "+STEP = 11")


def test_an_input_that_changed_is_followed_to_its_cause(project, job):
    job()
    job(start=5)
    answer = asked(project, "move")
    assert told(answer) == [
        ("move", "input", "x (from scale)"),
        ("scale", "input", "x (from load)"),
        ("load", "argument", "start"),
    ]
    assert (answer.changes[-1].before, answer.changes[-1].after) == ("1", "5")
    assert answer.reason.startswith("input x (from scale) changed since run ")


def test_a_step_that_is_not_reproducible_is_named(project, job):
    body = BODY.replace("return start", "import uuid; return uuid.uuid4().int")
    job(body)
    job(body, use_cache=False)
    answer = asked(project, "scale")
    assert told(answer) == [("scale", "input", "x (from load)"), ("load", "result", "result")]


def test_the_seed_and_an_argument_are_told_with_their_values(project, job):
    job(seed=1)
    job(seed=2, by=7)
    changes = {(c.kind, c.name): (c.before, c.after) for c in asked(project, "move").changes}
    assert changes == {("argument", "by"): ("2", "7"), ("seed", "run seed"): ("1", "2")}


def test_comments_and_unused_functions_change_nothing(project, job):
    job()
    job(parts=PARTS.replace("return x\n", "return -x\n") + "\n# a comment\n")
    assert not asked(project, "scale").executed


@pytest.mark.parametrize(
    ("option", "reason"),
    [("cache=False", "cache=False"), ("effect=True", "changes the world outside")],
)
def test_a_step_that_is_never_reused_says_so(project, job, option, reason):
    body = BODY.replace("@ps.step\ndef scale", f"@ps.step({option})\ndef scale")
    job(body)
    job(body)
    answer = asked(project, "scale")
    assert answer.executed
    assert reason in answer.reason
    assert answer.changes == ()


def test_a_result_lasts_as_long_as_the_step_says(project, job):
    body = BODY.replace("@ps.step\ndef scale", '@ps.step(cache_for="2h")\ndef scale')
    with FakeClock(datetime(2026, 5, 1, tzinfo=UTC)) as clock:
        job(body)
        clock.advance(seconds=7100)
        job(body)
        assert not asked(project, "scale").executed
        clock.advance(seconds=200)  # it counts from when it was executed, not from its last use
        job(body)
        answer = asked(project, "scale")
        assert (answer.executed, answer.changes) == (True, ())
        assert "lasts for 2:00:00 only" in answer.reason
        job(body)
        assert not asked(project, "scale").executed
    assert not asked(project, "move").executed  # it gave the same value


def test_a_step_that_was_asked_for_says_so(project, job):
    job()
    job(refresh=["scale"])
    assert "--refresh" in asked(project, "scale").reason


def test_two_named_runs_are_compared(project, job):
    first = job(by=1)
    job(by=2)
    job(by=3)
    answer = asked(project, "move", against=first.run_id)
    assert [(c.before, c.after) for c in answer.changes] == [("1", "3")]


def test_a_renamed_function_and_a_gone_one_are_told(project, job):
    job()
    parts = PARTS.replace("helper", "doubled")
    job(parts=parts)
    changes = {c.name: (c.before is None, c.after is None) for c in asked(project, "scale").changes}
    assert changes["parts.py:helper"] == (False, True)
    assert changes["parts.py:doubled"] == (True, False)


def test_what_is_not_there_is_explained(project, job):
    job()
    with pytest.raises(NotFoundError, match="Did you mean 'scale'"):
        asked(project, "scal")
    with pytest.raises(NotFoundError, match="There is no run"):
        why("zzz", "scale", store=project.store)


def test_sources_that_are_gone_leave_the_name(project, job):
    job()
    job(parts=PARTS.replace("x * 2", "x * 3"))
    for path in (project.folder / ".penstock/artifacts").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.unlink()
    [change] = asked(project, "scale").changes
    assert (change.name, change.diff) == ("parts.py:helper", ())
