"""User metrics on reports: intervals, slices, baseline, gates, and the champion on the same rows."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from penstock.core import GateState, NotFoundError, ParameterError
from penstock.evaluation import EvaluationReport, compare, evaluate, judge, metric


def profit(truth, prediction):
    """Win 3 for a hit, lose 2 for a false alarm: a total, not a mean."""
    chosen = prediction == "yes"
    return float(np.where(chosen, np.where(truth == "yes", 3, -2), 0).sum())


def same(truth, prediction):
    return float((truth == prediction).mean())


@metric(better="lower")
def miss(truth, prediction):
    return (truth != prediction).astype(float)


@pytest.fixture(scope="module")
def judged(model, split):
    return evaluate(
        model,
        split,
        slices=["company"],
        metrics={"profit": profit, "miss": miss, "same": same},
        importance=False,
        resamples=60,
    )


def test_a_function_is_a_metric_of_the_report_its_slices_and_its_baseline(judged):
    assert judged.metrics["same"].value == pytest.approx(judged.metrics["accuracy"].value)
    assert judged.metrics["miss"].value == pytest.approx(1 - judged.metrics["accuracy"].value)
    assert judged.baseline["same"] == pytest.approx(judged.baseline["accuracy"])
    for part in judged.slices["company"]:
        assert part.metrics["same"].value == pytest.approx(part.metrics["accuracy"].value)


def test_both_kinds_of_function_have_the_interval_of_the_same_figure(judged):
    exact = judged.metrics["accuracy"]
    for name in ("same", "miss"):
        found = judged.metrics[name]
        assert found.high - found.low == pytest.approx(exact.high - exact.low, rel=0.3)
        assert not found.needs
    small = next(part for part in judged.slices["company"] if part.rows < 30)
    assert "30 are needed" in small.metrics["profit"].needs


def test_a_report_is_read_back_with_its_functions(judged):
    again = EvaluationReport.from_bundle(judged.to_bundle())
    assert again == judged
    assert again.user_metric_names == ("profit", "miss", "same")
    assert again.user_metrics[1]["better"] == "lower"


def test_gates_name_the_function_and_the_champion_is_judged_by_it(judged, split):
    champion = DummyClassifier().fit(split.train.X, split.train.y)
    comparison = compare(judged, champion, resamples=60)
    said = split.test.y.to_numpy()
    ours = comparison["profit"]
    assert ours.champion == profit(said, champion.predict(split.test.X))
    assert ours.low < ours.difference < ours.high
    assert comparison["miss"].difference == pytest.approx(-comparison["same"].difference)
    gates = ["profit >= 100", "profit > champion.profit", "lower(miss - champion.miss) > 0"]
    states = [result.state for result in judge(gates, judged, comparison=comparison)]
    assert states == [GateState.PASSED, GateState.PASSED, GateState.FAILED]


def test_a_gate_on_a_function_that_the_report_has_not_is_refused(judged, report):
    with pytest.raises(ParameterError, match="names 'profit', which is no metric"):
        judge(["profit >= 100"], report)
    with pytest.raises(ParameterError, match="Did you mean 'profit'"):
        judge(["profitt >= 100"], judged)


def test_a_function_that_fails_leaves_the_rest_of_the_report(model, split):
    def broken(truth, prediction):
        raise RuntimeError(len(truth) - len(prediction))

    found = evaluate(model, split, metrics={"broken": broken}, importance=False, resamples=50)
    assert "accuracy" in found.metrics
    with pytest.raises(NotFoundError, match="The metric 'broken' fails: RuntimeError"):
        found.metric("broken")
    (result,) = judge(["broken > 0"], found)
    assert result.state is GateState.FAILED
