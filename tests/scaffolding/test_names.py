"""Names: what the user types becomes a folder, a module and a model."""

import keyword
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import ParameterError, require_name
from penstock.scaffolding._names import choose_names


def test_spaces_and_capitals_become_legal_everywhere():
    names = choose_names("My Bike Rides!")
    assert (names.model, names.module, names.folder.name) == (
        "my-bike-rides",
        "my_bike_rides",
        "my-bike-rides",
    )


def test_a_path_says_where_the_folder_goes(tmp_path):
    names = choose_names(str(tmp_path / "work" / "churn"))
    assert names.folder == tmp_path / "work" / "churn"
    assert names.model == "churn"


def test_a_given_folder_is_taken_as_it_is(tmp_path):
    assert choose_names("churn", tmp_path / "Other").folder == tmp_path / "Other"


@pytest.mark.parametrize("name", ["json", "polars", "class", "print", "train", "match", "table"])
def test_a_name_that_python_needs_is_not_taken_away(name):
    assert choose_names(name).module == f"{name}_pipeline"


def test_a_leading_digit_gets_a_letter():
    assert choose_names("2024 sales").module == "p2024_sales"


@pytest.mark.parametrize("name", ["", "日本", "--", "."])
def test_a_name_without_letters_is_refused_with_an_example(name):
    with pytest.raises(ParameterError, match=r"no name for a project.*'churn'"):
        choose_names(name)


@given(st.text(min_size=1, max_size=40))
def test_whatever_is_typed_is_legal_or_refused(name):
    try:
        names = choose_names(name, Path("here"))
    except ParameterError:
        return
    assert names.module.isidentifier()
    assert not keyword.iskeyword(names.module)
    assert require_name(names.model, "model") == names.model
