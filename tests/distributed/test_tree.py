"""The tree over shards: the same additions in the same order for every number of workers."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.distributed._tree import (
    TreeNode,
    TreeSum,
    cut_rows,
    is_butterfly,
    shards_of,
    subtrees,
)

shards = st.integers(1, 40)


def join(left, right):
    return f"({left}+{right})"


def whole(count, empty):
    """The additions of one worker, written out."""
    total = TreeSum(join)
    for shard in range(count):
        total.add(TreeNode(0, shard), None if shard in empty else str(shard))
    return total.total()


@given(shards, st.data())
def test_every_number_of_workers_adds_the_same_nodes(count, data):
    workers = data.draw(st.integers(1, count))
    empty = data.draw(st.sets(st.integers(0, count - 1)))
    total = TreeSum(join)
    for worker in range(workers):
        own = TreeSum(join)
        mine = shards_of(worker, workers, count)
        for shard in mine:
            own.add(TreeNode(0, shard), None if shard in empty else str(shard))
        assert [node for node, _ in own.nodes()] == list(subtrees(mine))
        for node, value in own.nodes():
            total.add(node, value)
    assert total.total() == whole(count, empty)


@given(st.integers(0, 5), st.integers(0, 5))
def test_workers_exchange_single_nodes_if_both_numbers_are_powers_of_two(first, second):
    workers, count = 2 ** min(first, second), 2 ** max(first, second)
    assert is_butterfly(workers, count)
    for worker in range(workers):
        assert len(list(subtrees(shards_of(worker, workers, count)))) == 1


@given(shards, st.data())
def test_each_shard_belongs_to_the_worker_of_the_formula(count, data):
    workers = data.draw(st.integers(1, count))
    owners = {
        shard: worker for worker in range(workers) for shard in shards_of(worker, workers, count)
    }
    assert owners == {shard: shard * workers // count for shard in range(count)}


@given(st.integers(0, 300), shards)
def test_shards_hold_all_rows_once_and_differ_by_at_most_a_row(rows, count):
    cuts = cut_rows(rows, count)
    assert [row for start, stop in cuts for row in range(start, stop)] == list(range(rows))
    sizes = [stop - start for start, stop in cuts]
    assert max(sizes) - min(sizes) <= 1


def test_eight_shards_are_added_as_a_complete_tree():
    assert whole(8, {6, 7}) == "(((0+1)+(2+3))+(4+5))"
