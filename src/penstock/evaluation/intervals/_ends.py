"""Ends of an interval, and the constants and searches that all methods share."""

from collections.abc import Callable
from math import exp, log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ends = tuple[float, float]

Z = 1.959963984540054
HIGHEST = 300.0
"""Logarithm of an end that is unbounded in practice."""

_HALVINGS = 40


def bisect(goes_on: Callable[[float], bool], first: float, last: float) -> float:
    """Search the value between first and last up to which a condition goes on."""
    for _ in range(_HALVINGS):
        middle = (first + last) / 2
        first, last = (middle, last) if goes_on(middle) else (first, middle)
    return (first + last) / 2


def logit_ends(value: float, half: float) -> Ends:
    """Compute the ends of a share from the half width of the interval, on the logit."""
    odds, half = log(value / (1 - value)), half / (value * (1 - value))
    low, high = (1 / (1 + exp(min(side - odds, HIGHEST))) for side in (half, -half))
    return low, high
