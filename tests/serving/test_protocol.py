"""The Open Inference Protocol v2, by its specification's own forms."""

import time
from typing import Any

import pytest

from penstock.http import HttpError
from penstock.models import Signature
from penstock.serving._friendly import read_unit
from penstock.serving._tensors import Tensor, output_tensors, rows_of
from penstock.serving._truths import read_truth
from penstock.tables import Column

MODEL = "big-tips"
INFER = f"/v2/models/{MODEL}/infer"


def tensors(rows: int = 2) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": "miles", "shape": [rows], "datatype": "FP64", "data": [3.0] * rows},
            {"name": "hour", "shape": [rows, 1], "datatype": "INT64", "data": [[7]] * rows},
        ]
    }


def test_health_is_live_and_ready(client: Any) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get(f"/v2/models/{MODEL}/ready").json()["ready"] is True


def test_the_server_says_who_it_is(client: Any) -> None:
    assert client.get("/v2").json().keys() == {"name", "version", "extensions"}


def test_the_model_says_what_it_takes_and_gives(client: Any) -> None:
    described = client.get(f"/v2/models/{MODEL}").json()
    assert described["versions"] == ["1"]
    assert described["inputs"] == [
        {"name": "miles", "datatype": "FP64", "shape": [-1]},
        {"name": "hour", "datatype": "INT64", "shape": [-1]},
    ]
    assert [each["name"] for each in described["outputs"]] == ["predict", "predict_proba"]
    assert client.get(f"/v2/models/{MODEL}/versions/1").json() == described


def test_columns_are_answered_with_labels_and_probabilities(client: Any, served: Any) -> None:
    reply = client.post(INFER, json={**tensors(), "id": "mine"})
    body = reply.json()
    assert reply.status_code == 200
    assert (body["id"], body["model_name"], body["model_version"]) == ("mine", MODEL, "1")
    labels, shares = body["outputs"]
    assert (labels["datatype"], labels["shape"]) == ("BYTES", [2])
    assert (shares["datatype"], shares["shape"], len(shares["data"])) == ("FP64", [2, 2], 4)
    estimator = served.store.get(served.registry.get(MODEL, 1).artifact)
    assert shares["data"][:2] == estimator.predict_proba([[3.0, 7]])[0].tolist()
    assert len(body["parameters"]["prediction_ids"].split(",")) == 2


def test_a_matrix_means_the_columns_in_training_order(client: Any) -> None:
    matrix = {"name": "input-0", "shape": [2, 2], "datatype": "FP64", "data": [3, 7, 3, 7]}
    by_matrix = client.post(INFER, json={"inputs": [matrix]}).json()["outputs"]
    assert by_matrix == client.post(INFER, json=tensors()).json()["outputs"]


def test_only_the_outputs_asked_for_are_given(client: Any) -> None:
    body = {**tensors(), "outputs": [{"name": "predict"}]}
    assert [each["name"] for each in client.post(INFER, json=body).json()["outputs"]] == ["predict"]


def test_a_version_may_be_named(client: Any) -> None:
    assert client.post(f"/v2/models/{MODEL}/versions/1/infer", json=tensors()).status_code == 200
    for version in ("9", "one", "1" * 30):
        reply = client.post(f"/v2/models/{MODEL}/versions/{version}/infer", json=tensors())
        assert reply.status_code == 404
        assert isinstance(reply.json()["error"], str)
    assert client.get(f"/v2/models/{MODEL}/versions/1/ready").status_code == 200


def test_the_unit_may_come_as_parameter_or_header(client: Any, served: Any) -> None:
    client.post(INFER, json={**tensors(1), "parameters": {"unit": "a"}})
    client.post(INFER, json=tensors(1), headers={"x-penstock-unit": "b"})
    end = time.monotonic() + 60
    while len(records := served.store.metadata.predictions.list(MODEL)) < 2:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert {record.unit for record in records} == {"a", "b"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "mile"}, "Did you mean 'miles'"),
        ({"shape": [3]}, "has the shape [3] and 2 values"),
        ({"shape": [1, 2]}, "has the shape [1, 2]"),
        ({"shape": []}, "has the shape []"),
        ({"datatype": "FP128"}, "datatype 'FP128'"),
        ({"data": ["far", 1]}, "has 'far' at 0"),
        ({"data": [1.0, True]}, "has 'True' at 1"),
        ({"shape": [1], "data": [3.0]}, "different numbers of rows"),
        ({"name": "hour"}, "is there twice"),
        ({"data": 3}, "Expected `array`"),
    ],
)
def test_tensors_that_do_not_fit_are_told_in_one_text(
    client: Any, change: dict[str, Any], told: str
) -> None:
    body = tensors()
    body["inputs"][0] |= change
    reply = client.post(INFER, json=body)
    assert reply.status_code == 400
    assert told in reply.json()["error"]


