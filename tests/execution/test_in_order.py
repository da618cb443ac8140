"""Results come in the order of the parts, with a bounded number of parts in flight."""

from collections.abc import Iterator

import pytest

from penstock.core import ParameterError, PenstockError
from penstock.execution import map_in_order


def square(number: int) -> int:
    return number * number


def die(_number: int) -> int:
    import os

    os._exit(3)


def test_results_are_in_order_and_parts_are_not_read_far_ahead() -> None:
    read: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    results = map_in_order(square, parts(), on="processes", workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert len(read) <= 3 + 2 * 2
    assert list(results) == [number * number for number in range(3, 100)]


def test_a_dead_worker_is_an_error_with_a_way_on() -> None:
    with pytest.raises(PenstockError, match="A worker process died"):
        list(map_in_order(die, [1], on="processes", workers=1))


def test_an_unknown_runner_is_named() -> None:
    with pytest.raises(ParameterError, match="processes"):
        list(map_in_order(square, [1], on="process"))  # type: ignore[arg-type] # the mistake
