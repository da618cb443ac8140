"""ps.steps.evaluate: the report, and its metrics on the run."""

import pytest

import penstock as ps
from penstock.core import PenstockError, find_project
from penstock.evaluation import metric
from penstock.provenance import value_digest


def test_outside_a_run_it_gives_the_report(report):
    assert 0.5 < report.metric("roc_auc").value <= 1
    assert list(report.slices) == ["kind"]
    assert list(report.fairness) == ["kind"], "slices are the sensitive columns unless said"


def test_inside_a_run_every_metric_is_logged(store, model, split, report):
    with ps.start_run(store=store) as run:
        ps.steps.evaluate(model, split, resamples=20)
    logged = ps.get_run(run.run_id, store=store).metrics
    assert logged == {name: estimate.value for name, estimate in report.metrics.items()}


def test_sensitive_columns_may_be_others_than_the_slices(model, split):
    report = ps.steps.evaluate(model, split, slices=["kind"], sensitive="country", resamples=20)
    assert "kind" in report.slices
    assert list(report.fairness) == ["country"]


def test_a_slice_column_that_does_not_exist_is_named(model, split):
    with pytest.raises(PenstockError, match="Did you mean 'kind'"):
        ps.steps.evaluate(model, split, slices=["knd"], resamples=20)


def test_one_slice_need_not_be_a_list(model, split):
    report = ps.steps.evaluate(model, split, slices="kind", resamples=20)
    assert list(report.slices) == ["kind"]
    assert list(report.fairness) == ["kind"]


def test_a_metric_of_the_users_is_logged_and_its_code_is_in_the_key(store, model, split):
    def profit(truth, prediction):
        return 3.0 * (truth == prediction)

    def loss(truth, prediction):
        return 4.0 * (truth == prediction)

    with ps.start_run(store=store) as run:
        report = ps.steps.evaluate(model, split, metrics={"profit": profit}, resamples=20)
    assert ps.get_run(run.run_id, store=store).metrics["profit"] == report.metric("profit").value
    for one, other in (({"m": profit}, {"m": loss}), ([metric(profit)], [metric(loss)])):
        first, second = (value_digest(each, "metrics", find_project()) for each in (one, other))
        assert first.complete
        assert first.digest != second.digest
