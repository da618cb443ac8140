"""A store with something of everything in it, and the shape of a store to compare."""

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from tests.stores.upkeep.upkeep_parts import add_pipeline_run

from penstock.core import Stage
from penstock.models import Model, Signature
from penstock.registry import Registry
from penstock.stores import open_store
from penstock.testing._records import a_prediction
from penstock.tracking import start_run


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/one/penstock.db") as opened:
        yield opened


@pytest.fixture
def full(store):
    """A tracked run with files and metrics, a pipeline's run with steps, a model in production."""
    with start_run("tracked", experiment="churn", store=store, tags={"team": "risk"}) as run:
        run.log_params({"lr": 0.1})
        run.log_history("loss", np.random.default_rng(0).random(20_000))
        run.log_artifact(pl.DataFrame({"a": range(5000)}), name="rows")
        run.log_text("text", "x" * 5000)
    add_pipeline_run(store)
    rows = np.arange(20.0).reshape(-1, 1)
    for content in range(2):
        model = LogisticRegression(C=content + 1.0).fit(rows, rows[:, 0] > 9)
        Registry(store=store).register(
            "m", Model(model, Signature((), "y")), metrics={"auc": 0.5 + content},
            run_id=run.run_id, note="n" * 3000,
        )  # fmt: skip
    Registry(store=store).promote("m", 1, to=Stage.STAGING)
    store.metadata.predictions.add([a_prediction(f"p{i}") for i in range(3)])
    store.metadata.models.set_tags("m", {"for": "eu"})
    return store
