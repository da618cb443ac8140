"""A part of a pipeline: exactly the steps that were asked for are executed."""

import pytest

from penstock.core import NotFoundError, ParameterError, StepState, Verdict
from penstock.proofs import verify

BODY = """
@ps.step
def load(start: int) -> int:
    note("load")
    return start


@ps.step
def scale(x: int) -> int:
    note("scale")
    return 2 * x


@ps.step
def move(x: int, by: int) -> int:
    note("move")
    return x + by


@ps.step(effect=True)
def send(x: int) -> int:
    note("send")
    return x


@ps.step
def other(x: int) -> int:
    note("other")
    return -x


@ps.pipeline
def job(start: int = 1, by: int = 2) -> int:
    scaled = scale(load(start))
    other(scaled)
    return send(move(scaled, by))
"""


def test_until_executes_a_step_and_what_it_needs(project):
    result = project.run(BODY, until="move")
    assert project.calls == ["load", "scale", "move"]
    assert [step.step for step in result.steps] == ["load", "scale", "move"]
    assert result.ok
    assert result.output() is None  # what the pipeline returns was not asked for
    assert result.output("move") == 4


def test_from_executes_a_step_and_what_depends_on_it(project):
    project.run(BODY, until="scale")
    assert project.calls == ["load", "scale"]
    result = project.run(BODY, from_step="move")
    assert project.calls == ["move", "send"]
    assert result.output() == 4
    assert [step.step for step in result.steps] == ["load", "scale", "move", "send"]


def test_only_and_a_range_take_the_rest_from_earlier_runs(project):
    project.run(BODY)
    assert sorted(project.calls) == ["load", "move", "other", "scale", "send"]
    project.run(BODY, only=["move", "other"], by=5)
    assert project.calls == ["move"]  # other is known
    project.run(BODY, from_step="scale", until="move", by=9, use_cache=False)
    assert project.calls == ["scale", "move"]  # load was not asked for, and is reused


def test_what_is_not_known_is_not_executed_behind_the_users_back(project):
    project.run(BODY, start=1)
    assert project.calls
    result = project.run(BODY, only=["move"], start=7)
    assert project.calls == []
    assert not result.ok
    assert "'load' is not among the selected steps, and no earlier run" in result.error
    assert [step.state for step in result.steps] == [
        StepState.FAILED, StepState.SKIPPED, StepState.SKIPPED,
    ]  # fmt: skip
    again = project.run(
        BODY.replace("send(move(scaled, by))", "move(send(scaled), by)"), only=["move"]
    )
    assert "its result is never cached" in again.error


def test_a_part_is_resumed_and_proved_as_that_part(project):
    project.run(BODY, until="scale")
    broken = project.run(BODY.replace("return x + by", "return x / 0"), from_step="move")
    assert not broken.ok
    project.write(BODY)
    result = project.again(None, resume=broken.run_id)
    assert result.output() == 4
    assert [step.step for step in result.steps] == ["load", "scale", "move", "send"]
    answer = verify(result.run_id, store=project.store)
    assert answer.verdict is Verdict.BITWISE
    assert [step.step for step in answer.steps] == ["load", "scale", "move", "send"]
    spec = project.store.metadata.runs.get(result.run_id).graph
    assert (spec["asked"], spec["given"]) == ({"from_step": "move"}, ["load", "scale"])


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"only": ["mvoe"]}, NotFoundError, "Did you mean 'move'"),
        ({"until": "mvoe"}, NotFoundError, "Did you mean 'move'"),
        ({"only": ["move"], "until": "send"}, ParameterError, "in two ways"),
        ({"from_step": "send", "until": "load"}, ParameterError, "Swap them"),
        ({"from_step": "other", "until": "send"}, ParameterError, "nothing lies between"),
        ({"only": ["move"], "refresh": ["load"]}, ParameterError, "to be executed again"),
    ],
)
def test_mistakes_are_told_before_anything_is_recorded(project, options, error, told):
    with pytest.raises(error, match=told):
        project.run(BODY, **options)
    assert project.store.metadata.runs.search() == []
