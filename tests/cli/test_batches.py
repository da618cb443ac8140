"""penstock batches: listed with counts, shown with facts, and what is no batch is refused."""

import json

import polars as pl
import pytest
from click.testing import CliRunner
from sklearn.dummy import DummyRegressor

from penstock.cli import cli
from penstock.models import Model
from penstock.registry import Registry
from penstock.serving import predict
from penstock.stores import open_store


@pytest.fixture
def told(tmp_path):
    """Call the command on a store with two batches of two models."""
    url = f"sqlite:///{tmp_path}/penstock.db"
    rides = pl.DataFrame({"miles": [1.0, 2.0, None]})
    with open_store(url) as store:
        estimator = DummyRegressor().fit(rides.head(2), [2.0, 4.0])
        for name in ("tips", "other"):
            model = Model.of(estimator, rides.head(2))
            Registry(store=store).register(name, model)
            predict(f"{name}@1", data=rides, out=tmp_path / f"{name}.csv", store=store)

    def call(*words, code=0):
        done = CliRunner().invoke(cli, ["--store", url, "batches", *words])
        assert done.exit_code == code, done.output
        return done.output

    return call


def test_batches_are_listed_by_model_and_version(told):
    found = json.loads(told("list", "--json"))
    assert [each["version"] for each in found] == ["other@1", "tips@1"]
    assert {each["state"] for each in found} == {"finished"}
    assert found[0]["predicted"] + found[0]["refused"] == 3
    assert found[0]["out"].endswith("other.csv")
    assert "tips@1" in told("list", "tips")
    assert json.loads(told("list", "tips@2", "--json")) == []
    assert "penstock predict MODEL" in told("list", "ti'ps")


def test_a_batch_is_shown_with_its_facts(told):
    [newest, _] = json.loads(told("list", "--json"))
    shown = told("show", "last")
    assert newest["batch_id"] in shown
    assert "rows predicted" in shown
    document = json.loads(told("show", f"{newest['batch_id']}-0", "--json"))
    assert document["manifest"]["rows"] == 3
    assert document["manifest"]["parts"][0]["rows"] == 3
    assert "nowhere" in told("show", "nowhere", code=2)
