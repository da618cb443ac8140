"""A signature's forms: plain JSON, JSON Schema, Open Inference Protocol."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DataError
from penstock.models import Signature
from penstock.tables import Column

AGE = Column("age", "integer", "Int64", minimum=17, maximum=90)
CITY = Column("city", "category", "String", nullable=True, levels=("Bonn", "Köln"))
AT = Column("at", "datetime", "Datetime(time_unit='us', time_zone=None)", nullable=True)
VOID = Column("void", "constant", "Null", nullable=True)

numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers()
fields = st.builds(
    Column,
    name=st.text(min_size=1, max_size=5),
    kind=st.sampled_from(["number", "integer", "category", "id"]),
    dtype=st.sampled_from(["Float64", "Int64", "String"]),
    nullable=st.booleans(),
    minimum=numbers,
    maximum=numbers,
    levels=st.none() | st.lists(st.text(max_size=3), max_size=3).map(tuple),
)


@given(
    st.lists(fields, max_size=4).map(tuple),
    st.sampled_from(["binary", "multiclass", "regression"]),
    st.lists(st.text(max_size=3) | st.integers() | st.booleans(), max_size=3).map(tuple),
    st.booleans(),
)
def test_a_signature_comes_back_from_json_text(inputs, task, classes, accepts):
    signature = Signature(inputs, "y", task, classes, "pandas", accepts_missing=accepts)
    assert Signature.from_json(json.loads(json.dumps(signature.to_json()))) == signature


@pytest.mark.parametrize(
    "document",
    [{}, {"inputs": [{}]}, {"inputs": [], "target": "y", "task": "guess"}, {"inputs": 3}],
)
def test_a_damaged_signature_is_told(document):
    with pytest.raises(DataError, match="signature cannot be read"):
        Signature.from_json(document)


def test_json_schema_tells_what_is_needed():
    schema = Signature((AGE, CITY, AT, VOID)).to_json_schema()
    assert schema["required"] == ["age"]
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "age": {"type": "integer", "description": "Training values: 17 to 90."},
        "city": {"type": ["string", "null"], "examples": ["Bonn", "Köln"]},
        "at": {"format": "date-time", "type": ["string", "number", "null"]},
        "void": {"type": "null"},
    }


def test_json_schema_allows_null_where_the_model_answers_it():
    schema = Signature((AGE,), accepts_missing=True).to_json_schema()
    assert schema["properties"]["age"]["type"] == ["integer", "null"]


@pytest.mark.parametrize(
    ("task", "classes", "datatype"),
    [
        ("regression", (), "FP64"),
        ("binary", (False, True), "BOOL"),
        ("binary", (0, 1), "INT64"),
        ("multiclass", ("a", "b", "c"), "BYTES"),
        ("multiclass", (0.5, 1.0, 2.0), "FP64"),
    ],
)
def test_the_answer_is_a_tensor_of_the_labels_type(task, classes, datatype):
    outputs = Signature((AGE,), "y", task, classes).to_oip()["outputs"]
    assert outputs[0] == {"name": "prediction", "datatype": datatype, "shape": [-1]}
    assert [output["name"] for output in outputs[1:]] == ([] if task == "regression" else ["score"])


def test_inputs_are_tensors_of_any_number_of_rows():
    assert Signature((AGE, CITY)).to_oip()["inputs"] == [
        {"name": "age", "datatype": "INT64", "shape": [-1]},
        {"name": "city", "datatype": "BYTES", "shape": [-1]},
    ]


def test_names_are_in_order():
    assert Signature((CITY, AGE)).names == ["city", "age"]
