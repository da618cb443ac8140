"""map_in_order: a function over a stream of parts, here, in processes or on Ray, results in order.

The number of parts in flight is bounded, so that a stream of any length needs little memory.
"""

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from penstock.core import PenstockError, require_choice
from penstock.execution.engine import RunnerName
from penstock.execution.runners import ray_cluster

Part = TypeVar("Part")
Result = TypeVar("Result")

_AHEAD = 2  # parts per worker in flight, so that no worker waits for the reader
_WATCH_S = 0.5
_RUNNERS = {"local": 0, "processes": 1, "ray": 2}


def map_in_order(
    function: Callable[[Part], Result],
    parts: Iterable[Part],
    *,
    on: RunnerName = "local",
    workers: int | None = None,
) -> Iterator[Result]:
    """Yield the result of each part, in the order of the parts.

    >>> list(map_in_order(len, ["a", "bc"]))
    [1, 2]

    Args:
        function: Called with a part; of a module, with arguments that can be pickled.
        parts: The parts; read as far ahead as the workers need.
        on: ``local``, ``processes`` or ``ray``.
        workers: Number of workers; by default as many as cores.

    Raises:
        ParameterError: If there is no such runner.
        PenstockError: If a worker process died.
    """
    require_choice("on", on, _RUNNERS)
    count = workers or os.cpu_count() or 1
    if on == "local":
        yield from map(function, parts)
    elif on == "processes":
        yield from _in_processes(function, parts, count)
    else:
        yield from _on_ray(function, parts, count)


def _in_processes(
    function: Callable[[Part], Result], parts: Iterable[Part], workers: int
) -> Iterator[Result]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_end_with, initargs=(os.getpid(),))
    try:
        yield from _bounded(parts, lambda part: pool.submit(function, part).result, workers)
    except BrokenProcessPool as error:
        raise PenstockError(
            what="A worker process died.",
            why="It was killed, or had no memory left.",
            fix="Run it again with fewer workers: finished parts are not repeated.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _on_ray(
    function: Callable[[Part], Result], parts: Iterable[Part], workers: int
) -> Iterator[Result]:
    with ray_cluster("working on Ray", workers) as ray:
        call = ray.remote(function).options(max_retries=3)  # a lost node costs its parts only

        def submit(part: Part) -> Callable[[], Result]:
            reference = call.remote(part)
            return lambda: ray.get(reference)

        yield from _bounded(parts, submit, workers)


def _bounded(
    parts: Iterable[Part], submit: Callable[[Part], Callable[[], Result]], workers: int
) -> Iterator[Result]:
    waiting: deque[Callable[[], Result]] = deque()
    for part in parts:
        waiting.append(submit(part))
        if len(waiting) >= _AHEAD * workers:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def _end_with(parent: int) -> None:
    """End this worker when the process that started it is gone, for any reason."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, name="penstock-parent", daemon=True).start()
