"""Several targets, clusters and outliers over HTTP: both forms of request, the log, and monitoring."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression

from penstock.models import Model, infer_signature
from penstock.monitoring import Limits
from penstock.monitoring._performance import measure_performance
from penstock.registry import Registry
from penstock.serving import create_app

RNG = np.random.default_rng(1)
X = pl.DataFrame({"a": RNG.normal(size=60), "b": RNG.normal(size=60)})
SIZES = pl.DataFrame({"height": X["a"] * 2, "weight": X["b"] - 1})
FLAGS = pl.DataFrame({"came": (X["a"] > 0).cast(int), "paid": (X["b"] > 0).cast(int)})
ROW = {"a": 0.5, "b": -0.25}
TENSORS = {
    "inputs": [
        {"name": "a", "shape": [2], "datatype": "FP64", "data": [0.5, 9.0]},
        {"name": "b", "shape": [2], "datatype": "FP64", "data": [-0.25, 9.0]},
    ]
}


@pytest.fixture
def serve(world: Any) -> Any:
    """Register, promote and serve an estimator; the client of the server."""
    clients = []

    def start(estimator: Any, y: Any = None) -> Any:
        registry = Registry(store=world.store)
        registry.register("kind", Model(estimator, infer_signature(estimator, X, y)), actor="ann")
        registry.promote("kind", 1, actor="ann", reason="It is good.")
        client = TestClient(create_app(names=["kind"], store=world.store))
        clients.append(client)
        return client.__enter__()

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def ask(client: Any, **body: Any) -> Any:
    reply = client.post("/models/kind/predict", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()["predictions"][0]


def infer(client: Any, **body: Any) -> Any:
    reply = client.post("/v2/models/kind/infer", json={**TENSORS, **body})
    assert reply.status_code == 200, reply.text
    return {tensor["name"]: tensor for tensor in reply.json()["outputs"]}


def test_several_targets_are_answered_by_name_logged_and_get_their_truth(
    serve: Any, world: Any
) -> None:
    estimator = LinearRegression().fit(X, SIZES)
    client = serve(estimator, SIZES)
    height, weight = estimator.predict(pl.DataFrame([ROW]))[0].tolist()
    answer = ask(client, row=ROW)
    assert answer["prediction"] == {"height": height, "weight": weight}
    assert answer["score"] is None
    tensor = infer(client)["predict"]
    assert (tensor["shape"], tensor["datatype"]) == ([2, 2], "FP64")
    assert tensor["data"][:2] == [height, weight]
    described = client.get("/models/kind").json()
    assert [each["name"] for each in described["targets"]] == ["height", "weight"]
    number = answer["prediction_id"]
    post = client.post("/models/kind/truth", json={"truth": {number: {"height": 1}}})
    assert post.status_code == 400
    assert "a value for each of height, weight" in post.text
    post = client.post("/models/kind/truth", json={"truth": {number: {"height": 1, "weight": 2}}})
    assert post.json()["recorded"] == 1
    record = world.store.metadata.predictions.get(number)
    assert record.prediction == {"height": height, "weight": weight}
    assert record.truth == {"height": 1.0, "weight": 2.0}
    version = Registry(store=world.store).get("kind", 1)
    told = measure_performance(world.store, version, [record], Limits())
    assert not told.judged
    assert "several targets is not measured" in told.reason


def test_labels_of_several_targets_are_one_tensor(serve: Any) -> None:
    forest = RandomForestClassifier(5, random_state=0).fit(X, FLAGS)
    client = serve(forest, FLAGS)
    tensor = infer(client)["predict"]
    assert (tensor["datatype"], tensor["shape"]) == ("INT64", [2, 2])
    rows = pl.DataFrame([ROW, {"a": 9.0, "b": 9.0}])
    assert tensor["data"] == forest.predict(rows).ravel().tolist()
    assert ask(client, row=ROW)["prediction"] == {"came": 1, "paid": 0}


def test_an_outlier_is_answered_with_its_decision_value(serve: Any) -> None:
    forest = IsolationForest(n_estimators=5, random_state=0).fit(X.to_numpy())
    client = serve(forest)
    rows = [[0.5, -0.25], [9.0, 9.0]]
    answer = ask(client, row=ROW, outputs=["score_samples"])
    assert answer["prediction"] == 1
    assert answer["score"] == forest.decision_function(rows)[0]
    assert answer["outputs"] == {"score_samples": forest.score_samples(rows)[0]}
    found = infer(client)
    assert found["predict"]["data"] == [1, -1]
    assert found["decision_function"]["data"] == forest.decision_function(rows).tolist()
    assert [*infer(client, outputs=[{"name": "score_samples"}])] == ["score_samples"]


def test_distances_to_the_clusters_are_an_output_on_request(serve: Any) -> None:
    clusters = KMeans(3, n_init=1, random_state=0).fit(X)
    client = serve(clusters)
    rows = pl.DataFrame([ROW, {"a": 9.0, "b": 9.0}])
    answer = ask(client, row=ROW, outputs=["transform"])
    assert answer["outputs"] == {"transform": clusters.transform(rows)[0].tolist()}
    assert "outputs" not in ask(client, row=ROW)
    tensor = infer(client)["transform"]
    assert (tensor["shape"], tensor["data"]) == ([2, 3], clusters.transform(rows).ravel().tolist())
    refused = client.post("/models/kind/predict", json={"row": ROW, "outputs": ["tranform"]})
    assert refused.status_code == 400
    assert "Did you mean 'transform'" in refused.text