def test_a_request_without_inputs_outputs_or_model_is_told(client: Any) -> None:
    assert "no inputs" in client.post(INFER, json={"inputs": []}).json()["error"]
    unknown = client.post(INFER, json={**tensors(), "outputs": [{"name": "predicts"}]})
    assert "Did you mean 'predict'" in unknown.json()["error"]
    assert client.post("/v2/models/none/infer", json=tensors()).status_code == 404
    assert client.get("/v2/models/none").status_code == 404
    empty = {
        **tensors(1),
        "inputs": [{**each, "shape": [0], "data": []} for each in tensors()["inputs"]],
    }
    assert "no row" in client.post(INFER, json=empty).json()["error"]


def test_null_is_a_missing_value() -> None:
    assert rows_of([Tensor("a", [2], "FP64", [None, 1])], ["a"]) == [{"a": None}, {"a": 1}]


@pytest.mark.parametrize(
    ("datatype", "good", "bad"),
    [
        ("BOOL", [True, False, 1, 0], 2),
        ("INT32", [1, -1, 2.0], 1.5),
        ("FP32", [1, 1.5], "1"),
        ("BYTES", ["a", ""], 1),
    ],
)
def test_values_are_checked_by_datatype(datatype: str, good: list[Any], bad: Any) -> None:
    assert rows_of([Tensor("a", [len(good)], datatype, good)], ["a"]) == [{"a": v} for v in good]
    with pytest.raises(HttpError, match=f"Send values that are {datatype}"):
        rows_of([Tensor("a", [1], datatype, [bad])], ["a"])


def test_a_matrix_of_another_width_names_the_order() -> None:
    with pytest.raises(HttpError, match="Send them in this order: a, b"):
        rows_of([Tensor("x", [1, 3], "FP64", [1, 2, 3])], ["a", "b"])


@pytest.mark.parametrize(
    ("classes", "datatype"),
    [
        ((), "FP64"),
        ((0, 1), "INT64"),
        ((False, True), "BOOL"),
        ((0.5, 1.5), "FP64"),
        (("a", 1), "BYTES"),
    ],
)
def test_labels_have_the_datatype_of_their_classes(classes: tuple, datatype: str) -> None:
    task = "binary" if classes else "regression"
    outputs = output_tensors(
        Signature((Column("a", "number", "Float64"),), task=task, classes=classes)
    )
    assert outputs[0]["datatype"] == datatype


def test_labels_are_read_in_the_words_of_the_model() -> None:
    classes = Signature((), task="binary", classes=(False, True))
    assert read_truth("true", classes, "id") is True
    assert read_truth(False, classes, "id") is False
    assert read_truth(1, Signature((), task="binary", classes=(0, 1)), "id") == 1
    assert read_truth(3, Signature((), task="regression"), "id") == 3.0


@pytest.mark.parametrize("value", [True, "3", None, float("inf")])
def test_a_truth_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(Exception, match="It must be a number"):
        read_truth(value, Signature((), task="regression"), "id")


@pytest.mark.parametrize("value", [True, 1.5, [], "x" * 501])
def test_a_unit_that_is_no_short_text_is_refused(value: Any) -> None:
    with pytest.raises(HttpError, match="no short text"):
        read_unit(value)


def test_warnings_come_back_as_one_text(client: Any) -> None:
    body = tensors()
    body["inputs"][0]["data"] = [3.0, 1e9]
    parameters = client.post(INFER, json=body).json()["parameters"]
    assert parameters["warnings"].startswith("row 1: miles: ")
    assert "outside the training range" in parameters["warnings"]
    assert "warnings" not in client.post(INFER, json=tensors()).json()["parameters"]


def test_an_input_that_the_model_ignores_is_no_error() -> None:
    tensors = [Tensor("age", [1], "INT64", [20]), Tensor("id", [1], "BYTES", ["C1"])]
    assert rows_of(tensors, ["age"], lambda name: name == "id") == [{"age": 20, "id": "C1"}]
    with pytest.raises(HttpError, match="'id' is not an input"):
        rows_of(tensors, ["age"])
