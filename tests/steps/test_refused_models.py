"""What the registry will refuse is refused where it was made, before it is evaluated."""

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import penstock as ps
from penstock.core import StepState
from penstock.execution import QuietReporter


def shrunk() -> LogisticRegression:
    """An estimator whose class no file defines by a name."""

    class Shrunk(LogisticRegression):
        pass

    return Shrunk()


@ps.step
def rows() -> pl.DataFrame:
    size = np.arange(200.0)
    return pl.DataFrame({"size": size, "big": size % 7 > 3})


@ps.step
def train(split: ps.Split, own: bool) -> object:
    inside = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression())
    return (shrunk() if own else inside).fit(split.train.X.to_numpy(), split.train.y)


@ps.pipeline
def registered(own: bool = True) -> ps.ModelVersion:
    split = ps.steps.split(rows(), target="big")
    model = train(split, own)
    return ps.steps.register("m", model, ps.steps.evaluate(model, split, resamples=0))


@ps.pipeline
def evaluated(own: bool = True) -> ps.EvaluationReport:
    split = ps.steps.split(rows(), target="big")
    return ps.steps.evaluate(train(split, own), split, resamples=0)


@pytest.fixture
def run(tmp_path):
    def call(pipeline, **params):
        store = f"sqlite:///{tmp_path}/penstock.db"
        return ps.run(pipeline, store=store, reporter=QuietReporter(), **params)

    return call


def test_a_model_that_cannot_be_registered_fails_its_own_step(run):
    result = run(registered, own=True)
    states = {step.step: step.state for step in result.steps}
    assert states["train"] is StepState.FAILED
    assert states["evaluate"] is not StepState.FINISHED
    assert "can only be stored as a pickle" in result.error
    assert "Build it from scikit-learn" in result.error
    assert "calculations inside the model" in str(result.error)


def test_a_function_of_numpy_inside_the_model_is_registered(run):
    assert run(registered, own=False).ok


def test_a_model_that_nobody_registers_may_be_of_any_class(run):
    assert run(evaluated, own=True).ok


def test_a_reused_model_that_cannot_be_registered_fails_before_it_is_evaluated(run):
    run(evaluated, own=True)
    result = run(registered, own=True)
    states = {step.step: step.state for step in result.steps}
    assert states["train"] is StepState.FAILED
    assert states["register"] is StepState.SKIPPED
    assert "can only be stored as a pickle" in result.error
