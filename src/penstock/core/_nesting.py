"""Endless values: the container that contains itself; checked only after a recursion has failed."""

from collections.abc import Iterable, Mapping
from typing import Any


def describe_nesting(value: object) -> str:
    """Return the reason why following a value met Python's limit of recursion.

    >>> describe_nesting([[]])
    'is nested too deeply'
    """
    circle = find_circle(value)
    return "is nested too deeply" if circle is None else f"contains itself, at {circle}"


def find_circle(value: object) -> str | None:
    """Return the place where a list, tuple or dict contains itself; None if there is none.

    >>> rows = [1]
    >>> rows.append({"all": rows})
    >>> find_circle(rows)
    "[1]['all']"
    """
    open_ids: set[int] = set()
    waiting: list[tuple[Any, str, bool]] = [(value, "", False)]
    while waiting:
        item, path, is_done = waiting.pop()
        if is_done:
            open_ids.discard(id(item))
        elif id(item) in open_ids:
            return path
        elif isinstance(item, Mapping | list | tuple):
            open_ids.add(id(item))
            waiting.append((item, path, True))
            waiting += [
                (inner, f"{path}[{key!r}]", False)
                for key, inner in _inside(item)
                if isinstance(inner, Mapping | list | tuple)
            ]
    return None


def _inside(item: Any) -> Iterable[tuple[Any, Any]]:
    return item.items() if isinstance(item, Mapping) else enumerate(item)
