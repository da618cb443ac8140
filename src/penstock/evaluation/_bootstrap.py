"""Bootstrap weights, from which the intervals of means are computed.

A resample draws as many rows as there are, with replacement; only the count of each row matters, so
a resample is a row of weights and every formula works on many at once.

Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 6.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVEL = 0.95
_CHUNK = 2_000_000  # weights held in memory at the same time: 16 MB


def draw_weights(rows: int, *, resamples: int, seed: int) -> Iterator[Floats]:
    """Draw bootstrap weights in chunks that fit in cache.

    Args:
        rows: Number of rows, also of rows drawn.
        resamples: Number of resamples in total.
        seed: Equal seeds give equal weights.

    Yields:
        Arrays of shape (r, rows); the r sum to ``resamples``.
    """
    generator = np.random.default_rng(seed)
    shares = np.full(rows, 1 / max(rows, 1))
    step = max(1, _CHUNK // max(rows, 1))
    for first in range(0, resamples, step):
        count = min(step, resamples - first)
        yield generator.multinomial(rows, shares, size=count).astype(np.float64)
