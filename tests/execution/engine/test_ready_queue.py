"""The ready queue on its own: order, predecessors, postponed work; with a clock that a test sets."""

import pytest

from penstock.core import StepRunRecord, StepState
from penstock.execution.engine._ready_queue import ReadyQueue
from penstock.execution.step import Work
from penstock.pipelines import Node, Output, step


@step
def usual(*values): ...


@step(priority=5)
def urgent(): ...


def node(name, *needs, of=usual):
    return Node(name, of, {"values": [Output(needed) for needed in needs]})


def work(name):
    return Work(node(name), StepRunRecord("s", "r", name, 0, StepState.RUNNING))


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def queue(clock):
    return ReadyQueue(lambda: clock[0])


def popped(queue):
    names = []
    while (found := queue.pop()) is not None:
        names.append(found.name)
    return names


def test_ready_nodes_come_in_the_order_of_the_body_but_by_priority_first(queue):
    queue.add([node("a"), node("b"), node("c", of=urgent)])
    assert popped(queue) == ["c", "a", "b"]
    assert not queue


def test_a_node_is_ready_when_the_last_node_before_it_has_ended(queue):
    queue.add([node("a"), node("b"), node("both", "a", "b")])
    assert popped(queue) == ["a", "b"]
    queue.end("a")
    assert queue.pop() is None
    queue.end("b")
    assert popped(queue) == ["both"]


def test_a_predecessor_that_has_ended_or_is_not_in_the_queue_is_not_waited_for(queue):
    queue.add([node("a")])
    queue.end("a")
    queue.add([node("later", "a", "elsewhere")], below=(0,))
    assert popped(queue) == ["a", "later"]


def test_only_chosen_nodes_are_added_and_keep_their_rank(queue):
    queue.add([node("a"), node("b"), node("c", "a")], only={"b", "c"})
    assert popped(queue) == ["b", "c"]
    assert queue.rank("c") == (2,)


def test_items_rank_below_their_map_and_before_what_follows_it(queue):
    queue.add([node("map"), node("after")])
    queue.pop()
    queue.add([node("map[0]")], below=(0, 0))
    queue.add([node("map[1]")], below=(0, 1))
    assert popped(queue) == ["map[0]", "map[1]", "after"]
    assert queue.rank("map[1]") == (0, 1, 0)


def test_postponed_work_comes_when_its_time_has_come(queue, clock):
    queue.add([node("a"), node("b")])
    popped(queue)
    queue.postpone(work("a"), 2.0)
    queue.postpone(work("b"), 0.5)
    assert (queue.pop_due(), queue.seconds_to_next()) == (None, 0.5)
    clock[0] += 1
    assert queue.pop_due().node.name == "b"
    assert (queue.pop_due(), queue.seconds_to_next()) == (None, 1.0)
    assert queue
    queue.drop_postponed()
    assert (bool(queue), queue.seconds_to_next()) == (False, None)
