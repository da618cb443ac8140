"""ps.steps.evaluate: the report, and its metrics on the run."""

import pytest

import penstock as ps
from penstock.core import PenstockError


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
