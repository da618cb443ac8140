"""side_by_side: a function over items in threads, for work that NumPy, polars or hashlib do."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_THREADS = min(8, os.cpu_count() or 1)


def side_by_side(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item],
    *,
    if_worth: bool = True,
    at_most: int = 8,
) -> list[_Result]:
    """Apply a function to items, in up to 8 threads, and return the results in order.

    >>> side_by_side(abs, [-1, 2])
    [1, 2]

    Args:
        function: Releases the interpreter's lock for most of the time.
        items: The items.
        if_worth: Whether the work is worth the start of threads.
        at_most: Items at once, where each takes much memory.
    """
    count = min(_THREADS, at_most)
    if not if_worth or count <= 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(function, items))
