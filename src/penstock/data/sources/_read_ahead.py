"""Batches read ahead by threads: several readers at a time, their batches in order, in bounded memory."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_END = object()
_WAIT_S = 0.2


def read_ahead(
    parts: Sequence[T],
    read: Callable[[int, T], Iterable[Any]],
    *,
    workers: int,
    most: int,
    cancel: Callable[[], None] = lambda: None,
) -> Generator[Any, None, None]:
    """Yield the items of every part, part by part in order, while threads read the next parts.

    >>> list(read_ahead([1, 2, 3], lambda _, part: [part, part], workers=2, most=2))
    [1, 1, 2, 2, 3, 3]

    Args:
        parts: The parts.
        read: Reads a part; the first argument is the number of the thread that does it.
        workers: Number of threads.
        most: Most items of a part that wait to be taken; a thread that is further ahead pauses.
        cancel: Ends the readings that go on, when no more items are taken.
    """
    channels = [queue.Queue[Any](maxsize=most) for _ in parts]
    stop = threading.Event()
    # A thread takes no part that lies further ahead, or it would hold that part's rows for long.
    ahead = threading.Semaphore(workers + 1)
    numbers = iter(range(len(parts)))
    turn = threading.Lock()

    def work(worker: int) -> None:
        while not stop.is_set():
            if not ahead.acquire(timeout=_WAIT_S):
                continue
            with turn:
                place = next(numbers, None)
            if place is None:
                return
            _fill(channels[place], read, worker, parts[place], stop)

    threads = [
        threading.Thread(target=work, args=(number,), name=f"penstock-read-{number}", daemon=True)
        for number in range(min(workers, len(parts)))
    ]
    for thread in threads:
        thread.start()
    try:
        for channel in channels:
            while (item := channel.get()) is not _END:
                if isinstance(item, _Failure):
                    raise item.error
                yield item
            ahead.release()
    finally:
        stop.set()
        cancel()
        for thread in threads:
            thread.join()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _fill(
    channel: "queue.Queue[Any]",
    read: Callable[[int, T], Iterable[Any]],
    worker: int,
    part: T,
    stop: threading.Event,
) -> None:
    try:
        for item in read(worker, part):
            if not _put(channel, item, stop):
                return
        _put(channel, _END, stop)
    except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
        _put(channel, _Failure(error), stop)


def _put(channel: "queue.Queue[Any]", item: Any, stop: threading.Event) -> bool:
    while not stop.is_set():
        with suppress(queue.Full):
            channel.put(item, timeout=_WAIT_S)
            return True
    return False
