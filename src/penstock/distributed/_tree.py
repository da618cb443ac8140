"""The canonical tree: how batches are cut into logical shards, and in which order shards are added.

Symbols: K logical shards, W workers, n rows of a batch. A node of the tree is a level and a place:
node (l, p) covers the shards p·2^l to (p+1)·2^l - 1. Shards from K on are empty.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

TREE_VERSION = 1
"""Changes whenever the same shards would be added in a different order."""

T = TypeVar("T")


class TreeNode(NamedTuple):
    """A node of the tree over the shards."""

    level: int
    place: int


def cut_rows(rows: int, shards: int) -> list[tuple[int, int]]:
    """Compute the first and the last row (exclusive) of each shard of a batch.

    >>> cut_rows(5, 4)
    [(0, 1), (1, 2), (2, 3), (3, 5)]

    Args:
        rows: Rows of the batch, 0 or more.
        shards: Number of logical shards.
    """
    bounds = [shard * rows // shards for shard in range(shards + 1)]
    return list(itertools.pairwise(bounds))


def shards_of(worker: int, workers: int, shards: int) -> range:
    """Return the contiguous shards that a worker computes.

    >>> [list(shards_of(worker, 3, 8)) for worker in range(3)]
    [[0, 1, 2], [3, 4, 5], [6, 7]]
    """
    first = -(-worker * shards // workers)
    return range(first, -(-(worker + 1) * shards // workers))


def subtrees(shards: range) -> Iterator[TreeNode]:
    """Iterate over the largest complete subtrees of a contiguous range of shards, in order.

    >>> list(subtrees(range(3, 6)))
    [TreeNode(level=0, place=3), TreeNode(level=1, place=2)]
    """
    start = shards.start
    while start < shards.stop:
        level = 0
        while start % (2 << level) == 0 and start + (2 << level) <= shards.stop:
            level += 1
        yield TreeNode(level, start >> level)
        start += 1 << level


def is_butterfly(workers: int, shards: int) -> bool:
    """Return whether each worker's shards are a single node: both numbers are powers of two."""
    return workers & (workers - 1) == 0 and shards & (shards - 1) == 0


class TreeSum(Generic[T]):
    """Sum of values along the tree; values arrive in the order of their shards.

    >>> total = TreeSum(lambda left, right: f"({left}+{right})")
    >>> for node, name in enumerate("abc"):
    ...     total.add(TreeNode(0, node), name)
    >>> total.total()
    '((a+b)+c)'

    Args:
        join: Adds the value of a right node to that of the left sibling.
    """

    def __init__(self, join: Callable[[T, T], T]) -> None:
        self._join = join
        self._open: list[tuple[TreeNode, T | None]] = []

    def add(self, node: TreeNode, value: T | None) -> None:
        """Add the value of the next node; None if all shards of the node are empty."""
        while node.place % 2 and self._open and self._open[-1][0].level == node.level:
            _, left = self._open.pop()
            value = self._joined(left, value)
            node = TreeNode(node.level + 1, node.place >> 1)
        self._open.append((node, value))

    def nodes(self) -> list[tuple[TreeNode, T | None]]:
        """Return the complete subtrees so far, in order."""
        return list(self._open)

    def total(self) -> T | None:
        """Return the sum of all nodes; missing nodes at the end are empty."""
        result: T | None = None
        for _, value in reversed(self._open):
            result = self._joined(value, result)
        return result

    def _joined(self, left: T | None, right: T | None) -> T | None:
        if left is None or right is None:
            return right if left is None else left
        return self._join(left, right)
