"""Bounds that stay valid however often one looks; apart because they are pure mathematics.

Notation: k errors among n requests, p the true rate, alpha the allowed chance that the true value is
ever outside its bounds, over the whole life of the rollout and any number of looks.

Source: the mixture (Robbins, 1970) with a Beta prior is a martingale under p, so by Ville's
inequality P(exists n: E_n(p) >= 1/alpha) <= alpha. See Howard, Ramdas, McAuliffe and Sekhon (2021),
"Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49(2).
Means: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), "Time-uniform central limit theory
and asymptotic confidence sequences", arXiv 2103.06476.
"""

import math

_PRIOR = 0.5  # Jeffreys: narrow for rates near 0, where error rates live
_BISECTIONS = 40
# The number of labelled rows at which bounds of a mean are narrowest; wider elsewhere, still valid.
_TUNED_FOR = 500


def rate_bounds(errors: int, requests: int, alpha: float) -> tuple[float, float]:
    """Bound an error rate so that the bounds hold at every look at once.

    >>> low, high = rate_bounds(20, 100, 0.01)
    >>> low < 0.2 < high
    True
    >>> rate_bounds(0, 0, 0.01)
    (0.0, 1.0)

    Args:
        errors: Errors so far, 0 or more.
        requests: Requests so far.
        alpha: Chance, over all looks, that the true rate is outside.

    Returns:
        Lower and upper bound, each 0 to 1.
    """
    if requests == 0:
        return 0.0, 1.0
    rate, limit = errors / requests, math.log(1 / alpha)
    low = _root(errors, requests, inside=rate, outside=0.0, limit=limit) if errors else 0.0
    high = (
        _root(errors, requests, inside=rate, outside=1.0, limit=limit) if errors < requests else 1.0
    )
    return low, high


def mean_half_width(rows: int, variance: float, alpha: float) -> float:
    """Bound how far a mean may be from its estimate, at every look at once, for large samples.

    >>> round(mean_half_width(500, 1.0, 0.05), 3)
    0.136

    Args:
        rows: Values so far.
        variance: Their variance.
        alpha: Chance, over all looks, that the true mean is further away.

    Returns:
        Half the width of the interval, in the unit of the values.
    """
    if rows < 2:  # noqa: PLR2004 - one value has no variance
        return math.inf
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / _TUNED_FOR
    spread = rows * rho2 + 1
    inner = 2 * spread / (rows**2 * rho2) * math.log(math.sqrt(spread) / alpha)
    return math.sqrt(variance * inner)


def log_e_value(errors: int, requests: int, rate: float) -> float:
    """Weigh the evidence against a rate: log of a bet that cannot be expected to win if it is true.

    >>> log_e_value(50, 100, 0.5) < 0 < log_e_value(50, 100, 0.1)
    True

    Args:
        errors: Errors so far.
        requests: Requests so far.
        rate: The rate in question, 0 to 1.
    """
    correct = requests - errors
    mixture = _log_beta(errors + _PRIOR, correct + _PRIOR) - _log_beta(_PRIOR, _PRIOR)
    return mixture - _times_log(errors, rate) - _times_log(correct, 1 - rate)


def _root(errors: int, requests: int, *, inside: float, outside: float, limit: float) -> float:
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if log_e_value(errors, requests, middle) < limit:
            inside = middle
        else:
            outside = middle
    return inside


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _times_log(count: int, rate: float) -> float:
    if count == 0:
        return 0.0
    return count * math.log(rate) if rate > 0 else -math.inf
