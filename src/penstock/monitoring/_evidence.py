"""p-values for the difference of two samples, calibrated for their sizes; pure mathematics.

Notation: n reference rows, m current rows, B bins; tau is the autocorrelation time of the rows, so
that m rows in time order carry as much evidence as m / tau independent rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.data import dependence_within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from penstock.data import Dependence

    Counts = NDArray[np.float64]

_LEAST_EXPECTED = 5.0  # below it the chi-squared approximation is not trusted
_LEAST_INDEPENDENT = 20  # training counts as at least this many independent rows
_SURELY = 2.0  # standard errors
_CLOSE = 0.5  # a lag-1 correlation above which the current rows would show the same dependence
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class RateChange:
    """The change of a share from then to now.

    Args:
        difference: Now minus then.
        low: Lower 95 % bound of the difference.
        high: Upper 95 % bound.
        p: Chance of such a rise, or a larger rise, if nothing changed.
    """

    difference: float
    low: float
    high: float
    p: float


def homogeneity_p(reference: "Counts", current: "Counts", tau: float = 1.0) -> float:
    """Test that two rows of counts have the same distribution (chi-squared, two samples).

    Bins with an expected count below 5 are joined to a neighbour; with a single bin left there is
    no evidence and p is 1.

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
    if len(current) < 2:  # noqa: PLR2004 - one bin has no shape
        return 1.0
    n, m = reference.sum(), current.sum()
    pooled = (reference + current) / (n + m)
    statistic = float(
        ((reference - n * pooled) ** 2 / (n * pooled)).sum()
        + ((current - m * pooled) ** 2 / (m * pooled)).sum()
    )
    return float(chi2.sf(statistic, len(current) - 1))


def ordered_p(reference: "Counts", current: "Counts", tau: float = 1.0) -> float:
    """Test ordered bins for any change, with more power for the commonest change, a shift.

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
    # The smaller sample's expected count decides whether a bin is large enough.
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
    # Counts are divided by tau, so that the exact test counts independent rows.
    a, b = round(hits_then / tau), round(hits_now / tau)
    n, m = max(round(rows_then / tau), a), max(round(rows_now / tau), b)
    return RateChange(
        difference,
        difference - math.hypot(now - low_now, high_then - then),
        difference + math.hypot(high_now - now, then - low_then),
        float(min(hypergeom.sf(b - 1, n + m, a + b, m), 1.0)) if b else 1.0,
    )


@dataclass(frozen=True, slots=True)
class LevelChange:
    """The rare category with the most significant change of share.

    Args:
        level: Index of the category among the counts.
        then: The category's share in the reference.
        now: The category's share now.
        ratio: The larger share over the smaller.
        low: Lower 95 % bound of that ratio.
        high: Upper 95 % bound.
        p: Chance of such a change in any of the tested categories.
    """

    level: int
    then: float
    now: float
    ratio: float
    low: float
    high: float
    p: float


def rarest_change(
    reference: "Counts", current: "Counts", *, rare: float, floor: float, tau: float = 1.0
) -> LevelChange | None:
    """Search for the rare category whose share rose or fell most significantly.

    A share that goes from 0.2 % to 0.4 % changes few rows, but doubles.

    >>> import numpy as np
    >>> found = rarest_change(np.array([9950.0, 50.0]), np.array([960.0, 40.0]), rare=0.2, floor=0)
    >>> found.level, found.ratio, found.p < 1e-9
    (1, 8.0, True)

    Args:
        reference: Counts by category, shape (B,).
        current: Counts by category, shape (B,).
        rare: Categories below this share (0 to 1) then and now are tested.
        floor: Changes that may be smaller than this difference of shares are left out.
        tau: Autocorrelation time, 1 or more.

    Returns:
        The change; None if no rare category may have changed by more than the floor.

    Source:
        Katz et al. (1978), Biometrics 34 (interval); Fisher's exact test, doubled for both
        directions and multiplied by the number of categories (Bonferroni).
    """
    import numpy as np

    n, m = float(reference.sum()), float(current.sum())
    if not n or not m:
        return None
    then, now = reference / n, current / m
    places = np.flatnonzero((np.maximum(then, now) < rare) & (reference + current > 0))
    changes = [
        change
        for place in places.tolist()
        if (
            change := _level_change(
                place, float(reference[place]), n, float(current[place]), m, floor, tau
            )
        )
    ]
    if not changes:
        return None
    best = min(changes, key=lambda change: (change.p, change.level))
    return replace(best, p=min(2 * len(places) * best.p, 1.0))


def _level_change(
    place: int, hits_then: float, n: float, hits_now: float, m: float, floor: float, tau: float
) -> LevelChange | None:
    then, now = hits_then / n, hits_now / m
    rise = now >= then
    change = (
        rate_change(int(hits_then), int(n), int(hits_now), int(m), tau)
        if rise
        else rate_change(int(hits_now), int(m), int(hits_then), int(n), tau)
    )
    if change.low <= floor:
        return None
    # Half a row more on each side, so that a category with no rows left has a ratio, too.
    few, small, many, large = (hits_then, n, hits_now, m) if rise else (hits_now, m, hits_then, n)
    few, many = few / tau + 0.5, many / tau + 0.5
    small, large = small / tau + 1, large / tau + 1
    spread = _NORMAL_95 * math.sqrt(1 / few - 1 / small + 1 / many - 1 / large)
    ratio = max(then, now) / min(then, now) if min(then, now) else (many / large) / (few / small)
    return LevelChange(
        place, then, now, ratio, ratio * math.exp(-spread), ratio * math.exp(spread), change.p
    )


def wilson(share: float, rows: float, z: float = _NORMAL_95) -> tuple[float, float]:
    """Compute bounds of a share (Wilson's score interval).

    >>> [round(bound, 3) for bound in wilson(0.5, 100)]
    [0.404, 0.596]

    Args:
        share: Observed share, 0 to 1.
        rows: Number of rows, above 0.
        z: Normal quantile of the two-sided level.
    """
    z2 = z * z
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = z / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows * rows))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def rows_per_independent(
    reference: "Dependence | None", codes: "NDArray[np.generic]", reference_rows: int
) -> float:
    """Compute an upper bound of the current rows in time order per independent row.

    Dependence within stretches of the window always counts, regardless of changes between them.
    Longer dependence counts if the training rows show the same dependence; but not if the current
    rows plainly do not: a table sorted by a column carries no information about requests.

    >>> import numpy as np
    >>> rows_per_independent(None, np.repeat([0.0, 9.0], 500), 1000)
    1.0

    Args:
        reference: Dependence of the training rows, if known.
        codes: One number per row in time order: a bin, shape (m,).
        reference_rows: Training rows.

    Returns:
        1 or more.
    """
    current = dependence_within(codes)
    if reference is None or reference.tau <= current.tau or not current.rows:
        return current.tau
    error = _SURELY * math.sqrt(1 / current.rows + 1 / max(reference.rows, 1))
    plainly_not = current.lag1 < reference.lag1 / 2 - error
    if reference.lag1 > _CLOSE and plainly_not:
        return current.tau
    return max(min(reference.tau, reference_rows / _LEAST_INDEPENDENT), current.tau)


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false alarm is at most the level.

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
