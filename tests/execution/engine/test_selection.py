"""The selection of a step that is executed alone, with what it needs."""

import pytest

from penstock.execution.engine._selection import Selection
from penstock.pipelines import map as mapped
from penstock.pipelines import pipeline, step


@step
def load() -> list:
    return [1, 2]


@step
def fit(item: int) -> int:
    return item


@step
def score(model: int) -> int:
    return model


@step
def other() -> int:
    return 1


@pipeline
def inner(item: int) -> int:
    return score(fit(item))


@pipeline
def job():
    other()
    return mapped(inner, load(), name="each")


@pytest.fixture
def graph():
    return job.trace()


def test_without_a_step_everything_is_executed(graph):
    selection = Selection(graph, None)
    assert selection.steps() is None
    assert selection.executes("other")
    assert selection.is_whole(graph["each"])


@pytest.mark.parametrize("alone", ["each", "each[1]/score"])
def test_a_step_alone_takes_along_what_it_needs(graph, alone):
    assert Selection(graph, alone).steps() == {"each", "load"}


def test_only_the_step_itself_may_be_executed(graph):
    selection = Selection(graph, "each[1]/fit")
    names = ("each", "each[1]/fit", "each[1]/score", "each[0]/fit", "load")
    assert [selection.executes(name) for name in names] == [True, True, False, False, False]


def test_an_item_alone_leaves_the_map_open(graph):
    selection = Selection(graph, "each[1]/score")
    assert not selection.is_whole(graph["each"])
    assert [selection.has_item(graph["each"], key) for key in (0, 1)] == [False, True]


def test_of_an_item_only_the_nodes_before_the_chosen_one_are_needed(graph):
    nodes = graph["each"].item(1, 2)
    assert Selection(graph, "each[1]/fit").nodes_of_item(nodes) == {"each[1]/fit"}
    both = {"each[1]/fit", "each[1]/score"}
    assert both <= Selection(graph, "each[1]/score").nodes_of_item(nodes)
    assert Selection(graph, None).nodes_of_item(nodes) is None
