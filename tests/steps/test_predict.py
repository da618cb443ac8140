"""ps.steps.predict: a batch inside a pipeline, once; under the run, and never over a file."""

import polars as pl
import pytest

import penstock as ps
from penstock.core import ConflictError
from penstock.execution import QuietReporter
from penstock.serving import get_batch, list_batches


@pytest.fixture
def registered(store, model, report):
    return ps.steps.register("fraud", model, report)


def test_the_step_predicts_with_a_version_and_returns_the_batch(store, split, registered, tmp_path):
    out = tmp_path / "scores.parquet"
    data = split.test.X.head(20)
    with ps.start_run(store=store) as run:
        found = ps.steps.predict(registered, data=data, out=str(out), probabilities=True)
    assert (found["version"], found["predicted"]) == ("fraud@1", 20)
    scores = pl.read_parquet(out)
    assert scores.height == 20
    assert any(name.startswith("probability_") for name in scores.columns)
    batch = get_batch(found["batch_id"], store=store)
    assert batch.run.parent_run_id == run.run_id
    with ps.start_run(store=store), pytest.raises(ConflictError, match="overwrites no file"):
        ps.steps.predict(registered, data=data, out=str(out))


def test_in_a_pipeline_a_batch_is_predicted_once(store, split, registered, tmp_path):
    split.test.X.head(12).write_parquet(tmp_path / "rows.parquet")

    @ps.pipeline
    def scoring() -> dict:
        return ps.steps.predict("fraud@1", data="rows.parquet", out="scores.csv")

    first = ps.run(scoring, store=store, reporter=QuietReporter())
    assert pl.read_csv(tmp_path / "scores.csv").height == 12
    [batch] = list_batches("fraud", store=store)
    assert (batch.run.parent_run_id, batch.counts["predicted"]) == (first.run_id, 12)
    assert registered.version == 1
