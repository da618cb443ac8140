"""Bounds that are valid at any number of looks; apart because they are pure mathematics.

Notation: k errors among n requests, p the true rate, alpha the allowed chance that the true value
is ever outside the bounds, over the whole life of the rollout and any number of looks. One-sided
bounds bet on rates below p only: (q/p)^k ((1-q)/(1-p))^(n-k) with q < p cannot be expected to win
for any true rate of p or more, so a mixture over q in (0, p) is a supermartingale there.

Source: the mixture (Robbins, 1970) with a Beta prior is a martingale under p, so by Ville's
inequality P(exists n: E_n(p) >= 1/alpha) <= alpha. See Howard, Ramdas, McAuliffe and Sekhon (2021),
"Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49(2).
Means: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), "Time-uniform central limit theory
and asymptotic confidence sequences", arXiv 2103.06476.
"""

import math

_PRIOR = 0.5  # Jeffreys: narrow for rates near 0, where error rates live
_BISECTIONS = 40
_SMALL = 1e-9  # a rate that no rollout distinguishes from 0
# The number of labelled rows at which bounds of a mean are narrowest; wider elsewhere, still valid.
_TUNED_FOR = 500


def rate_bounds(errors: int, requests: int, alpha: float) -> tuple[float, float]:
    """Compute bounds of an error rate that hold at all looks together.

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


def rate_at_most(errors: float, requests: float, alpha: float) -> float:
    """Compute an upper bound of an error rate for all looks; narrower than ``rate_bounds``.

    >>> round(rate_at_most(0, 760, 0.05), 4)
    0.005
    >>> rate_at_most(0, 0, 0.05)
    1.0

    Args:
        errors: Errors so far, 0 or more; a fraction is an expected count.
        requests: Requests so far.
        alpha: Chance, over all looks, that the true rate is higher.
    """
    from scipy.optimize import brentq

    if requests <= 0 or errors >= requests:
        return 1.0
    limit, nearly_one = math.log(1 / alpha), 1 - _SMALL

    def missing(rate: float) -> float:
        return log_e_value_below(errors, requests, rate) - limit

    if missing(nearly_one) <= 0:
        return 1.0
    low = max(errors / requests, _SMALL)
    return float(brentq(missing, low, nearly_one, xtol=_SMALL)) + _SMALL


def rate_at_least(errors: float, requests: float, alpha: float) -> float:
    """Compute a lower bound of an error rate for all looks.

    >>> rate_at_least(0, 1_000, 0.05)
    0.0

    Args:
        errors: Errors so far, 0 or more.
        requests: Requests so far.
        alpha: Chance, over all looks, that the true rate is lower.
    """
    return 1.0 - rate_at_most(requests - errors, requests, alpha)


def log_e_value_below(errors: float, requests: float, rate: float) -> float:
    """Compute the evidence that the true rate is below a rate: log of a one-sided bet.

    Args:
        errors: Errors so far.
        requests: Requests so far.
        rate: The rate in question, between 0 and 1.
    """
    from scipy.special import betainc

    a, b = errors + _PRIOR, requests - errors + _PRIOR
    inside, prior = float(betainc(a, b, rate)), float(betainc(_PRIOR, _PRIOR, rate))
    if inside <= 0.0:
        return -math.inf
    mixture = _log_beta(a, b) - _log_beta(_PRIOR, _PRIOR) + math.log(inside) - math.log(prior)
    return mixture - errors * math.log(rate) - (requests - errors) * math.log1p(-rate)


def mean_half_width(rows: int, variance: float, alpha: float) -> float:
    """Compute how far a mean may be from the estimate, for all looks together, for large samples.

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
    """Compute the evidence against a rate: log of a bet with no expected gain if the rate is true.

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
