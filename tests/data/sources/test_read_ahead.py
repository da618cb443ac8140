import threading
import time

import pytest

from penstock.data.sources._read_ahead import read_ahead


def test_items_come_in_the_order_of_the_parts():
    def read(_, part):
        for item in range(3):
            time.sleep(0.001 * (7 - part % 7))
            yield part, item

    items = list(read_ahead(range(20), read, workers=4, most=2))
    assert items == [(part, item) for part in range(20) for item in range(3)]


def test_no_more_than_a_few_items_wait():
    made = []

    def read(_, part):
        for item in range(100):
            made.append(item)
            yield item

    items = read_ahead(range(10), read, workers=2, most=3)
    next(items)
    time.sleep(0.5)
    assert len(made) <= 3 * 3 + 3
    items.close()


def test_an_error_comes_in_its_place_and_ends_the_reading():
    def read(_, part):
        yield part
        if part == 2:
            raise ValueError("gone")

    items = read_ahead(range(9), read, workers=3, most=1)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="gone"):
        next(items)


def test_threads_end_when_no_more_is_taken():
    ended = threading.Event()

    def read(_, part):
        yield part
        ended.wait(30)

    items = read_ahead([1, 2], read, workers=2, most=1, cancel=ended.set)
    next(items)
    items.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("penstock-read")]
