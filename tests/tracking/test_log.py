"""The names that MLflow users type have the same meaning here."""

import numpy as np
import pytest

import penstock as ps
from penstock.core import ConflictError, ParameterError, RunState
from penstock.execution import QuietReporter


@pytest.fixture
def store(tmp_path):
    with ps.open_store(f"sqlite:///{tmp_path}/penstock.db") as store:
        yield store


@pytest.fixture
def run(store):
    with ps.start_run("script", store=store) as run:
        yield run


def test_set_tag_and_set_tags_reach_the_active_run(run):
    ps.set_tag("team", "risk")
    ps.set_tags({"cost": 3})
    assert run.tags == {"team": "risk", "cost": "3"}


@pytest.mark.parametrize("words", [("config", {"lr": 0.1}), ({"lr": 0.1}, "config")])
def test_log_dict_takes_both_orders(run, words):
    ps.log_dict(*words)
    assert run.artifact("config") == {"lr": 0.1}


def test_log_dict_stores_json_of_nested_and_of_numpy_values(run):
    ps.log_dict("config", {"layers": [8, 4], "lr": np.float64(0.1), "kind": int})
    assert run.artifact("config") == {"layers": [8, 4], "lr": 0.1, "kind": "<class 'int'>"}
    assert run.artifact_record("config").format == "json"


def test_log_dict_refuses_what_is_no_dictionary(run):
    with pytest.raises(ParameterError, match="log_dict got a list, not a dictionary"):
        ps.log_dict("config", [1])  # type: ignore[arg-type]


def test_log_model_stores_a_fitted_estimator(run):
    linear = pytest.importorskip("sklearn.linear_model")
    fitted = linear.LinearRegression().fit([[0], [1]], [1, 3])
    assert ps.log_model(fitted).startswith("sha256:")
    assert run.artifact("model").predict([[2]]) == pytest.approx([5])


@pytest.mark.parametrize(("value", "what"), [("a.pkl", "the str"), (dict, "the class dict")])
def test_log_model_refuses_what_cannot_predict(run, value, what):
    with pytest.raises(ParameterError, match=f"log_model got {what}, which is no fitted model"):
        ps.log_model(value)


def test_end_run_ends_the_active_run_and_the_one_before_is_active_again(store):
    outer = ps.start_run("outer", store=store)
    inner = ps.start_run("inner", store=store, nested=True)
    ps.end_run("FAILED", error="diverged")  # MLflow writes states in capitals
    assert inner.state is RunState.FAILED
    assert inner.record.error == "diverged"
    assert ps.active_run() is outer
    ps.end_run()
    assert outer.state is RunState.FINISHED
    assert ps.active_run() is None
    ps.end_run()  # nothing is active: nothing happens


def test_end_run_refuses_a_state_that_a_run_cannot_end_in(run):
    with pytest.raises(ParameterError, match="cannot end as 'runing'"):
        ps.end_run("runing")
    assert ps.active_run() is run


def test_a_step_cannot_end_the_run_of_its_pipeline(store):
    @ps.step
    def ending() -> int:
        with pytest.raises(ConflictError, match="was not started here"):
            ps.end_run()
        return 1

    @ps.pipeline
    def job():
        return ending()

    assert ps.run(job, store=store, reporter=QuietReporter()).output() == 1
