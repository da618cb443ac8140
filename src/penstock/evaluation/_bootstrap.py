"""Bootstrap weights; apart because the intervals of means and the comparison of models share them.

A resample draws as many rows as there are, with replacement; only how often each row comes counts,
so a resample is a row of weights and every formula works on many at once. Above ``EXACT_ROWS``
rows the draw is made from a representative part: each class (or the order of predictions) is thinned
evenly and every kept row stands for its share of rows, so rare classes stay whole and time and memory
stay flat.

Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 6.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation._outcomes import Outcomes

Floats = NDArray[np.float64]
EXACT_ROWS = 20_000
LEVEL = 0.95
_CHUNK = 2_000_000  # weights held at once: 16 MB


def representative_rows(
    outcomes: Outcomes, most: int = EXACT_ROWS
) -> tuple[NDArray[np.intp], Floats]:
    """Choose at most about ``most`` rows that stand for all, and how many rows each stands for.

    Args:
        outcomes: Rows in canonical order.
        most: Upper bound of rows kept.

    Returns:
        Positions in rising order, and their multiplicities, which sum to the number of rows.
    """
    rows = len(outcomes)
    if rows <= most:
        return np.arange(rows), np.ones(rows)
    regression = outcomes.task == "regression"
    strata = np.zeros(rows, np.int64) if regression else outcomes.truth
    codes = np.unique(strata)
    quota = max(most // len(codes), 1)
    kept, counts = [], []
    for code in codes:
        places = np.flatnonzero(strata == code)
        keep = min(len(places), quota)
        # Evenly spaced in canonical order (by score): steadier than drawing at random.
        kept.append(places[((np.arange(keep) + 0.5) * len(places) / keep).astype(np.intp)])
        counts.append(np.full(keep, len(places) / keep))
    positions = np.concatenate(kept)
    order = np.argsort(positions, kind="stable")
    return positions[order], np.concatenate(counts)[order]


def draw_weights(multiplicity: Floats, *, resamples: int, seed: int) -> Iterator[Floats]:
    """Draw bootstrap weights in chunks that fit in cache.

    Args:
        multiplicity: How many rows each kept row stands for, shape (n,).
        resamples: How many resamples in all.
        seed: Equal seeds give equal weights.

    Yields:
        Arrays of shape (r, n); the r sum to ``resamples``.
    """
    generator = np.random.default_rng(seed)
    rows, kept = round(multiplicity.sum()), len(multiplicity)
    shares = multiplicity / multiplicity.sum()
    step = max(1, _CHUNK // max(kept, 1))
    for first in range(0, resamples, step):
        count = min(step, resamples - first)
        yield generator.multinomial(rows, shares, size=count).astype(np.float64)
