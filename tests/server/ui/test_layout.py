import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from penstock.server.ui._drawing import GraphNode, draw
from penstock.server.ui._layout import Arrow, Box, arrange


@st.composite
def graphs(draw_value):
    count = draw_value(st.integers(1, 14))
    names = [f"n{i}" for i in range(count)]
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names))
    arrows = [Arrow(a, b) for a, b in draw_value(st.lists(pairs, max_size=30))]
    width = st.floats(20, 200)
    return [Box(name, draw_value(width), 40) for name in names], arrows


def overlap(a, b):
    apart = (
        a.x + a.width <= b.x
        or b.x + b.width <= a.x
        or a.y + a.height <= b.y
        or b.y + b.height <= a.y
    )
    return not apart  # fmt: skip


@given(graphs(), st.booleans())
def test_boxes_never_overlap_and_stay_in_the_picture(graph, down):
    boxes, arrows = graph
    picture = arrange(boxes, arrows, down=down)
    assert sorted(box.key for box in picture.boxes) == sorted(box.key for box in boxes)
    for index, box in enumerate(picture.boxes):
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= picture.width + 0.2
        assert box.y + box.height <= picture.height + 0.2
        assert not any(overlap(box, other) for other in picture.boxes[index + 1 :])


@given(graphs())
def test_equal_graphs_give_equal_pictures(graph):
    boxes, arrows = graph
    assert arrange(boxes, arrows) == arrange(boxes, arrows)


@given(st.integers(2, 12))
def test_a_chain_runs_forward_and_straight(length):
    boxes = [Box(str(i), 60, 30) for i in range(length)]
    picture = arrange(boxes, [Arrow(str(i), str(i + 1)) for i in range(length - 1)])
    assert all(left.x + left.width < right.x for left, right in pairwise(picture.boxes))
    assert {box.y for box in picture.boxes} == {8.0}


def test_arrows_that_do_not_fit_are_left_out():
    picture = arrange([Box("a", 10, 10)], [Arrow("a", "a"), Arrow("a", "gone")])
    assert picture.routes == ()


def test_a_circle_is_drawn_too():
    boxes = [Box("a", 10, 10), Box("b", 10, 10)]
    picture = arrange(boxes, [Arrow("a", "b"), Arrow("b", "a")])
    assert [(r.source, r.target) for r in picture.routes] == [("a", "b"), ("b", "a")]


def test_two_crossing_arrows_are_uncrossed():
    boxes = [Box(name, 40, 20) for name in ("a", "b", "c", "d")]
    picture = arrange(boxes, [Arrow("a", "d"), Arrow("b", "c")])
    at = {box.key: box.y for box in picture.boxes}
    assert (at["a"] < at["b"]) == (at["d"] < at["c"])


def test_no_boxes_give_an_empty_picture():
    assert arrange([], []).boxes == ()


def test_a_hundred_steps_are_laid_out_in_a_moment():
    boxes = [Box(str(i), 100, 40) for i in range(100)]
    arrows = [Arrow(str(i), str(i + k)) for i in range(90) for k in (1, 3, 7)]
    started = time.process_time()
    arrange(boxes, arrows)
    assert time.process_time() - started < 2


def test_a_wide_graph_runs_downwards_and_long_names_are_cut():
    nodes = [GraphNode(str(i), "a name much longer than fits into a box " * 2) for i in range(9)]
    drawing = draw(nodes, [Arrow(str(i), str(i + 1)) for i in range(8)], "wide")
    assert drawing.height > drawing.width
    assert drawing.nodes[0].title.endswith("…")
