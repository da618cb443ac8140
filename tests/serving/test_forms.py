"""Which form answers: decided at registration, told by all, the same on server and batch."""

import json
import logging
import sys
import time
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from litestar.testing import TestClient
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from penstock.cli import cli
from penstock.core import DataError, MissingPackageError, ParameterError
from penstock.models import Model, infer_signature
from penstock.models._onnx_session import _library
from penstock.registry import Registry
from penstock.serving import create_app, deploy, predict
from penstock.stores import Store, collect_garbage, open_store

for package in ("onnxruntime", "skl2onnx"):
    pytest.importorskip(package, reason='pip install "penstock[onnx]"')

RNG = np.random.default_rng(2)
X = pl.DataFrame(RNG.normal(size=(200, 3)), schema=["a", "b", "c"])
LABEL = np.where(X["a"] + X["b"] > 0, "yes", "no")
NEW = pl.DataFrame(RNG.normal(size=(50, 3)), schema=X.columns)


@pytest.fixture
def store(tmp_path):
    return open_store(f"sqlite:///{tmp_path}/penstock.db")


def register(store: Store, estimator, **options):
    fitted = estimator.fit(X, LABEL)
    registry = Registry(store=store)
    model = Model(fitted, infer_signature(fitted, X, LABEL))
    version = registry.register("sales", model, actor="ann", **{"rows": X, **options})
    registry.promote("sales", version.version, actor="ann", reason="It is good.")
    return version


def ask(store: Store, rows: pl.DataFrame):
    with TestClient(create_app(names=["sales"], store=store)) as client:
        reply = client.post("/models/sales/predict", json={"rows": rows.to_dicts()}).json()
        form = client.get("/models/sales").json()["form"]
    return form, [(each["prediction"], each["score"]) for each in reply["predictions"]]


def batch(store: Store, path, **options):
    done = predict("sales", data=NEW, out=str(path), store=store, **options)
    table = pl.read_parquet(path)
    return done.form, list(zip(table["prediction"], table["score"], strict=True))


def test_server_batch_and_journal_use_the_form_of_the_version(store, tmp_path):
    version = register(store, RandomForestClassifier(7, random_state=0))
    served = ask(store, NEW)
    assert served[0] == "onnx"
    assert batch(store, tmp_path / "onnx.parquet") == served
    assert {each.form for each in store.metadata.predictions.list("sales")} == {"onnx"}
    single = [ask_one for row in NEW[:5].iter_slices(1) for ask_one in ask(store, row)[1]]
    assert single == served[1][:5]
    native = Model.load(version, store=store).predict(NEW)
    assert [value for value, _ in served[1]] == native.values
    assert np.allclose([score for _, score in served[1]], native.scores, atol=1e-5)


def test_a_deployment_may_be_told_the_form_and_batches_follow_it(store, tmp_path):
    version = register(store, RandomForestClassifier(7, random_state=0))
    assert deploy("sales", form="native", store=store).form == "native"
    native = Model.load(version, store=store).predict(NEW)
    expected = list(zip(native.values, native.scores, strict=True))
    assert ask(store, NEW) == ("native", expected)
    assert batch(store, tmp_path / "native.parquet") == ("native", expected)
    assert {each.form for each in store.metadata.predictions.list("sales")} == {"native"}
    assert deploy("sales", store=store).form == "native"  # it stays as it was told
    assert batch(store, tmp_path / "asked.parquet", form="onnx")[0] == "onnx"
    assert deploy("sales", form="auto", store=store).form is None
    assert ask(store, NEW)[0] == "onnx"
    with pytest.raises(ParameterError, match="'tflite'"):
        deploy("sales", form="tflite", store=store)  # type: ignore[arg-type]  # the mistake


def test_a_running_server_follows_a_change_of_the_form(store):
    register(store, RandomForestClassifier(7, random_state=0))
    app = create_app(names=["sales"], store=store, poll_s=0.05)
    with TestClient(app) as client:
        assert client.get("/models/sales").json()["form"] == "onnx"
        deploy("sales", form="native", store=store)
        for _ in range(200):
            if client.get("/models/sales").json()["form"] == "native":
                break
            time.sleep(0.02)
        assert client.get("/models/sales").json()["form"] == "native"


def test_without_a_form_the_native_one_answers_and_onnx_is_refused(store):
    version = register(store, LogisticRegression(), onnx=False)
    assert version.onnx is None
    assert ask(store, NEW)[0] == "native"
    with pytest.raises(DataError, match="None was tried"):
        deploy("sales", form="onnx", store=store)
    register(store, LogisticRegression(C=2.0), rows=None)
    with pytest.raises(DataError, match="no rows to compare"):
        predict("sales", data=NEW, out="never.parquet", form="onnx", store=store)


def test_a_server_without_onnxruntime_answers_natively_and_says_so(
    store, tmp_path, monkeypatch, caplog
):
    register(store, RandomForestClassifier(7, random_state=0))
    _library.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with caplog.at_level(logging.WARNING, "penstock.serving"):
        assert ask(store, NEW)[0] == "native"
    assert "sales@1 is answered by its native form: onnxruntime is not installed" in caplog.text
    assert {each.form for each in store.metadata.predictions.list("sales")} == {"native"}
    # A batch must not differ from the servers that have it, in silence.
    with pytest.raises(MissingPackageError, match="onnxruntime"):
        predict("sales", data=NEW, out=str(tmp_path / "out.parquet"), store=store)


def test_the_command_line_says_which_form_answers(store, tmp_path):
    version = register(store, RandomForestClassifier(7, random_state=0))

    def call(*words: str) -> str:
        done = CliRunner().invoke(cli, ["--store", store.url, *words])
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    assert "sales@1 answers in its ONNX form (skl2onnx" in call("models", "sales@1")
    (told,) = json.loads(call("models", "sales@1", "--json"))
    assert (told["form"], told["onnx"]) == ("onnx", version.onnx)
    facts = told["onnx_form"]
    assert facts["largest_difference"] <= facts["tolerance"] == 1e-5
    assert facts["rows"] == 200
    assert facts["beside_thresholds"] > 50
    call("deploy", "sales", "--form", "native")
    assert "form: native, as deployed" in call("deployments", "sales")
    NEW.write_csv(tmp_path / "new.csv")
    out = str(tmp_path / "out.csv")
    text = call("predict", "sales", "--data", str(tmp_path / "new.csv"), "--out", out)
    assert "ONNX" not in text
    out = str(tmp_path / "onnx.csv")
    text = call(
        "predict", "sales", "--data", str(tmp_path / "new.csv"), "--out", out, "--form", "onnx"
    )
    assert "Its ONNX form answered" in text


def test_the_form_is_kept_as_long_as_its_version(store):
    version = register(store, RandomForestClassifier(7, random_state=0))
    collect_garbage(delete=True, grace=timedelta(0), store=store)
    assert store.get(version.onnx).form == "onnx"
    assert ask(store, NEW)[0] == "onnx"
