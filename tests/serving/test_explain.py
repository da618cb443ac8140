"""The explain route: the answer of ``penstock explain``, one at a time, within a limit of seconds."""

import threading
import time
from typing import Any

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from penstock.core import ServingError
from penstock.data import split_table
from penstock.evaluation import evaluate
from penstock.models import Model, infer_signature
from penstock.registry import Registry, explain_loaded, explain_prediction, explain_version
from penstock.serving import _explain as module
from penstock.serving import create_app
from penstock.stores import open_store

pytest.importorskip("shap", reason='pip install "penstock[explain]"')
PATH = "/models/loan/explain"
ROW = {"income": 1.5, "age": -0.5}


class Slow(LogisticRegression):
    """A model whose every call takes time."""

    def predict_proba(self, X):  # noqa: N803
        time.sleep(0.05)
        return super().predict_proba(X)


@pytest.fixture
def serve(tmp_path):
    """Register an estimator with a report as the production version, and serve it."""
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    registry = Registry(store=store)
    clients: list[Any] = []

    def start(estimator: Any, *, log: bool = True) -> Any:
        draw = np.random.default_rng(0)
        table = pl.DataFrame({"income": draw.normal(size=400), "age": draw.normal(size=400)})
        table = table.with_columns(
            paid=pl.col("income") + 0.5 * pl.Series(draw.normal(size=400)) > 0
        )
        split = split_table(table, target="paid")
        fitted = estimator.fit(split.train.X.to_numpy(), split.train.y)
        report = evaluate(fitted, split, importance=False, resamples=20)
        signature = infer_signature(fitted, split.train.X, split.train.y, target="paid")
        record = registry.register(
            "loan", Model(fitted, signature), report=report, profile=report.profile, actor="ann"
        )
        registry.promote("loan", record.version, actor="ann", reason="Good.")
        client = TestClient(create_app(names=["loan"], log=log, store=store))
        clients.append(client.__enter__())
        return clients[-1], store, record

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("estimator", "method"),
    [
        (HistGradientBoostingClassifier(max_iter=20), "trees"),
        (LogisticRegression(), "permutations"),
    ],
)
def test_the_answer_is_that_of_penstock_explain(serve, estimator, method):
    client, store, record = serve(estimator)
    reply = client.post(PATH, json={"row": ROW})
    assert reply.status_code == 200
    found = reply.json()
    assert (found.pop("model"), found.pop("version")) == ("loan", 1)
    assert found == explain_version(record, [ROW], store=store).row(0)
    assert method in found["method"]
    total = found["base"] + sum(each["contribution"] for each in found["contributions"])
    assert total == pytest.approx(found["output"])
    assert reply.headers["x-penstock-model-version"] == "1"


def test_a_prediction_is_explained_by_its_id_at_once(serve):
    client, store, _ = serve(HistGradientBoostingClassifier(max_iter=20))
    answer = client.post("/models/loan/predict", json={"row": ROW}).json()["predictions"][0]
    found = client.post(PATH, json={"prediction_id": answer["prediction_id"]}).json()
    assert found["prediction"] == answer["prediction"]
    assert found["prediction_id"] == answer["prediction_id"]
    expected = explain_prediction(answer["prediction_id"], store=store).row(0)
    assert {name: found[name] for name in expected} == expected
    assert 'route="explain"' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, "The body has no row"),
        ({"row": ROW, "prediction_id": "x"}, 400, "a row and a prediction id"),
        ({"rows": [ROW]}, 400, "unknown field `rows`"),
        ({"row": {"incme": 1}}, 400, "Did you mean 'income'?"),
        ({"prediction_id": "01nothing"}, 404, "made no prediction '01nothing'"),
        ({"row": ROW, "version": 7}, 404, "does not serve version 7"),
    ],
)
def test_wrong_questions_are_refused(serve, body, status, text):
    client, _, _ = serve(HistGradientBoostingClassifier(max_iter=5))
    reply = client.post(PATH, json=body)
    assert reply.status_code == status
    error = reply.json()["error"]
    assert text in f"{error['what']} {error['fix']}"


def test_a_model_that_is_slow_gives_up_after_the_limit(serve):
    _, store, record = serve(LogisticRegression())
    served = Slow().fit(np.array([[0.0, 0.0], [1.0, 1.0]]), [False, True])
    model = Model(served, infer_signature(served, pl.DataFrame([ROW]), [True], target="paid"))
    with pytest.raises(ServingError, match=r"takes longer than 0\.01 s"):
        explain_loaded(model, record, [ROW], limit_s=0.01, store=store)


def test_one_is_computed_at_a_time_and_predictions_go_on(serve, monkeypatch):
    client, _, _ = serve(LogisticRegression())
    started, release = threading.Event(), threading.Event()
    explain = explain_loaded

    def held(*arguments, **options):
        started.set()
        release.wait(5)
        return explain(*arguments, **options)

    monkeypatch.setattr(module, "explain_loaded", held)
    replies: list[Any] = []
    first = threading.Thread(target=lambda: replies.append(client.post(PATH, json={"row": ROW})))
    first.start()
    started.wait(5)
    busy = client.post(PATH, json={"row": ROW})
    assert client.post("/models/loan/predict", json={"row": ROW}).status_code == 200
    release.set()
    first.join()
    assert (busy.status_code, replies[0].status_code) == (503, 200)
    assert "Another explanation is being computed" in busy.json()["error"]["what"]
    assert client.post(PATH, json={"row": ROW}).status_code == 200
