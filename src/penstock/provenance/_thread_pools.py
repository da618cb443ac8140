"""Threads of BLAS and OpenMP during a step: the number that is recorded is the number there is."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from penstock.provenance._variables import own_variable

_OPENMP = "OMP_NUM_THREADS"
_VARIABLES = {
    "openblas": "OPENBLAS_NUM_THREADS",
    "mkl": "MKL_NUM_THREADS",
    "openmp": _OPENMP,
}
_ALL_VARIABLES = (*_VARIABLES.values(), "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")
_USERS = frozenset({"numpy", "sklearn", "scipy"})  # without them no such library is loaded


def available_threads() -> int:
    """Return the number of threads that libraries use without a limit."""
    return _from_variable(_OPENMP) or _processors()


def present_threads() -> int:
    """Return the number of threads that this process computes with.

    That is the number available, unless a loaded library was told otherwise while the process ran,
    as by ``threadpoolctl.threadpool_limits``: then the smallest number wins.
    Otherwise the results of a process could not be repeated in a process that was not told.
    """
    set_numbers = {
        each["num_threads"] for each in _pools() if each["num_threads"] not in _untold(each)
    }
    return min(set_numbers, default=available_threads())


@contextmanager
def limited_threads(threads: int) -> Iterator[int]:
    """Set the number of threads of the libraries that are loaded, or will be while the block runs.

    Args:
        threads: Number of threads.

    Yields:
        The number of threads.
    """
    if threads == available_threads() == present_threads():
        yield threads
        return
    before = {name: os.environ.get(name) for name in _ALL_VARIABLES}
    # The variables reach libraries loaded from here on, threadpoolctl those already loaded.
    os.environ.update(dict.fromkeys(_ALL_VARIABLES, str(threads)))
    try:
        with _limited_loaded_libraries(threads):
            yield threads
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _limited_loaded_libraries(threads: int) -> Iterator[None]:
    if not _USERS & sys.modules.keys():
        yield
        return
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    if torch:
        torch.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads):
            yield
    finally:
        if torch and before is not None:
            torch.set_num_threads(before)


def _pools() -> list[dict[str, Any]]:
    """Return the loaded libraries with their threads; torch's own is set by torch alone."""
    if not _USERS & sys.modules.keys():
        return []
    return [
        each for each in _controller(len(sys.modules)).info() if "torch" not in each["filepath"]
    ]


@lru_cache(maxsize=1)
def _controller(_: int) -> Any:  # libraries are looked for again when a module has been imported
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _untold(pool: dict[str, Any]) -> set[int]:
    """Return a library's default number of threads.

    Some libraries take no more threads than there are processors.
    """
    own = _VARIABLES.get(pool["internal_api"])
    number = (_from_variable(own) if own else 0) or available_threads()
    return {number, min(number, _processors())}


def _from_variable(name: str) -> int:
    wanted = own_variable(name) or ""
    return int(wanted) if wanted.isdigit() else 0


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
