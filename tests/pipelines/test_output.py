"""An output stands for a value that does not exist yet: it explains itself when misused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DefinitionError
from penstock.pipelines import Output, find_outputs, replace_outputs

MISUSES = {
    "is used as a condition": bool,
    "is compared": lambda out: out == 3,
    "is used in arithmetic": lambda out: 1 + out,
    "is turned into a number": float,
    "is asked for its length": len,
    "is unpacked or looped over": list,
    "is asked for .columns": lambda out: out.columns,
    "is indexed with ['a']": lambda out: out["a"],
    "is called": lambda out: out(1),
    "is put into a text": lambda out: f"model {out}",
}


@pytest.mark.parametrize(("words", "misuse"), MISUSES.items())
def test_using_an_output_as_a_value_is_explained(words, misuse):
    with pytest.raises(DefinitionError, match="no step has run") as caught:
        misuse(Output("train"))
    assert words in str(caught.value)
    assert "'train'" in str(caught.value)


def test_an_output_can_be_shown_hashed_and_probed():
    out = Output("train", "0")
    assert repr(out) == "<output '0' of step 'train'>"
    assert out.text == "train.0"
    assert {out: 1}[out] == 1
    assert not hasattr(out, "_repr_html_")


def test_an_output_in_a_set_is_refused():
    with pytest.raises(DefinitionError, match="Use a list"):
        list(find_outputs({Output("a")}, "x"))
    assert list(find_outputs({1, 2}, "x")) == []


def test_an_argument_that_contains_itself_is_refused():
    rows = [1]
    rows.append({"all": rows})  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match=r"Argument x contains itself, at \[1\]\['all'\]"):
        list(find_outputs(rows, "x"))
    same = [1]
    assert list(find_outputs([same, same], "x")) == []


nested = st.recursive(
    st.integers() | st.builds(Output, st.sampled_from("abc")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    ),
    max_leaves=8,
)


def plain(value, path, values):
    """An independent way to say what is expected."""
    if isinstance(value, Output):
        return values[path]
    if isinstance(value, dict):
        return {key: plain(item, f"{path}[{key}]", values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(item, f"{path}[{i}]", values) for i, item in enumerate(value))
    return value


@given(nested)
def test_every_output_is_found_and_replaced_in_its_place(value):
    found = dict(find_outputs(value, "arg"))
    values = {path: f"value of {path}" for path in found}
    replaced = replace_outputs(value, "arg", values)
    assert replaced == plain(value, "arg", values)
    assert not dict(find_outputs(replaced, "arg"))


def test_containers_are_new_so_that_a_step_cannot_change_the_graph():
    constant = [1, {"a": 2}]
    replaced = replace_outputs(constant, "x", {})
    replaced[1]["a"] = 3
    assert constant == [1, {"a": 2}]
