"""ONNX graphs as models: inputs from the graph, labels as the user has them, each row by itself."""

import copy
import importlib.util
import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from penstock.core import DataError, ParameterError
from penstock.models import (
    Model,
    OnnxEstimator,
    infer_onnx_signature,
    infer_signature,
    require_safe,
)
from penstock.stores import open_store

pytest.importorskip("onnx", reason='pip install "penstock[onnx]"')
pytest.importorskip("onnxruntime", reason='pip install "penstock[onnx]"')
from onnx import helper
from skl2onnx import to_onnx
from tests.stores import onnx_graphs as graphs

RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(300, 4)).astype(np.float32)
LABELS = np.where(ROWS[:, 0] + ROWS[:, 1] > 0, "yes", "no")
FRAME = pl.DataFrame(ROWS, schema=["a", "b", "c", "d"])


def converted(estimator, y, **options):
    fitted = estimator.fit(ROWS, y)
    return fitted, to_onnx(fitted, ROWS[:1], options=options or None, target_opset=18)


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), RandomForestClassifier(5, random_state=0)]
)
def test_a_classifier_names_its_labels_and_gives_probabilities(estimator, zipmap):
    fitted, graph = converted(estimator, LABELS, zipmap=zipmap)
    model = Model(graph, infer_signature(graph, FRAME, LABELS))
    assert (model.signature.classes, model.signature.task) == (("no", "yes"), "binary")
    found = model.predict(FRAME)
    assert found.values == fitted.predict(ROWS).tolist()
    assert np.allclose(found.probabilities, fitted.predict_proba(ROWS), atol=1e-6)
    assert model.is_row_wise


def test_rows_together_are_answered_as_each_alone():
    for estimator, y in [
        (LogisticRegression(), LABELS),
        (RandomForestClassifier(100, random_state=0), LABELS),
        (RandomForestRegressor(60, random_state=0), ROWS[:, 0] * 3),
    ]:
        _, graph = converted(estimator, y)
        own = OnnxEstimator(graph)
        together = own.predict_proba(FRAME) if own.labels else own.predict(FRAME)
        for place in (0, 1, 7, 150, 299):
            row = FRAME[place]
            alone = own.predict_proba(row) if own.labels else own.predict(row)
            assert (together[place] == alone[0]).all()


def test_the_inputs_of_a_graph_by_name_and_their_values():
    model = Model(graphs.by_name(), infer_onnx_signature(graphs.by_name(), target="pay"))
    assert [(each.name, each.dtype) for each in model.signature.inputs] == [
        ("age", "Float32"),
        ("city", "String"),
    ]
    assert (model.signature.task, model.signature.target) == ("regression", "pay")
    rows: list[dict[str, Any]] = [{"city": "Oslo", "age": 3.0}, {"city": "Rome", "age": 3}]
    assert model.predict_rows(rows).values == [6.0, 3.0]
    with pytest.raises(DataError, match="city"):
        model.predict_rows([{"age": 3.0, "city": None}])
    with pytest.raises(DataError, match="'city', and there is no such column"):
        OnnxEstimator(graphs.by_name()).predict(pl.DataFrame({"age": [1.0]}))


def test_a_matrix_has_the_names_that_are_given():
    signature = infer_onnx_signature(graphs.linear(), names=["age", "height"])
    assert signature.names == ["age", "height"]
    assert infer_onnx_signature(graphs.linear()).names == ["x0", "x1"]
    model = Model(graphs.linear(), signature)
    assert model.predict_rows([{"height": 1.0, "age": 4.0}]).values == [0.0]
    assert not model.signature.inputs[0].minimum  # a graph knows no range: none is made up
    with pytest.raises(DataError, match="takes 2 columns"):
        infer_onnx_signature(graphs.linear(), names=["age"])
    with pytest.raises(DataError, match="3 columns, the ONNX model takes 2"):
        OnnxEstimator(graphs.linear()).predict([[1.0, 2.0, 3.0]])


def test_several_numbers_are_several_targets_or_scores_of_classes():
    graph = graphs.linear(((1.0, 0.0, 2.0), (0.0, 1.0, -1.0)))
    frame = pl.DataFrame({"a": [1.0, 0.0], "b": [0.0, 2.0]})
    truth = pl.DataFrame({"p": [1.0, 0.0], "q": [0.0, 2.0], "r": [2.0, -2.0]})
    targets = Model(graph, infer_signature(graph, frame, truth)).predict(frame).values
    assert targets[1] == {"p": 0.0, "q": 2.0, "r": -2.0}
    scores = OnnxEstimator(graph, classes=["u", "v", "w"])
    assert scores.predict(frame).tolist() == ["w", "v"]
    powers = np.exp([1.0, 0.0, 2.0])
    assert np.allclose(scores.predict_proba(frame)[0], powers / powers.sum())
    with pytest.raises(DataError, match="3\\) for 2 classes"):
        OnnxEstimator(graph, classes=["u", "v"]).predict(frame)


