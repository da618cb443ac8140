"""How surely two samples differ: p-values calibrated for their sizes; apart as pure mathematics.

Notation: n reference rows, m current rows, B bins; tau is the autocorrelation time of the current
rows, so that m rows in time order tell as much as m / tau independent ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.float64]

_LEAST_EXPECTED = 5.0  # below it the chi-squared approximation is not trusted
_SOKAL_WINDOW = 5.0
_TAU_ERRORS = 1.5
_MOST_LAGS = 2_000
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class RateChange:
    """A share then and now.

    Args:
        difference: Now minus then.
        low: Lower 95 % bound of the difference.
        high: Upper 95 % bound.
        p: Chance of such a rise, or a larger one, if nothing changed.
    """

    difference: float
    low: float
    high: float
    p: float


def homogeneity_p(reference: "Counts", current: "Counts", tau: float = 1.0) -> float:
    """Test that two rows of counts come from one distribution (chi-squared, two samples).

    Bins that expect fewer than 5 rows are joined to their neighbour; with one bin left nothing can
    be said and p is 1.

    >>> import numpy as np
    >>> round(homogeneity_p(np.array([50.0, 50.0]), np.array([50.0, 50.0])), 3)
    1.0
    >>> homogeneity_p(np.array([900.0, 100.0]), np.array([700.0, 300.0])) < 1e-9
    True

    Args:
        reference: Counts by bin, shape (B,).
        current: Counts by bin, shape (B,).
        tau: Autocorrelation time, 1 or more.

    Returns:
        The p-value, 0 to 1.
    """
    from scipy.stats import chi2

    reference, current = _joined(reference / tau, current / tau)
    if len(current) < 2:  # noqa: PLR2004 - one bin holds no shape
        return 1.0
    n, m = reference.sum(), current.sum()
    pooled = (reference + current) / (n + m)
    statistic = float(
        ((reference - n * pooled) ** 2 / (n * pooled)).sum()
        + ((current - m * pooled) ** 2 / (m * pooled)).sum()
    )
    return float(chi2.sf(statistic, len(current) - 1))


def ordered_p(reference: "Counts", current: "Counts", tau: float = 1.0) -> float:
    """Test ordered bins for any change, with more power for the commonest one, a shift.

    Twice the smaller p-value of the chi-squared test and of the trend test over the bins' ranks.

    >>> import numpy as np
    >>> flat, tilted = np.full(10, 100.0), np.arange(73.0, 129.0, 6.0)
    >>> ordered_p(flat, tilted) < homogeneity_p(flat, tilted)
    True

    Args:
        reference: Counts by bin in order, shape (B,).
        current: Counts by bin in order, shape (B,).
        tau: Autocorrelation time, 1 or more.

    Source:
        Armitage (1955), Biometrics 11.
    """
    import numpy as np
    from scipy.stats import norm

    shape = homogeneity_p(reference, current, tau)
    n, m = reference.sum() / tau, current.sum() / tau
    if min(n, m) < 2 * _LEAST_EXPECTED:
        return shape
    pooled = (reference + current) / (reference + current).sum()
    ranks = np.cumsum(pooled) - pooled / 2
    spread = float((pooled * (ranks - 0.5) ** 2).sum())
    if spread <= 0:
        return shape
    moved = float((current / current.sum() - reference / reference.sum()) @ ranks)
    trend = 2 * float(norm.sf(abs(moved) / math.sqrt(spread * (1 / n + 1 / m))))
    return min(2 * min(shape, trend), 1.0)


def _joined(reference: "Counts", current: "Counts") -> "tuple[Counts, Counts]":
    import numpy as np

    n, m = reference.sum(), current.sum()
    if not n or not m:
        return reference[:1], current[:1]
    least = (reference + current) * min(n, m) / (n + m)
    starts, room = [0], 0.0
    for place, expected in enumerate(least):
        if room >= _LEAST_EXPECTED:
            starts.append(place)
            room = 0.0
        room += expected
    if room < _LEAST_EXPECTED and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(reference, starts), np.add.reduceat(current, starts)


def rate_change(
    hits_then: int, rows_then: int, hits_now: int, rows_now: int, tau: float = 1.0
) -> RateChange:
    """Compare two shares: Fisher's exact test for a rise, Newcombe's interval for the difference.

    >>> change = rate_change(0, 1000, 50, 1000)
    >>> change.difference, change.low > 0.03, change.p < 1e-9
    (0.05, True, True)

    Args:
        hits_then: Hits in the reference.
        rows_then: Rows of the reference.
        hits_now: Hits now.
        rows_now: Rows now.
        tau: Autocorrelation time, 1 or more.

    Source:
        Newcombe (1998), Statistics in Medicine 17, method 10.
    """
    from scipy.stats import hypergeom

    if not rows_then or not rows_now:
        return RateChange(0.0, -1.0, 1.0, 1.0)
    then, now = hits_then / rows_then, hits_now / rows_now
    low_then, high_then = wilson(then, rows_then / tau)
    low_now, high_now = wilson(now, rows_now / tau)
    difference = now - then
    a, b = round(hits_then / tau), round(hits_now / tau)
    n, m = max(round(rows_then / tau), a), max(round(rows_now / tau), b)
    return RateChange(
        difference,
        difference - math.hypot(now - low_now, high_then - then),
        difference + math.hypot(high_now - now, then - low_then),
        float(min(hypergeom.sf(b - 1, n + m, a + b, m), 1.0)) if b else 1.0,
    )


def wilson(share: float, rows: float, z: float = _NORMAL_95) -> tuple[float, float]:
    """Bound a share (Wilson's score interval).

    >>> [round(bound, 3) for bound in wilson(0.5, 100)]
    [0.404, 0.596]

    Args:
        share: Observed share, 0 to 1.
        rows: Rows it was seen in, above 0.
        z: Normal quantile of the two-sided level.
    """
    z2 = z * z
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = z / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows * rows))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def autocorrelation_time(codes: "NDArray[np.generic]") -> float:
    """Bound from above how many rows in time order make one independent row.

    >>> import numpy as np
    >>> autocorrelation_time(np.tile([0.0, 1.0], 500))
    1.0

    Args:
        codes: One number per row in time order: a bin, shape (m,).

    Returns:
        1 or more.

    Source:
        The self-consistent window of Sokal (1997), Monte Carlo Methods in Statistical Mechanics;
        bias and standard error of Wolff (2004), Computer Physics Communications 156.
    """
    import numpy as np

    numbers = np.asarray(codes, dtype=np.float64)
    centred = (numbers - numbers.mean()).astype(np.float32)  # half the memory to read per lag
    variance = float(np.dot(centred, centred))
    if variance <= 0:
        return 1.0
    tau, lag = 1.0, 0
    while lag < min(_MOST_LAGS, len(centred) // 4) and lag < _SOKAL_WINDOW * tau:
        lag += 1
        tau += 2 * float(np.dot(centred[:-lag], centred[lag:])) / variance
    # The estimate is uncertain and must not be too low; independent rows are hardly touched.
    window = (2 * lag + 1) / len(centred)
    return 1.0 + max(tau - 1.0, 0.0) * (1.0 + window + _TAU_ERRORS * math.sqrt(2 * window))


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false alarm stays below the level.

    >>> holm([0.01, 0.04, 0.5])
    [0.03, 0.08, 0.5]

    Args:
        values: p-values, in any order.

    Returns:
        Adjusted p-values in the same order.

    Source:
        Holm (1979), Scandinavian Journal of Statistics 6.
    """
    adjusted, running = [1.0] * len(values), 0.0
    order = sorted(range(len(values)), key=lambda place: (values[place], place))
    for rank, place in enumerate(order):
        running = max(running, min((len(values) - rank) * values[place], 1.0))
        adjusted[place] = running
    return adjusted
