"""Batches of predictions are found again: by model, by id, by a prediction; runs are no batches."""

import polars as pl
import pytest
from sklearn.dummy import DummyRegressor

from penstock.core import DataError, NotFoundError
from penstock.models import Model
from penstock.registry import Registry
from penstock.serving import get_batch, list_batches, predict
from penstock.stores import open_store
from penstock.tracking import start_run

ROWS = pl.DataFrame({"miles": [1.0, 2.0]})


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        estimator = DummyRegressor().fit(ROWS, [2.0, 4.0])
        Registry(store=opened).register("tips", Model.of(estimator, ROWS))
        yield opened


def test_a_batch_is_found_by_its_id_and_by_a_prediction(store, tmp_path):
    done = predict("tips@1", data=ROWS, out=tmp_path / "a.parquet", store=store)
    found = get_batch(done.batch_id, store=store)
    assert (found.version, found.state, found.out) == ("tips@1", "finished", done.out)
    assert found.counts == {"predicted": 2, "refused": 0, "warned": 0}
    assert found.manifest["rows"] == done.rows
    assert get_batch(f"{done.batch_id}-1", store=store).batch_id == done.batch_id
    assert get_batch("last", store=store).to_json()["manifest"]["answers"] == done.answers
    assert found.seconds > 0


def test_a_batch_that_failed_is_listed_with_its_reason(store, tmp_path):
    wrong = pl.DataFrame({"miles": ["x", "y"]})
    with pytest.raises(DataError):
        predict("tips@1", data=wrong, out=tmp_path / "b.csv", refused="stop", store=store)
    [batch] = list_batches("tips", store=store)
    assert batch.state == "failed"
    assert batch.counts["predicted"] is None
    assert "refused" in batch.to_json()["error"]
    assert get_batch(batch.batch_id, store=store).manifest == {}


def test_what_is_no_batch_is_refused(store):
    with pytest.raises(NotFoundError, match="no batch of predictions"):
        get_batch("last", store=store)
    with start_run(store=store) as run:
        pass
    with pytest.raises(NotFoundError, match="is no batch of predictions"):
        get_batch(run.run_id, store=store)
    assert list_batches(store=store) == []
