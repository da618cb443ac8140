"""The graph: order, circles, and the plain form that people see."""

from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import DefinitionError, NotFoundError
from penstock.pipelines import Graph, Node, Output, step


@step
def any_step(*inputs):
    return inputs


def graph_of(edges):
    """``{"b": ["a"]}``: b takes the output of a."""
    return Graph(
        "made",
        tuple(
            Node(name, any_step, {"inputs": tuple(Output(other) for other in needed)})
            for name, needed in edges.items()
        ),
    )


@st.composite
def acyclic(draw):
    names = [f"s{i}" for i in range(draw(st.integers(1, 12)))]
    edges = {
        name: draw(st.lists(st.sampled_from(names[:i]), max_size=3)) if i else []
        for i, name in enumerate(names)
    }
    return {name: edges[name] for name in draw(st.permutations(names))}


@given(acyclic())
def test_each_step_comes_after_what_it_needs(edges):
    order = [node.name for node in graph_of(edges).order()]
    assert sorted(order) == sorted(edges)
    for name, needed in edges.items():
        assert all(order.index(other) < order.index(name) for other in needed)


@given(acyclic())
def test_the_order_is_that_of_definition_wherever_that_is_possible(edges):
    names = list(edges)
    order = [node.name for node in graph_of(edges).order()]
    if all(names.index(o) < names.index(n) for n, needed in edges.items() for o in needed):
        assert order == names
    # Otherwise: always the first defined among those that are ready.
    sorter = TopologicalSorter(edges)
    sorter.prepare()
    ready, expected = set(sorter.get_ready()), []
    while ready:
        first = min(ready, key=names.index)
        ready.remove(first)
        expected.append(first)
        sorter.done(first)
        ready |= set(sorter.get_ready())
    assert order == expected


@given(acyclic())
def test_dependants_are_all_that_cannot_do_without(edges):
    graph = graph_of(edges)
    for name in edges:
        reached, changed = {name}, True
        while changed:
            more = {other for other, needed in edges.items() if reached & set(needed)} - reached
            reached |= more
            changed = bool(more)
        assert graph.dependants(name) == reached - {name}


def test_a_circle_is_refused_and_shown():
    with pytest.raises(DefinitionError, match=r"in a circle: a ← b ← c ← a") as caught:
        graph_of({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})
    assert caught.value.steps == ["a", "b", "c"]


def test_a_step_that_needs_itself_is_a_circle():
    with pytest.raises(DefinitionError, match="a ← a"):
        graph_of({"a": ["a"]})


def test_a_step_that_is_not_there_is_named():
    with pytest.raises(DefinitionError, match=r"'splt', which is no step.*Did you mean 'split'"):
        graph_of({"split": [], "train": ["splt"]})


def test_an_unknown_step_is_told_with_did_you_mean():
    with pytest.raises(NotFoundError, match="Did you mean 'train'"):
        graph_of({"train": []})["trian"]
