"""Prediction of few rows on a single thread: starting OpenMP's threads costs more than they save.

On a busy machine of 2 cores a row through a HistGradientBoosting pipeline took 3 ms this way, and
anything up to 3 s with threads that wait for one another. Predictions do not depend on the number of
threads.
"""

import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

_FEW_ROWS = 1_000
_LIBRARIES = ("sklearn", "xgboost", "lightgbm")  # each may have a separate OpenMP


def threads_for(rows: int) -> AbstractContextManager[Any]:
    """Return a context in which this thread predicts the given number of rows.

    Args:
        rows: Number of rows per call.
    """
    if rows > _FEW_ROWS:
        return nullcontext()
    limits: AbstractContextManager[Any] = _controller(
        tuple(name for name in _LIBRARIES if name in sys.modules)
    ).limit(limits=1, user_api="openmp")
    return limits


@cache
def _controller(loaded: tuple[str, ...]) -> Any:  # noqa: ARG001 - a library may be loaded later
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
