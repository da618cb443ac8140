"""Runs whose large values gc has let go of: nothing stale is reused, nothing is reported damaged."""

from datetime import timedelta
from typing import Any

import pytest

from penstock.core import NotFoundError, Verdict
from penstock.proofs import verify
from penstock.stores import check_store, collect_garbage

BODY = """
import polars as pl


@ps.step
def rows(count: int) -> ps.Table:
    note("rows")
    return pl.DataFrame({"x": range(count)})


@ps.step
def total(table: ps.Table) -> int:
    note("total")
    return int(table["x"].sum())


@ps.pipeline
def job(count: int = 5000) -> int:
    return total(rows(count))
"""
AT_ONCE: dict[str, Any] = {
    "outputs_older_than": timedelta(0),
    "grace": timedelta(0),
    "older_than": timedelta(days=30),
}


def test_large_values_go_small_ones_and_the_run_stay(project):
    result = project.run(BODY)
    size = sum(path.stat().st_size for path in (project.folder / ".penstock/artifacts").rglob("*"))
    dry = collect_garbage(**AT_ONCE, store=project.store)
    assert dry.without_outputs == (result.run_id,)
    assert dry.bytes > 0
    assert project.steps(result.run_id)["rows"].facts.get("let_go") is None
    done = collect_garbage(delete=True, **AT_ONCE, store=project.store)
    assert (done.without_outputs, done.bytes) == (dry.without_outputs, dry.bytes)
    left = sum(path.stat().st_size for path in (project.folder / ".penstock/artifacts").rglob("*"))
    assert left < size
    steps = project.steps(result.run_id)
    assert project.store.get(steps["total"].outputs["result"]) == sum(range(5000))
    with pytest.raises(NotFoundError):
        project.store.get(steps["rows"].outputs["result"])
    assert check_store(store=project.store) == []
    assert collect_garbage(**AT_ONCE, store=project.store).without_outputs == ()


def test_a_step_whose_value_went_is_executed_again(project):
    project.run(BODY)
    collect_garbage(delete=True, **AT_ONCE, store=project.store)
    assert project.calls == ["rows", "total"]
    again = project.run(BODY)
    assert project.calls == ["rows"]  # what is small was kept, and is reused
    assert again.output() == sum(range(5000))
    assert "let_go" not in project.steps(again.run_id)["total"].facts
    assert verify(again.run_id, store=project.store).verdict is Verdict.BITWISE
    assert check_store(store=project.store) == []


@pytest.mark.slow
def test_such_a_run_says_that_it_cannot_be_proved(project):
    result = project.run(BODY)
    assert verify(result.run_id, store=project.store).verdict is Verdict.BITWISE
    collect_garbage(delete=True, **AT_ONCE, store=project.store)
    answer = verify(result.run_id, store=project.store)
    assert answer.verdict is Verdict.CANNOT_VERIFY
    assert "removed by penstock gc" in answer.steps[-1].reason


def test_what_a_younger_run_used_stays(project, monkeypatch):
    old = project.run(BODY)
    project.store.metadata.runs.update(old.run_id, ended_at=old_time())
    young = project.run(BODY)
    month: dict[str, Any] = {**AT_ONCE, "outputs_older_than": timedelta(days=30)}
    assert collect_garbage(delete=True, **month, store=project.store).without_outputs == (
        old.run_id,
    )
    rows = project.steps(young.run_id)["rows"].outputs["result"]
    assert project.store.get(rows).height == 5000


def old_time():
    from penstock.core import now

    return now() - timedelta(days=60)