def test_one_score_for_two_classes_is_the_logit_or_share_of_the_second():
    logit = graphs.linear()
    frame = pl.DataFrame({"a": [2.0], "b": [0.25]})  # 2 * 0.5 - 0.25 * 2 = 0.5
    found = OnnxEstimator(logit, classes=["no", "yes"]).predict_proba(frame)
    assert np.allclose(found, [[1 - 1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(-0.5))]])
    share = graphs.linear()
    share.graph.node[0].output[0] = "z"
    share.graph.node.append(helper.make_node("Sigmoid", ["z"], ["y"]))
    assert np.allclose(OnnxEstimator(share, classes=["no", "yes"]).predict_proba(frame), found)


def test_labels_are_never_turned_around():
    _, graph = converted(RandomForestClassifier(3, random_state=0), LABELS == "yes", zipmap=False)
    assert OnnxEstimator(graph).labels == (0, 1)
    named = OnnxEstimator(graph, classes=["no", "yes"])
    assert (named.predict(FRAME) == LABELS).mean() > 0.9
    for wrong in ([1, 0], ["a", "b", "c"]):
        with pytest.raises(ParameterError, match="graph's own"):
            OnnxEstimator(graph, classes=wrong).predict(FRAME)


def test_a_graph_is_stored_alone_in_a_wrapper_and_behind_transformers(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/penstock.db")
    scaler = StandardScaler().fit(FRAME)
    _, graph = converted(LogisticRegression(), LABELS)
    for model in (
        graph,
        OnnxEstimator(graph, classes=["no", "yes"]),
        make_pipeline(scaler, OnnxEstimator(graph)),
    ):
        record = store.put(model)
        assert require_safe(record) is record
        read = store.load(record)
        assert store.put(read).digest == record.digest
        first, second = (Model.of(each, FRAME).predict(FRAME) for each in (model, read))
        assert (first.probabilities == second.probabilities).all()


def test_copies_are_whole_and_a_text_of_it_is_short():
    model = OnnxEstimator(graphs.linear())
    expected = model.predict([[1.0, 1.0]]).tolist()
    for other in (clone(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.predict([[1.0, 1.0]]).tolist() == expected
    assert repr(model) == "OnnxEstimator(x)"


@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        ("churn.onnx", ParameterError, "read_onnx"),
        (graphs.graph([helper.make_node("Identity", ["x"], ["y"])],
                      [graphs.value("x", graphs.FLOAT, 8, 2)],
                      [graphs.value("y", graphs.FLOAT, 8, 2)]), DataError, "exactly 8 rows"),
        (graphs.graph([helper.make_node("Identity", ["x"], ["y"])],
                      [graphs.value("x", graphs.FLOAT, None, 3, 8, 8)],
                      [graphs.value("y", graphs.FLOAT, None, 3, 8, 8)]), DataError, "A row of a table"),
        (graphs.graph([helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)],
                      [graphs.value("x", graphs.FLOAT, None, 2)],
                      [graphs.value("y", graphs.FLOAT)]), None, ""),
    ],
)  # fmt: skip
def test_what_is_no_model_of_rows_is_told(model, error, text):
    if error is None:  # a sum over all rows becomes a sum by row: each row is a call of its own
        assert OnnxEstimator(model).predict([[1.0, 2.0], [3.0, 4.0]]).tolist() == [3.0, 7.0]
        return
    with pytest.raises(error, match=text):
        OnnxEstimator(model).predict([[1.0, 2.0]])


def test_values_that_the_type_cannot_hold_are_refused():
    whole = graphs.graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        [graphs.value("x", graphs.INT64, None, 1)],
        [graphs.value("y", graphs.INT64, None, 1)],
    )
    assert OnnxEstimator(whole).predict([[3.0]]).tolist() == [3]
    for bad in (2.5, np.nan):
        with pytest.raises(DataError, match="no whole number"):
            OnnxEstimator(whole).predict([[bad]])
    with pytest.raises(DataError, match="a text"):
        OnnxEstimator(graphs.linear()).predict(np.array([["1", "x"]], dtype=object))


KERAS = """
import sys

import keras
import numpy as np

from penstock.models import OnnxEstimator
from penstock.stores import open_store, read_onnx

layers = [keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2, "softmax")]
net = keras.Sequential(layers)
rows = np.random.default_rng(0).random((5, 3))
answers = net(rows).detach().numpy()
store = open_store(sys.argv[1])
net.export(sys.argv[2], format="onnx", verbose=False)
estimator = store.get(store.put(OnnxEstimator(read_onnx(sys.argv[2]), classes=["a", "b"])).digest)
np.testing.assert_allclose(estimator.predict_proba(rows), answers, rtol=1e-5)
"""


def test_a_model_of_keras_answers_by_its_export(tmp_path):
    for package in ("keras", "torch", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}; get it with: pip install {package}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KERAS, f"sqlite:///{tmp_path}/p.db", "net.onnx"],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
