"""Answering few rows on one thread: starting OpenMP's others costs more than they do.

On a busy machine of 2 cores one row through a HistGradientBoosting pipeline took 3 ms so, and
anything up to 3 s with threads that wait for each other. Answers do not depend on the number.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

_FEW_ROWS = 1_000
_LIBRARIES = ("sklearn", "xgboost", "lightgbm")  # each may bring an OpenMP of its own


def threads_for(rows: int) -> AbstractContextManager[Any]:
    """Give a context in which this thread predicts so many rows.

    Args:
        rows: How many will be asked at once.
    """
    if rows > _FEW_ROWS:
        return nullcontext()
    found: AbstractContextManager[Any] = _controller(
        tuple(name for name in _LIBRARIES if name in sys.modules)
    ).limit(limits=1, user_api="openmp")
    return found


@cache
def _controller(loaded: tuple[str, ...]) -> Any:  # noqa: ARG001 - a library may be loaded later
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
