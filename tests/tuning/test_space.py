import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import ParameterError
from penstock.tuning import Choice, FloatRange, IntRange, parse_dimension, read_space
from penstock.tuning._space import grid_size
from penstock.tuning._spec import dimension_from_json, dimension_to_json

finite = st.floats(-1e9, 1e9, allow_nan=False)
above = st.floats(1e-6, 1e6)
plain = st.none() | st.booleans() | st.integers() | finite | st.text(max_size=8)


@st.composite
def dimensions(draw):
    kind = draw(st.sampled_from(["float", "int", "choice"]))
    if kind == "choice":
        options = draw(st.lists(plain, min_size=2, max_size=5, unique_by=lambda v: (type(v), v)))
        return Choice(tuple(options))
    log = draw(st.booleans())
    if kind == "float":
        low, width = draw(above if log else finite), draw(above)
        step = None if log else draw(st.none() | above)
        return FloatRange(low, max(low + width, math.nextafter(low, math.inf)), step=step, log=log)
    low = draw(st.integers(1 if log else -1000, 1000))
    return IntRange(
        low, low + draw(st.integers(1, 50)), step=1 if log else draw(st.integers(1, 5)), log=log
    )


@given(dimensions())
def test_a_dimension_is_read_back_from_its_record(dimension):
    assert dimension_from_json(dimension_to_json(dimension)) == dimension


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3..12", IntRange(3, 12)),
        ("2..8/3", IntRange(2, 8, step=3)),
        ("0.1..0.9", FloatRange(0.1, 0.9)),
        ("0..1/0.25", FloatRange(0, 1, step=0.25)),
        ("-1..1", IntRange(-1, 1)),
        ("log(1e-4,1e-1)", FloatRange(1e-4, 1e-1, log=True)),
        ("log(1, 1000)", IntRange(1, 1000, log=True)),
        ("log:1e-4..1e-1", FloatRange(1e-4, 1e-1, log=True)),
        ("a,b", Choice(("a", "b"))),
        ("1,2,none,true", Choice((1, 2, None, True))),
        ("'1','2'", Choice(("1", "2"))),
    ],
)
def test_a_text_is_a_dimension(text, expected):
    assert parse_dimension(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "7", "a", "12..3", "3..3", "log(0,1)", "log(5,1)", "1..5/0", "a,a", "log(1e-4)", "3.12"],
)
def test_a_text_that_is_no_dimension_is_refused_with_the_forms(text):
    with pytest.raises(ParameterError) as error:
        read_space({"depth": text})
    assert error.value.fix


@pytest.mark.parametrize(
    "search", [{}, ["depth"], ["=3..5"], ["a=1..2", "a=1..3"], {"a": 3}, {"a": [object(), 1]}]
)
def test_a_search_without_a_readable_space_is_refused(search):
    with pytest.raises(ParameterError):
        read_space(search)


def test_the_grid_of_a_space_is_the_product_of_its_values():
    space = read_space({"a": "1..3", "b": "0..1/0.25", "c": "x,y"})
    assert grid_size(space) == 3 * 5 * 2
    assert space["b"].values() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert grid_size(read_space({"a": "0.0..1.0"})) is None
