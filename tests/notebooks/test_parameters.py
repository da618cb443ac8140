"""Parameters of a notebook: typed by their defaults, written as literals."""

import math

import pytest
from tests.notebooks.corpus import write_notebook

from penstock.core import ParameterError
from penstock.notebooks import read_notebook
from penstock.notebooks._parameters import assignments, list_parameters, read_parameters


@pytest.fixture
def notebook(tmp_path):
    cell = "size = 3\nshare: float = 0.5\nname = 'x'\nflag = True\nrows = [1]\nnothing = None\nmade = f()"
    return read_notebook(write_notebook(tmp_path / "a.ipynb", cell, tags={0: ["parameters"]}))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("size", "4", 4),
        ("size", "4.5", 4.5),
        ("share", "1", 1.0),
        ("name", "4", "4"),
        ("flag", "no", False),
        ("rows", "[1, 2]", [1, 2]),
        ("nothing", "5", 5),
        ("nothing", "word", "word"),
    ],
)
def test_a_text_becomes_a_value_of_the_defaults_type(notebook, name, text, value):
    found = read_parameters(notebook, {name: text})[name]
    assert (found, type(found)) == (value, type(value))


def test_what_is_computed_is_no_parameter(notebook):
    assert "made" not in list_parameters(notebook)
    with pytest.raises(ParameterError, match="'made'"):
        read_parameters(notebook, {"made": 1})


def test_values_without_a_literal_are_refused():
    assert assignments({"a": 1, "b": [None, "x"]}) == "a = 1\nb = [None, 'x']"
    with pytest.raises(ParameterError, match="no literal"):
        assignments({"a": object()})
    with pytest.raises(ParameterError, match="no literal"):
        assignments({"a": math.nan})
