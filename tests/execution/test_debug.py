"""A recorded step is called again on exactly what it was given."""

import decimal
import random

import pytest

from penstock.core import NotFoundError, StepError, StoreError
from penstock.execution import get_step_call
from penstock.tracking import active_run

BODY = """
import random
import polars as pl


@ps.step
def load(count: int) -> ps.Table:
    return pl.DataFrame({"x": range(count)})


@ps.step
def draw(table: ps.Table, by: int) -> float:
    ps.log_metric("rows", table.height)
    return table["x"].sum() * by / LIMIT + random.random()


@ps.step
def last(x: float) -> float:
    return x


@ps.pipeline
def job(count: int = 4, by: int = 2) -> float:
    return last(draw(load(count), by))


LIMIT = 1
"""
BROKEN = BODY.replace("LIMIT = 1", "LIMIT = 0")


def called(project, step, run="last"):
    return get_step_call(run, step, store=project.store)


def test_the_inputs_seed_and_result_are_those_of_the_run(project):
    result = project.run(BODY)
    call = called(project, "draw")
    assert call.arguments["table"]["x"].to_list() == [0, 1, 2, 3]
    assert call.arguments["by"] == 2
    random.seed(0)
    value = call()
    assert value == result.output()
    assert call.same_as_recorded(value, store=project.store)
    assert not call.same_as_recorded(value + 1, store=project.store)
    assert active_run() is None
    assert len(project.store.metadata.runs.search()) == 1  # nothing is recorded


def test_a_failed_step_raises_as_in_the_run_until_it_is_mended(project):
    project.run(BROKEN)
    call = called(project, "draw")
    assert call.recorded == {}
    with pytest.raises(ZeroDivisionError):
        call()
    project.write(BODY)
    assert called(project, "draw")() > 11


def test_a_step_that_never_began_is_told(project):
    project.run(BROKEN)
    with pytest.raises(NotFoundError, match="never began: it needs 'draw', which is failed"):
        called(project, "last")


def test_mistakes_are_explained(project):
    project.run(BODY)
    with pytest.raises(NotFoundError, match="Did you mean 'draw'"):
        called(project, "drew")
    project.write(BODY.replace("draw", "drawn"))
    with pytest.raises(NotFoundError, match="has no step 'draw' any more"):
        called(project, "draw")
    more = BODY.replace("by: int) -> float:", "by: int, x: float) -> float:")
    project.write(
        more.replace("draw(load(count), by)", "draw(load(count), by, last.named('o')(1.0))")
    )
    with pytest.raises(StepError, match="takes x, which was not recorded"):
        called(project, "draw")
    (project.folder / "job.py").unlink()
    with pytest.raises(NotFoundError, match=r"was started from job\.py"):
        called(project, "draw")


def test_inputs_that_are_gone_are_told(project):
    project.run(BODY.replace("count: int = 4", "count: int = 9000"))
    for path in (project.folder / ".penstock/artifacts").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.unlink()
    with pytest.raises(StoreError, match="gone"):
        called(project, "draw")


DIVIDE = """
import decimal


@ps.step
def third() -> str:
    return str(1 / decimal.Decimal(3))


@ps.pipeline
def job() -> str:
    return third()
"""


def test_a_step_is_called_under_the_settings_of_its_run_and_the_caller_keeps_its_own(project):
    with decimal.localcontext(prec=7):
        result = project.run(DIVIDE)
    with decimal.localcontext(prec=4):
        call = called(project, "third")
        assert call() == result.output() == "0.3333333"
        assert str(1 / decimal.Decimal(3)) == "0.3333"
