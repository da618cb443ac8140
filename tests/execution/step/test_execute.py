"""execute_step on its own: values in, an outcome out; no run, no store."""

import random

import numpy as np
import pandas as pd
import polars as pl
import pytest

from penstock.core import StepError
from penstock.execution import bind_arguments, execute_step, load_inputs
from penstock.pipelines import Node, Output, pipeline, step


def test_an_outcome_has_outputs_time_logs_and_facts():
    def double(number):
        print("doubling")
        return 2 * number

    outcome = execute_step("double", double, {"number": 4}, seed=5, threads=1, echo=False)
    assert outcome.results == {"result": 8}
    assert (outcome.error, outcome.traceback, outcome.exception) == (None, None, None)
    assert [(line.stream, line.text) for line in outcome.logs] == [("stdout", "doubling")]
    assert (outcome.facts["seed"], outcome.facts["threads"]) == (5, 1)
    assert 0 <= outcome.seconds < 5


def test_a_failure_is_an_outcome_too():
    def broken():
        raise ValueError("no rows")

    outcome = execute_step("broken", broken, {}, seed=0, echo=False)
    assert outcome.results == {}
    assert outcome.error.startswith("step 'broken' failed: ValueError: no rows (test_execute.py:")
    assert isinstance(outcome.exception, ValueError)


def test_the_seed_is_set_before_the_function_runs():
    outcomes = [execute_step("d", random.random, {}, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (outcome.results["result"] for outcome in outcomes)
    assert first == again != other


def test_an_interrupt_goes_through():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_step("i", interrupted, {}, seed=0, echo=False)


def test_tables_come_as_the_hints_ask():
    @step
    def kinds(a: pd.DataFrame, b: np.ndarray, c: pl.DataFrame, *, d: "list[pd.DataFrame]") -> list:
        return [type(x).__module__.partition(".")[0] for x in (a, b, c, d[0])]

    frame = pl.DataFrame({"x": [1]})
    outcome = execute_step(
        "kinds", kinds, {"a": frame, "b": frame, "c": frame.to_pandas(), "d": [frame]}, seed=0
    )
    assert outcome.error is None, outcome.error
    assert outcome.results["result"] == ["pandas", "numpy", "polars", "pandas"]


def test_arguments_are_bound_by_path():
    node = Node("n", step(lambda_named), {"a": Output("x"), "b": [Output("y"), 2], "c": 3})
    assert bind_arguments(node, {"a": 1, "b[0]": 5}) == {"a": 1, "b": [5, 2], "c": 3}
    with pytest.raises(StepError, match=r"takes b\[0\], which was not recorded"):
        bind_arguments(node, {"a": 1})


def lambda_named(a, b, c): ...


def test_a_recorded_step_can_be_executed_again_from_its_record(project):
    result = project.run("""
    @ps.step
    def make() -> list:
        return [1, 2]

    @ps.step
    def use(parts: list, factor: int) -> int:
        return sum(parts[0]) * factor

    @ps.pipeline
    def job():
        return use([make()], 3)
    """)
    record = project.steps(result.run_id)["use"]
    inputs = load_inputs(record, store=project.store)
    assert inputs == {"parts[0]": [1, 2]}
    node = result.graph["use"]
    outcome = execute_step("use", node.step, bind_arguments(node, inputs), seed=record.seed)
    assert outcome.results == {"result": result.output()}


@pytest.mark.parametrize("value", [3, (1, 2, 3), None])
def test_outputs_must_be_as_many_as_announced(value):
    @step
    def pair() -> tuple[int, int]:
        return value

    outcome = execute_step("pair", pair, {}, seed=0, echo=False)
    assert "annotated to return 2 outputs" in outcome.error


def test_outputs_of_several_are_named_by_place():
    @step
    def pair() -> tuple[int, str]:
        return 1, "a"

    assert execute_step("pair", pair, {}, seed=0).results == {"0": 1, "1": "a"}


def test_a_traceback_of_a_pipeline_in_a_step_starts_at_the_step():
    @step
    def outer():
        return int("x")

    @pipeline
    def p():
        outer()

    text = execute_step("outer", p.trace()["outer"].step, {}, seed=0, echo=False).traceback
    assert text.count("File") == 1
    assert "in outer" in text
